"""Templates, and what every page of the catalogue needs."""

import time
from collections.abc import Hashable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from headwater.file_size import size_in_words
from headwater.privacy.words import SCHEMA_FROM_ROWS
from headwater.release.domain import DRAFTED
from headwater.release.statement import privacy_in_short
from headwater_server.catalogue.access import current_reader
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["Pages"]


_CHARTER_SECONDS = 5.0
"""A charter comes in force once in months; asking the database for each page would cost more than the page."""


class Pages:
    """Templates with what every page needs."""

    def __init__(self, settings: CatalogueSettings, *, runs: bool = False) -> None:
        """Load the templates; `runs`: there are pages of runs, for readers who may see them."""
        self.settings = settings
        self._runs = runs
        self._charter: tuple[float, str] = (0.0, "")
        self._templates = Environment(
            loader=PackageLoader("headwater_server.catalogue"),
            autoescape=True,
            # They are part of the package: nobody looks at each page whether one of them changed.
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            with_code=_with_code,
            size=size_in_words,
            day=_day,
            moment=_moment,
            grouped=_grouped,
            privacy_in_short=privacy_in_short,
        )
        self._templates.globals.update(
            file_url=file_url,
            reader=current_reader,
            runs_shown=self._runs_shown,
            settings=settings,
            schema_from_rows=SCHEMA_FROM_ROWS,
            drafted=DRAFTED,
        )

    @property
    def reader_class(self) -> Hashable:
        """What the head of every page depends on: two readers of one class are shown the same."""
        return current_reader().signed_in, self._runs_shown()

    def charter_digest(self) -> str:
        """Of the charter in force, at most a few seconds ago; "" where there is none."""
        digest = self.charter_held()
        if digest is None:
            signed = self.settings.charter(None)
            digest = "" if signed is None else signed.charter.digest
            self._charter = (time.monotonic(), digest)
        return digest

    def charter_held(self) -> str | None:
        """As `charter_digest`; None where the database would have to be asked."""
        looked, digest = self._charter
        # That there is none is never held: the first charter is shown as soon as it is in force.
        return digest if digest and time.monotonic() - looked <= _CHARTER_SECONDS else None

    def _runs_shown(self) -> bool:
        return self._runs and current_reader().may_see_runs

    def text(self, template: str, **values: Any) -> str:
        """Render a template; every value is escaped."""
        return self._templates.get_template(template).render(**values)

    def render(self, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """Render a template to an answer; every value is escaped."""
        return HTMLResponse(self.text(template, **values), status_code=status_code)


def _with_code(text: str) -> Markup:
    """Escaped, and what stands between backticks as code."""
    pieces = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 and number < len(pieces) - 1 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def _day(instant: str) -> str:
    return instant[:10]


def _moment(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"


def _grouped(number: int) -> str:
    return f"{number:,}"

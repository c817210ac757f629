"""Templates, and what every page of the catalogue needs."""

from collections.abc import Hashable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from headwater.file_size import size_in_words
from headwater.privacy.words import SCHEMA_FROM_ROWS
from headwater.release.domain import DRAFTED
from headwater.release.statement import privacy_in_short
from headwater_server.catalogue.access import current_reader
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["Pages"]


class Pages:
    """Templates with what every page needs."""

    def __init__(self, settings: CatalogueSettings, *, runs: bool = False) -> None:
        """Load the templates; `runs`: there are pages of runs, for readers who may see them."""
        self.settings = settings
        self._runs = runs
        self._templates = Environment(
            loader=PackageLoader("headwater_server.catalogue"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            size=size_in_words, day=_day, moment=_moment, grouped=_grouped, privacy_in_short=privacy_in_short
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

    def _runs_shown(self) -> bool:
        return self._runs and current_reader().may_see_runs

    def text(self, template: str, **values: Any) -> str:
        """Render a template; every value is escaped."""
        return self._templates.get_template(template).render(**values)

    def render(self, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """Render a template to an answer; every value is escaped."""
        return HTMLResponse(self.text(template, **values), status_code=status_code)


def _day(instant: str) -> str:
    return instant[:10]


def _moment(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"


def _grouped(number: int) -> str:
    return f"{number:,}"

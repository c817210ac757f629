"""The page as HTML: one file, no script, nothing fetched."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from headwater.audit.report.page import Page

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render"]

_SYMBOLS = {
    "pass": "✓",
    "pass, unproven": "?",
    "warn": "!",
    "fail": "✕",
    "inconclusive": "?",
    "not applicable": "–",
    "": "·",
}
_CLASSES = {
    "pass": "good",
    "pass with warnings": "warn",
    "warn": "warn",
    "fail": "bad",
    "pass, unproven": "open",
    "inconclusive": "open",
    "not applicable": "aside",
    "": "aside",
}


def render(page: Page) -> str:
    """The page as one HTML document, with its style and charts inside.

    Guarantee: all text is escaped, wherever it comes from; the document has no script and names no other resource.
    """
    style = files("headwater.audit.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    return _template().render(page=page, style=style, symbols=_SYMBOLS, classes=_CLASSES)


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("headwater.audit.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")

"""From a chart to one self-contained SVG, readable in light and dark."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headwater_server.figures.texts import plain, safe

if TYPE_CHECKING:
    import altair as alt

__all__ = ["BAR", "INK", "NAME", "NOTE", "ON_FULL", "OTHER", "TRACK", "heading", "static_svg", "unchecked"]

# Colours on a light ground; each has its like on a dark one.
NAME, INK, NOTE = "#13252d", "#3d4f58", "#5b6c74"
BAR, OTHER, TRACK, ON_FULL = "#12738a", "#b4581c", "#eef3f4", "#ffffff"
_LINE, _AXIS = "#d5dee1", "#8fa1a8"
_DARK = {
    NAME: "#eef4f6",
    INK: "#b7c6cc",
    NOTE: "#93a5ac",
    BAR: "#4fb3c9",
    OTHER: "#e89a5b",
    TRACK: "#1d2c33",
    ON_FULL: "#10191d",
    _LINE: "#2b3d45",
    _AXIS: "#5c7079",
}
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
_PADDING = 14

# Texts have no "<" of their own, nor has an attribute a ">": names of people's columns stand in texts alone.
_TAG = re.compile(r"<[a-z][^>]*>")
_REPEATED = re.compile(r' (?:aria-[a-z]+|class|font-family|pointer-events|role|xmlns:xlink)="[^"]*"')
_SIZE = re.compile(r' width="\d+" height="\d+" viewBox="[^"]*"')
_DIGITS = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Build charts without holding each part to Vega-Lite's schema, which costs more than drawing them.

    The charts here have a few fixed forms; tests draw every one.
    """
    from altair.utils import schemapi

    with schemapi.debug_mode(False):
        yield


def heading(name: str, note: str) -> "alt.TitleParams":
    """A chart's name, with a line below it."""
    import altair as alt

    return alt.TitleParams(plain(name), subtitle=plain(note), anchor="start", frame="bounds", offset=12)


def static_svg(chart: "alt.TopLevelMixin", name: str, description: str, size: tuple[int, int] | None = None) -> bytes:
    """Draw a chart.

    Args:
        chart: in the colours of this module; anything else keeps its colour in the dark.
        name: what it is, for screen readers.
        description: the same as the drawing in words, for those who do not see it.
        size: width and height in pixels; as large as the drawing for None.

    Returns:
        SVG 1.1, UTF-8, without script, link or external reference; the same chart gives the same bytes with the same
        versions of Altair and vl-convert. Every text is escaped.
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_themed(chart), allowed_base_urls=[])
    start, body = _TAG.sub(_slim, drawn).split(">", 1)
    if size is not None:
        start = _SIZE.sub(f' width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}"', start)
    return (
        f'{start} role="img" aria-labelledby="t d"><title id="t">{safe(name)}</title>'
        f'<desc id="d">{safe(description)}</desc><style>{_style()}</style>{body}'
    ).encode()


def _slim(tag: re.Match[str]) -> str:
    """A tag without what Vega repeats on every mark: one name and one description say to people what all of it is."""
    return _DIGITS.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), _REPEATED.sub("", tag[0]))


def _themed(chart: "alt.TopLevelMixin") -> dict[str, object]:
    text = {"font": _FONT, "labelFont": _FONT, "titleFont": _FONT}
    specification: dict[str, object] = chart.to_dict(validate=False)
    specification["background"] = None
    specification.setdefault("padding", _PADDING)
    specification["config"] = {
        "font": _FONT,
        "aria": False,
        "view": {"stroke": None},
        "title": {
            "font": _FONT,
            "fontSize": 14,
            "fontWeight": 600,
            "color": NAME,
            "subtitleFont": _FONT,
            "subtitleFontSize": 11,
            "subtitleColor": NOTE,
            "subtitlePadding": 5,
            "limit": 560,
        },
        "axis": text
        | {
            "labelColor": NOTE,
            "labelFontSize": 11,
            "titleColor": NOTE,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "gridColor": _LINE,
            "domainColor": _AXIS,
            "tickColor": _AXIS,
            "tickSize": 4,
        },
        "legend": text
        | {
            "labelColor": NOTE,
            "labelFontSize": 11,
            "titleColor": NOTE,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "symbolStrokeWidth": 0,
        },
        "text": {"font": _FONT, "fontSize": 12, "fill": INK},
        "bar": {"fill": BAR},
        "rect": {"fill": BAR},
    }
    return specification


def _style() -> str:
    # A style sheet goes before the attributes that Vega writes, so each colour can be given its like.
    dark = "".join(
        f'[fill="{light}"]{{fill:{other}}}[stroke="{light}"]{{stroke:{other}}}' for light, other in _DARK.items()
    )
    return f"text{{font-family:{_FONT}}}@media (prefers-color-scheme:dark){{{dark}}}"

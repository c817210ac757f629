"""A contact sheet of synthetic pictures as one self-contained SVG."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn
from headwater.schema.table import Table
from headwater_server.figures.texts import safe, shorten

__all__ = ["describe_sheet", "draw_sheet"]

_WIDTH = 420
# A file that is opened by itself has the window for itself.
_ALONE = 1050
_MARGIN, _TOP, _LABELS = 14, 54, 56
_MOST_LINES, _MOST_PLACES = 12, 12
# A sheet is a preview: of larger pictures fewer are shown, so that a page stays light.
_MOST_PIXELS = 40_000
_TONES = 32
_LABEL_LENGTH = 8

_STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#3d4f58}
.name{font-size:14px;font-weight:600;fill:#13252d}
.note{font-size:11px;fill:#5b6c74}
.ground{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#b7c6cc}.name{fill:#eef4f6}.note{fill:#93a5ac}.ground{fill:#10191d}}"""


def describe_sheet(table: Table, column: ImageColumn) -> str:
    """The sheet in words, for those who do not see it."""
    classes = _lines(table, column)
    shown = sum(len(rows) for _, rows in classes)
    target = table.schema.target
    by = f", a line for each {target.name}" if target is not None and len(classes) > 1 and classes[0][0] else ""
    mean = table.columns[column.name].mean() / (column.levels - 1)
    return (
        f"{column.name}: the first {shown} of {table.rows:,} synthetic pictures of {column.height} × {column.width} "
        f"pixels{by}; mean level {mean:.0%} of the highest."
    ).replace("%", " %")


def draw_sheet(table: Table, column: ImageColumn, description: str, *, alone: bool = False) -> bytes:
    """Draw the first synthetic pictures, a line for each class of the target where it has few.

    Args:
        table: synthetic rows, at least one. Nothing here may ever see real rows: every figure is published.
        column: an image of the table's schema.
        description: the same in words, kept in the drawing for screen readers.
        alone: whether it is opened by itself, not in a page: then it is larger and brings its own ground.

    Returns:
        SVG 1.1, UTF-8, without script, link or external reference; every text is escaped. Level 0 is dark.
    """
    lines = _lines(table, column)
    left = _MARGIN + (_LABELS if lines[0][0] else 0)
    places = max(len(rows) for _, rows in lines)
    # One pixel of a picture in units of the drawing; pictures stand one pixel apart.
    scale = (_WIDTH - _MARGIN - left) / (places * (column.width + 1))
    height = _TOP + scale * len(lines) * (column.height + 1) + _MARGIN
    shown = _ALONE / _WIDTH if alone else 1.0
    kind = f"image, {column.height} × {column.width} pixels of {column.levels} levels"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'width="{shown * _WIDTH:.0f}" height="{shown * height:.0f}" role="img" aria-labelledby="t d">',
        f'<title id="t">{_safe(column.name, 200)}</title><desc id="d">{_safe(description, 2000)}</desc>',
        f"<style>{_STYLE}</style>",
        *(['<rect class="ground" width="100%" height="100%"/>'] if alone else []),
        f'<text class="name" x="14" y="24">{_safe(column.name, 48)}</text>',
        f'<text class="note" x="14" y="41">{_safe(kind, 80)}</text>',
        *_labels(lines, column, scale),
        f'<g transform="translate({left} {_TOP}) scale({scale:.4f})" shape-rendering="crispEdges">',
        *_pixels(table.columns[column.name], lines, column),
        "</g></svg>",
    ]
    return "\n".join(parts).encode("utf-8")


def _lines(table: Table, column: ImageColumn) -> list[tuple[str, NDArray[np.int64]]]:
    """(label, rows) of each line of the sheet; without labels where there are no classes."""
    target = table.schema.target
    most = max(1, min(_MOST_LINES * _MOST_PLACES, _MOST_PIXELS // column.pixels))
    if isinstance(target, CategoricalColumn | BooleanColumn) and len(target.categories) <= _MOST_LINES:
        codes = table.columns[target.name]
        places = max(1, min(_MOST_PLACES, most // len(target.categories)))
        lines = [(label, np.flatnonzero(codes == code)[:places]) for code, label in enumerate(target.categories)]
        lines = [(label, rows) for label, rows in lines if len(rows)]
        if lines:
            return lines
    rows = np.arange(min(table.rows, most))
    return [("", part) for part in np.split(rows, range(_MOST_PLACES, len(rows), _MOST_PLACES))]


def _labels(lines: list[tuple[str, NDArray[np.int64]]], column: ImageColumn, scale: float) -> Iterator[str]:
    for place, (label, _) in enumerate(lines):
        middle = _TOP + scale * (place * (column.height + 1) + column.height / 2) + 4
        if label:
            yield (
                f'<text x="{_MARGIN + _LABELS - 10}" y="{middle:.1f}" text-anchor="end">'
                f"{_safe(label, _LABEL_LENGTH)}</text>"
            )


def _pixels(pictures: NDArray[np.uint8], lines: list[tuple[str, NDArray[np.int64]]], column: ImageColumn) -> list[str]:
    """One path for each tone, of horizontal runs of pixels."""
    tones = min(column.levels, _TONES)
    runs: list[list[str]] = [[] for _ in range(tones)]
    for line, (_, rows) in enumerate(lines):
        for place, row in enumerate(rows):
            x, y = place * (column.width + 1), line * (column.height + 1)
            tone = pictures[row].astype(np.int64).reshape(column.height, column.width) * tones // column.levels
            for down, levels in enumerate(tone):
                starts = np.flatnonzero(np.diff(levels, prepend=-1))
                for start, end in zip(starts, [*starts[1:], column.width], strict=True):
                    runs[levels[start]].append(f"M{x + start} {y + down}h{end - start}v1h-{end - start}z")
    return [
        f'<path fill="#{_grey(tone, tones):02x}{_grey(tone, tones):02x}{_grey(tone, tones):02x}" d="{"".join(part)}"/>'
        for tone, part in enumerate(runs)
        if part
    ]


def _grey(tone: int, tones: int) -> int:
    return round(255 * tone / (tones - 1))


def _safe(text: str, length: int) -> str:
    return safe(shorten(text, length))

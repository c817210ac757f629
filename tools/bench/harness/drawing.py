"""Pictures of figures by matplotlib, as SVG that is readable on light and on dark pages."""

import contextlib
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot

__all__ = ["GREY", "OURS", "SECOND", "THEIRS", "panels"]

INK, GREY, OURS, SECOND, THEIRS = "#3d4f58", "#8a979d", "#12738a", "#6c5aa8", "#b4581c"
_DARK = {INK: "#c3d0d5", GREY: "#7f9199", OURS: "#4fb3c9", SECOND: "#a99be0", THEIRS: "#e89a5b"}

_SETTINGS: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "headwater",
}


@contextlib.contextmanager
def panels(path: pathlib.Path, title: str, columns: int, rows: int = 1, *, height: float = 2.8) -> Iterator[Any]:
    """Yield axes to draw on, shape (rows, columns); the picture is written when the block ends.

    Args:
        path: of the SVG.
        title: of the picture in words, for screen readers too.
        columns: panels beside each other.
        rows: panels below each other.
        height: of a panel, inches.
    """
    with pyplot.rc_context(_SETTINGS):
        figure, axes = pyplot.subplots(rows, columns, figsize=(3.6 * columns, height * rows), squeeze=False)
        try:
            yield axes
            figure.tight_layout()
            figure.savefig(path, transparent=True, metadata={"Date": None, "Title": title})
        finally:
            pyplot.close(figure)
    _darken(path)


def _darken(path: pathlib.Path) -> None:
    rules = "".join(
        f'[style*="fill: {light}"]{{fill:{dark}!important}}[style*="stroke: {light}"]{{stroke:{dark}!important}}'
        for light, dark in _DARK.items()
    )
    text = path.read_text(encoding="utf-8")
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    path.write_text(re.sub(r"(<svg [^>]*>)", lambda found: found[1] + style, text, count=1), encoding="utf-8")

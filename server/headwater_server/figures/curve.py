"""A sample-size curve as a plot: what a model is worth that learned from so many synthetic rows."""

from collections.abc import Sequence
from pathlib import Path

from headwater.evaluation.curve import CurvePoint
from headwater_server.figures.texts import shorten

__all__ = ["draw_curve"]

_LINE, _REAL = "#0b6e69", "#8a5a00"


def draw_curve(
    points: Sequence[CurvePoint], path: Path, *, target: str, subtitle: str, real: tuple[float, int] | None = None
) -> None:
    """Draw AUC against rows, on a logarithmic axis.

    Args:
        points: ascending, at least one.
        path: SVG to write.
        target: the column that LightGBM predicts.
        subtitle: whose synthetic rows it learns from, and which real rows test it.
        real: AUC of LightGBM that learned from the real training rows, and how many they are: a line to compare with.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    rows = [point.rows for point in points]
    areas = [point.gbm for point in points]
    axes.plot(rows, areas, color=_LINE, linewidth=1.5, marker="o", markersize=4, label="learned from synthetic rows")
    for place, area in zip(rows, areas, strict=True):
        # Below and to the right: a curve that rises runs on above.
        axes.annotate(f"{area:.3f}", (place, area), textcoords="offset points", xytext=(5, -11), fontsize=8)
    if real is not None:
        area, learned_from = real
        label = f"learned from the {learned_from:,} real training rows: {area:.3f}"
        axes.axhline(area, color=_REAL, linewidth=1.0, linestyle="--", label=label)
    figure.legend(frameon=False, fontsize=8, loc="outside lower left", ncols=2)
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{number:,}" for number in rows])
    axes.minorticks_off()
    axes.margins(x=0.08, y=0.2)
    axes.set(xlabel="synthetic rows that LightGBM learned from", ylabel="ROC AUC")
    axes.set_title(_plain(subtitle, 110), fontsize=8, loc="left")
    figure.suptitle(_plain(f"What LightGBM is worth at predicting {target!r}", 70), x=0.01, ha="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _plain(text: str, length: int) -> str:
    # A column's name is anybody's: what matplotlib would read as a formula is written as it stands.
    return shorten(text, length).replace("$", r"\$")

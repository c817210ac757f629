"""A sample-size curve as a plot: what a model is worth that learned from so many synthetic rows."""

from collections.abc import Sequence
from pathlib import Path

from headwater.evaluation.curve import CurvePoint

__all__ = ["draw_curve"]

_LINE, _REAL = "#0b6e69", "#8a5a00"


def draw_curve(points: Sequence[CurvePoint], path: Path, *, real: float | None = None) -> None:
    """Draw AUC against rows, on a logarithmic axis.

    Args:
        points: ascending, at least one.
        path: SVG to write.
        real: AUC of the same model on the real training rows, a line to compare with.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    rows = [point.rows for point in points]
    areas = [point.gbm for point in points]
    axes.plot(rows, areas, color=_LINE, linewidth=1.5, marker="o", markersize=4, label="synthetic rows")
    for place, area in zip(rows, areas, strict=True):
        axes.annotate(f"{area:.3f}", (place, area), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=8)
    if real is not None:
        axes.axhline(real, color=_REAL, linewidth=1.0, linestyle="--", label=f"real training rows, {real:.3f}")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{number:,}" for number in rows])
    axes.minorticks_off()
    axes.margins(y=0.2)
    axes.set(title="A model tested on real rows", xlabel="synthetic rows learned from", ylabel="ROC AUC")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    figure.savefig(path, format="svg", metadata={"Date": None})

"""A mixture's climb as a plot: how likely the rows became, and what the likelihood attack made of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_attack", "draw_climb", "draw_densities"]

Record = Mapping[str, object]

_TRAIN, _VALIDATION, _REFUSED = "#0b6e69", "#8a5a00", "#b3261e"


def draw_climb(records: Sequence[Record], path: Path) -> None:
    """Draw log-densities and the attack's AUC by round; nothing is drawn where there is no round.

    Args:
        records: of kind "expectation" in a recipe's history, in order.
        path: SVG to write.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    if not records:
        return
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    likelihood, attack = figure.subplots(1, 2)
    draw_densities(likelihood, records)
    draw_attack(attack, records)
    figure.savefig(path, format="svg", metadata={"Date": None})


def draw_densities(axes: "Axes", records: Sequence[Record]) -> None:
    """Mean log-density of training and validation rows, by round."""
    rounds = list(range(1, len(records) + 1))
    for name, label, color in (
        ("log_density", "training rows", _TRAIN),
        ("validation_log_density", "validation rows", _VALIDATION),
    ):
        axes.plot(rounds, [_number(record, name) for record in records], color=color, linewidth=1.5, label=label)
    axes.set_title("Climb of the mixture: mean log-density", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)
    _finish(axes)


def draw_attack(axes: "Axes", records: Sequence[Record]) -> None:
    """The likelihood attack's AUC by round; each rung's end says its components, red where it was not taken."""
    rounds = list(range(1, len(records) + 1))
    axes.plot(rounds, [_number(record, "attack_auc") for record in records], color=_TRAIN, linewidth=1.5)
    for number, record in zip(rounds, records, strict=True):
        if "passed" in record:
            color = _TRAIN if record["passed"] else _REFUSED
            axes.scatter([number], [_number(record, "attack_auc")], color=color, zorder=3)
            axes.annotate(
                f"{record['components']}", (number, _number(record, "attack_auc")), textcoords="offset points",
                xytext=(0, 6), ha="center", fontsize=8, color=color,
            )  # fmt: skip
    axes.set_title("Likelihood attack, AUC; components; red: not taken", fontsize=10, loc="left")
    axes.axhline(0.5, color="#888888", linewidth=0.8, linestyle=":")
    axes.margins(y=0.15)
    _finish(axes)


def _finish(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("round of expectation", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _number(record: Record, name: str) -> float:
    return float(str(record[name]))

"""A mixture's climb as a plot: how likely the rows became, and what the likelihood attack made of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["draw_climb"]

_TRAIN, _VALIDATION, _REFUSED = "#0b6e69", "#8a5a00", "#b3261e"


def draw_climb(records: Sequence[Mapping[str, object]], path: Path) -> None:
    """Draw log-densities and the attack's AUC by round; nothing is drawn where there is no round.

    Args:
        records: of kind "expectation" in a recipe's history, in order.
        path: SVG to write.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not records:
        return
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    likelihood, attack = figure.subplots(1, 2)
    rounds = list(range(1, len(records) + 1))
    for name, label, color in (
        ("log_density", "training rows", _TRAIN),
        ("validation_log_density", "validation rows", _VALIDATION),
    ):
        likelihood.plot(rounds, [_number(record, name) for record in records], color=color, linewidth=1.5, label=label)
    likelihood.set(title="Mean log-density", xlabel="round of expectation")
    likelihood.legend(frameon=False, fontsize=8)
    attack.plot(rounds, [_number(record, "attack_auc") for record in records], color=_TRAIN, linewidth=1.5)
    for number, record in zip(rounds, records, strict=True):
        if "passed" in record:
            color = _TRAIN if record["passed"] else _REFUSED
            attack.scatter([number], [_number(record, "attack_auc")], color=color, zorder=3)
            attack.annotate(
                f"{record['components']}", (number, _number(record, "attack_auc")), textcoords="offset points",
                xytext=(0, 6), ha="center", fontsize=8, color=color,
            )  # fmt: skip
    attack.set(title="Likelihood attack, AUC; components; red: not taken", xlabel="round of expectation")
    attack.axhline(0.5, color="#888888", linewidth=0.8, linestyle=":")
    for axes in (likelihood, attack):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _number(record: Mapping[str, object], name: str) -> float:
    return float(str(record[name]))

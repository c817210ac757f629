"""A mixture's climb as a plot: how likely the rows became, and what the likelihood attack made of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.mixture.tilting import is_tilt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_attack", "draw_climb", "draw_densities"]

Record = Mapping[str, Any]

_TRAIN, _VALIDATION, _REFUSED, _GREY = "#0b6e69", "#8a5a00", "#b3261e", "#777777"
# A tilt is one round, and its label is as wide as many: tilts stand this share of the climb apart.
_TILT_GAP = 0.09
_LABEL_HEIGHTS = (7, 17, 27)


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
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    FigureCanvasSVG(figure)
    likelihood, attack = figure.subplots(1, 2)
    draw_densities(likelihood, records)
    draw_attack(attack, records)
    figure.savefig(path, format="svg", metadata={"Date": None})


def draw_densities(axes: "Axes", records: Sequence[Record]) -> None:
    """Mean log-density of training and validation rows: a line through the climb's rounds, a diamond for each tilt."""
    places = _places(records)
    tilts = any(is_tilt(record) for record in records)
    for name, label, color, style in (
        ("log_density", "training rows", _TRAIN, "-"),
        ("validation_log_density", "validation rows", _VALIDATION, "--"),
    ):
        climbed = [(place, record[name]) for place, record in places if not is_tilt(record)]
        tilted = [(place, record[name]) for place, record in places if is_tilt(record)]
        axes.plot(*zip(*climbed, strict=True), color=color, linewidth=1.5, linestyle=style, label=label)
        if tilted:
            axes.plot(*zip(*tilted, strict=True), color=color, linestyle="", marker="D", markersize=4, zorder=3)
    axes.set_title("Climb of the mixture: mean log-density", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="lower center" if tilts else "lower right")
    _finish(axes, places)


def draw_attack(axes: "Axes", records: Sequence[Record]) -> None:
    """The likelihood attack's AUC by round, with the plan's limit.

    The end of a rung, and each tilt, has a mark with its components and one standard error above it, which counts
    against the limit; red where it did not stay within.
    """
    places = _places(records)
    climbed = [(place, record["attack_auc"]) for place, record in places if not is_tilt(record)]
    axes.plot(*zip(*climbed, strict=True), color=_TRAIN, linewidth=1.5)
    span = places[-1][0] - places[0][0]
    last, height = None, 0
    for place, record in places:
        if "passed" not in record:
            continue
        auc, error = record["attack_auc"], record.get("attack_error", 0.0)
        color = _TRAIN if record["passed"] else _REFUSED
        axes.scatter([place], [auc], color=color, marker="D" if is_tilt(record) else "o", s=28, zorder=3)
        axes.plot([place, place], [auc, auc + error], color=color, linewidth=1.2, marker="_", markevery=[1], zorder=3)
        # Rungs of a small table end within a few rounds: their labels take turns in height.
        near = last is not None and place - last < 0.07 * span
        height = (height + 1) % len(_LABEL_HEIGHTS) if near else 0
        axes.annotate(
            f"{record['components']}", (place, auc + error), textcoords="offset points",
            xytext=(0, _LABEL_HEIGHTS[height]), ha="center", fontsize=8, color=color,
        )  # fmt: skip
        last = place
    axes.axhline(0.5, color=_GREY, linewidth=0.8, linestyle=":")
    # On the right: rounds near chance are the first.
    _name_line(axes, 0.5, "chance", _GREY, left=False)
    limits = {float(record["attack_limit"]) for record in records if "attack_limit" in record}
    for limit in limits:
        axes.axhline(limit, color=_REFUSED, linewidth=1.0, linestyle="--")
        _name_line(axes, limit, f"limit {limit:g}", _REFUSED)
    axes.set_title("Attack on training rows: AUC (bar: + standard error); components", fontsize=10, loc="left")
    axes.margins(y=0.2)
    _finish(axes, places)


def _name_line(axes: "Axes", height: float, name: str, color: str, *, left: bool = True) -> None:
    axes.annotate(
        name, (0 if left else 1, height), xycoords=("axes fraction", "data"), textcoords="offset points",
        xytext=(3 if left else -3, 3), ha="left" if left else "right", fontsize=8, color=color,
    )  # fmt: skip


def _places(records: Sequence[Record]) -> list[tuple[float, Record]]:
    """Where each round stands: a climb's rounds one apart from 1, tilts after them as far apart as labels need."""
    rounds = sum(not is_tilt(record) for record in records)
    gap = max(1.0, _TILT_GAP * rounds)
    places: list[tuple[float, Record]] = []
    place = 0.0
    for record in records:
        place += gap if is_tilt(record) else 1.0
        places.append((place, record))
    return places


def _finish(axes: "Axes", places: Sequence[tuple[float, Record]]) -> None:
    from matplotlib.ticker import MaxNLocator

    climbed = [place for place, record in places if not is_tilt(record)]
    tilts = [(place, record) for place, record in places if is_tilt(record)]
    axes.set_xlim(places[0][0] - 0.03 * places[-1][0] - 0.2, places[-1][0] + 0.04 * places[-1][0] + 0.2)
    rounds = {round(tick) for tick in MaxNLocator(integer=True, nbins=6).tick_values(1, climbed[-1])}
    shown = sorted(tick for tick in rounds if 1 <= tick <= climbed[-1])
    ticks = [float(tick) for tick in shown] + [place for place, _ in tilts]
    axes.set_xticks(ticks, [str(tick) for tick in shown] + [f"±{record['tolerance']:g}" for _, record in tilts])
    words = "round of expectation"
    if tilts:
        axes.axvline((climbed[-1] + tilts[0][0]) / 2, color=_GREY, linewidth=0.8)
        words += "; right of the line: tilts,\npairs within ± so many standard deviations of their counts"
    axes.set_xlabel(words, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)

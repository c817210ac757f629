"""A run's training rounds as a plot that a person can read: how good, how varied, how large, and what was not taken."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.recipe.health import REFUSING
from headwater_server.figures.climb import draw_attack, draw_climb, draw_densities
from headwater_server.figures.noisy_counts import draw_noisy_counts
from headwater_server.runs.private_words import is_noisy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_health"]

Record = Mapping[str, Any]
Points = Sequence[tuple[int, float]]
Panel = Callable[["Axes", Sequence[Record], Mapping[int, Record]], None]

_TITLE: Any = {"fontsize": 10, "loc": "left"}
_ENDINGS = {
    "base": "ended on its base",
    "checkpoint": "ended on its last model taken",
    "rung": "its climb ended on the rung that stood",
}
_TAKEN, _REFUSED, _OTHER, _THIRD, _GREY = "#0b6e69", "#b3261e", "#8a5a00", "#4a5fa5", "#666666"
# Lines of one panel differ in more than colour.
_FIRST_LINE, _SECOND_LINE, _THIRD_LINE = ("-", "o"), ("--", "s"), ("-.", "^")


def draw_health(records: Sequence[Record], path: Path) -> None:
    """Draw a run's history; nothing is drawn before there is a model.

    Panels, as far as the run has what they show: distance from the summed marginals, variety of draws, their repeats
    and distance by columns, the mean update's norm and direction, the critic; then the mixture's climb. A dotted red
    line stands where a round was not taken. A run under a privacy budget has a picture of its own: what was counted,
    beside the noise.

    Args:
        records: a recipe's history, in order.
        path: SVG to write.
    """
    if any(is_noisy(record) for record in records):
        draw_noisy_counts(records, path)
        return
    models = [record for record in records if record.get("kind") in ("fit", "refine", "merge")]
    climb = [record for record in records if record.get("kind") == "expectation" and record.get("accepted", True)]
    if not models:
        draw_climb(climb, path)
        return
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    sums = _sums_by_round(records)
    drawn = [_distance, _variety, _repeats, *([_norms] if _known(sums, "update_norm") else [])]
    drawn += [_critics] if _of_critics(models) else []
    panels: list[Callable[[Axes], None]] = [functools.partial(_trained, panel, models, sums) for panel in drawn]
    if climb:
        panels += [functools.partial(draw_densities, records=climb), functools.partial(draw_attack, records=climb)]
    lines = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(10.5, 3.7 * lines + 0.3), layout="constrained")
    FigureCanvasSVG(figure)
    places = figure.subplots(lines, 2, squeeze=False).reshape(-1)
    for axes, panel in zip(places, panels, strict=False):
        panel(axes)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(_summary(records, models), x=0.01, ha="left", fontsize=10)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _trained(panel: "Panel", models: Sequence[Record], sums: Mapping[int, Record], axes: "Axes") -> None:
    """One panel over training rounds, with what all of them share."""
    from matplotlib.ticker import MaxNLocator

    panel(axes, models, sums)
    for record in models:
        if _refused(record):
            axes.axvline(_round(record), color=_REFUSED, linewidth=1, linestyle=":", zorder=0)
    axes.set_xlabel("training round (0: the model before)", fontsize=8)
    axes.set_xlim(-0.3, max(1, *(_round(record) for record in models)) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _distance(axes: "Axes", models: Sequence[Record], sums: Mapping[int, Record]) -> None:
    """Marginal loss: a line through what was taken, a red ring where a round was not."""
    del sums
    points = _series(models, lambda record: record.get("marginal_loss"))
    refused = {_round(record) for record in models if _refused(record)}
    kept = [(place, value) for place, value in points if place not in refused]
    _line(axes, kept, "taken", _TAKEN)
    # A refused round may be a hundred times as far: the scale is that of what was taken.
    top = 1.4 * _largest(kept) or 1.0
    for place, value in points:
        if place in refused:
            axes.scatter([place], [min(value, 0.95 * top)], s=45, facecolors="none", edgecolors=_REFUSED, zorder=3)
            axes.annotate(
                f"{value:.3g}", (place, min(value, 0.95 * top)), textcoords="offset points", xytext=(-5, -3),
                ha="right", fontsize=8, color=_REFUSED,
            )  # fmt: skip
    axes.set_title("Distance from the summed marginals (red ring: not taken)", **_TITLE)
    axes.set_ylim(0, top)


def _variety(axes: "Axes", models: Sequence[Record], sums: Mapping[int, Record]) -> None:
    """Entropy beside the marginals', and how far draws lie apart; both from 0 to about 1."""
    del sums
    for name, label, color, style in (
        ("entropy_ratio", "least entropy of a column / marginal's", _TAKEN, _FIRST_LINE),
        ("nearest_distance", "distance of nearest draws", _THIRD, _SECOND_LINE),
    ):
        _line(axes, _series(models, functools.partial(_sign, name=name)), label, color, style)
    axes.set_title("Variety of 2,000 draws: falls when they collapse", **_TITLE)
    axes.set_ylim(0, 1.1)
    _legend(axes)


def _repeats(axes: "Axes", models: Sequence[Record], sums: Mapping[int, Record]) -> None:
    """Repeated draws and the 1-way distance: near 0 in a good run, so on a scale of their own."""
    del sums
    top = 0.0
    for name, label, color, style in (
        ("duplicates", "share of repeated draws", _OTHER, _FIRST_LINE),
        ("tvd1", "1-way TVD from the counts", _GREY, _SECOND_LINE),
    ):
        points = _series(models, functools.partial(_sign, name=name))
        top = max([top, *(value for _, value in points if math.isfinite(value))])
        _line(axes, points, label, color, style)
    axes.set_title("Repeats and distance of 2,000 draws: less is better", **_TITLE)
    axes.set_ylim(0, max(1.15 * top, 0.01))
    _legend(axes)


def _norms(axes: "Axes", models: Sequence[Record], sums: Mapping[int, Record]) -> None:
    """Norm of the mean update, its cosine with the one before, and drift, where an update was summed."""
    del models
    norms = _known(sums, "update_norm")
    _line(axes, norms, "norm (left)", _TAKEN)
    axes.set_title("The mean update", **_TITLE)
    axes.set_ylim(0, 1.15 * _largest(norms) or 1.0)
    right = axes.twinx()
    for name, label, color, style in (
        ("cosine", "cosine with the one before (right)", _OTHER, _SECOND_LINE),
        ("drift", "drift (right)", _THIRD, _THIRD_LINE),
    ):
        _line(right, _known(sums, name), label, color, style)
    right.set_ylim(-1.05, 1.05)
    right.tick_params(labelsize=8)
    right.spines[["top"]].set_visible(False)
    _legend(axes, right)


def _critics(axes: "Axes", models: Sequence[Record], sums: Mapping[int, Record]) -> None:
    """Whether the critic still teaches the generator, and whether the noise still moves its draws."""
    del sums
    usual, effect = _of_critics(models) or ([], [])
    for points, label, color, style in (
        (usual, "gradient at the draws / first", _OTHER, _FIRST_LINE),
        (effect, "effect of the noise / first", _GREY, _SECOND_LINE),
    ):
        first = next((value for _, value in points if value > 0), 1.0)
        _line(axes, [(place, value / first) for place, value in points], label, color, style)
    axes.set_title("The critic's gradient, and the noise's effect", **_TITLE)
    axes.set_ylim(bottom=0)
    _legend(axes)


def _of_critics(models: Sequence[Record]) -> tuple[Points, Points] | None:
    """What is known of the gradient at the draws and of the noise's effect; None where nothing is."""
    known = (
        _series(models, lambda record: _sign(record, "gradient_norm")),
        _series(models, lambda record: _sign(record, "latent_sensitivity")),
    )
    return known if any(known) else None


def _legend(axes: "Axes", *more: "Axes") -> None:
    """Below the panel, where it hides no line."""
    lines = [line for each in (axes, *more) for line in each.get_lines() if not str(line.get_label()).startswith("_")]
    axes.legend(
        lines, [str(line.get_label()) for line in lines], frameon=False, fontsize=8, ncols=2, loc="upper left",
        bbox_to_anchor=(-0.02, -0.17),
    )  # fmt: skip


def _line(axes: "Axes", points: Points, label: str, color: str, style: tuple[str, str] = _FIRST_LINE) -> None:
    line, marker = style
    known = [(place, value) for place, value in points if math.isfinite(value)]
    if known:
        axes.plot(
            *zip(*known, strict=True), color=color, label=label, linewidth=1.5, linestyle=line, marker=marker,
            markersize=3.5,
        )  # fmt: skip


def _largest(points: Points) -> float:
    """The largest finite value; 0 where there is none."""
    return max((value for _, value in points if math.isfinite(value)), default=0.0)


def _series(models: Sequence[Record], value: Callable[[Record], object]) -> list[tuple[int, float]]:
    found = [(_round(record), value(record)) for record in models]
    return [(place, float(each)) for place, each in found if isinstance(each, int | float)]


def _sign(record: Record, name: str) -> object:
    health = record.get("health")
    return health.get(name) if isinstance(health, Mapping) else None


def _sums_by_round(records: Sequence[Record]) -> dict[int, Record]:
    """The record of each training round's sum, by the round's number."""
    updates = [record for record in records if record.get("kind") == "update"]
    return dict(enumerate(updates, start=1))


def _known(sums: Mapping[int, Record], name: str) -> list[tuple[int, float]]:
    return [(place, float(record[name])) for place, record in sums.items() if name in record]


def _round(record: Record) -> int:
    return int(record.get("round", 0))


def _refused(record: Record) -> bool:
    return record.get("kind") == "merge" and not record.get("accepted", True)


def _summary(records: Sequence[Record], models: Sequence[Record]) -> str:
    rounds = [record for record in models if record.get("kind") == "merge"]
    refused = [record for record in rounds if _refused(record)]
    said = f"{len(rounds)} training rounds, {len(rounds) - len(refused)} taken"
    if refused:
        # A round has flags that alone would not keep it from being taken.
        flags = sorted({flag for record in refused for flag in record.get("flags", ()) if flag in REFUSING})
        said += f"; not taken (dotted red): {', '.join(str(_round(record)) for record in refused)}"
        said += f" ({', '.join(flags)})" if flags else ""
    said += "".join(f"; {_ENDINGS[str(record['on'])]}" for record in records if record.get("kind") == "ended")
    judged = [record for record in records if record.get("kind") == "judge" and not record.get("again")]
    if judged:
        last = judged[-1]
        trained = f"round {last['round']}" if "round" in last else "it"
        said += f"; {trained} is released" if last["accepted"] else "; the base is released"
    return said

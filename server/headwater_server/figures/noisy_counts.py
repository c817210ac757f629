"""A run under a privacy budget as a plot: what tables hold beside their noise, and what each round spent."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater_server.cost_words import step_in_words
from headwater_server.runs.private_words import is_noisy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_noisy_counts"]

Record = Mapping[str, Any]

_TITLE: Any = {"fontsize": 10, "loc": "left"}
_HELD, _NOISE, _SPENT = "#0b6e69", "#b3261e", "#4a5fa5"
_HEIGHT = 0.36
_LETTERS = 34


def draw_noisy_counts(records: Sequence[Record], path: Path) -> None:
    """Draw the noisy counts of a run's history; nothing is drawn before the first.

    Left, on a scale of powers of ten, what a cell of each round's tables holds on average beside the standard deviation
    of its noise; right the share of each round in what the counts spent (ρ).

    Args:
        records: a recipe's history, in order.
        path: SVG to write.
    """
    counts = [record for record in records if is_noisy(record)]
    if not counts:
        return
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 1.9 + 0.7 * len(counts)), layout="constrained")
    FigureCanvasSVG(figure)
    noise, budget = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_noise(noise, counts)
    _draw_shares(budget, counts)
    figure.suptitle(_summary(records, counts), x=0.01, ha="left", fontsize=10)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_noise(axes: "Axes", counts: Sequence[Record]) -> None:
    """Two bars a round: an average cell's rows, and the noise on it."""
    places = range(len(counts))
    held = [max(float(record["rows"]) * record["tables"] / record["cells"], 0.1) for record in counts]
    noise = [float(record["deviation"]) for record in counts]
    for values, shift, color, label in (
        (held, -_HEIGHT / 2, _HELD, "rows in an average cell"),
        (noise, _HEIGHT / 2, _NOISE, "noise on it (σ)"),
    ):
        bars = axes.barh([place + shift for place in places], values, _HEIGHT, color=color, label=label)
        axes.bar_label(bars, [_number(value) for value in values], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_xlim(min([*held, *noise]) / 3, max([*held, *noise]) * 4)
    axes.set_title("What the tables hold beside their noise, in rows", **_TITLE)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper left", bbox_to_anchor=(-0.02, -0.12))
    _finish(axes, [_name(number, record) for number, record in enumerate(counts, start=1)])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _draw_shares(axes: "Axes", counts: Sequence[Record]) -> None:
    # ρ of a round is sensitivity² / 2σ²; what the rounds have in common falls out of their shares.
    parts = [record["tables"] / record["deviation"] ** 2 for record in counts]
    shares = [part / sum(parts) for part in parts]
    bars = axes.barh(range(len(counts)), shares, _HEIGHT, color=_SPENT)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=8)
    axes.set_xlim(0, 1.15)
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_title("Share of what the counts spent", **_TITLE)
    _finish(axes, ["" for _ in counts])


def _finish(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)


def _name(number: int, record: Record) -> str:
    return f"{number}: " + "\n".join(textwrap.wrap(step_in_words(record["counted"]), _LETTERS))


def _summary(records: Sequence[Record], counts: Sequence[Record]) -> str:
    last = counts[-1]
    said = f"{len(counts)} noisy sums of {last['contributors']} organisations, about {last['rows']:,} training rows"
    fits = [record for record in records if record.get("kind") == "fitted"]
    return said + (
        f"; fitted, misfit {fits[-1]['misfit']:.2f} (about 1: as near to the counts as noise allows)" if fits else ""
    )

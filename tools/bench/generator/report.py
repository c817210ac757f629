"""The benchmark's rows as tables."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from generator.anchors import ADULT, ANCHOR_SOURCE
from generator.datasets import DATASETS
from generator.figures import BETTER, Measured, compare, grown, mean_of, spread_of
from generator.numbers import verdicts
from generator.pictures import GROWTH, HYBRID, QUALITY
from generator.rows import GROWN
from harness.tables import mebibytes, seconds, table, values, verdict_table

__all__ = ["cell", "describe", "failures", "three"]

_JUDGED = ("gbm", "lr", "tvd1", "tvd2", "c2st", "attack", "attack_validation", "nearest")
_HEAD = (
    "GBM AUC",
    "LR AUC",
    "TVD-1",
    "TVD-2",
    "C2ST AUC",
    "attack",
    "attack, validation",
    "nearest",
    "taken",
    "CPU s",
    "MB up",
)
_CRITIC = ("critic_of_base", "critic_of_best")
_TITLES = {"fedavg": "plain FedAvg of GANs", "refined": "hybrid, released however little is gained"}
_PARTITIONS = {"iid": "IID", "label": "label Dirichlet(.5)", "natural": "natural", "fifty": "50 organisations, IID"}


def describe(document: Mapping[str, Any]) -> str:
    """All tables and pictures, one behind the other, as Markdown.

    Args:
        document: machine, rows, wall seconds.
    """
    measured: Measured = document["rows"]
    seeds = max((len(figures) for figures in measured.values()), default=0)
    parts = [
        f"{document['machine']}. Five organisations where nothing else is said; means of up to {seeds} seeds, in "
        "brackets largest less smallest. CPU seconds are those of all parties together.",
        *(text for text in (_quality(measured, name) for name in DATASETS) if text),
        failures(measured),
        _digits(measured),
        _one_of_many(measured),
        _against_base(measured),
        _costs(measured),
        _growth(measured),
        "#### Numbers to reach\n\n" + verdict_table(verdicts(measured)),
    ]
    return "\n\n".join(part for part in parts if part)


def _quality(measured: Measured, name: str) -> str:
    lines: list[Sequence[str]] = []
    for row in measured:
        recipe, _, how = row.removeprefix(f"{name}-").partition("-")
        if row.startswith(f"{name}-") and how in _PARTITIONS:
            title = _TITLES.get(recipe, recipe)
            lines.append((f"{title}, {_PARTITIONS[how]}", *_cells(measured, row)))
    if not lines:
        return ""
    real = (*(cell(measured, f"{name}-real", figure) for figure in _JUDGED), *("–",) * 3)
    text = f"#### {DATASETS[name].title}\n\n" + table(
        ("recipe, partition", *_HEAD), [*lines, ("real rows (ceiling; floor of TVD)", *real)]
    )
    if name != "adult":
        return text
    peers = [(peer.name, *(three(value) for value in (peer.gbm, peer.lr, peer.tvd1, peer.tvd2, peer.c2st)), *("–",) * 6)
             for peer in ADULT]  # fmt: skip
    return (
        text.rstrip()
        + "\n"
        + "\n".join("| " + " | ".join(("pooled: " + line[0], *line[1:])) + " |" for line in peers)
        + f"\n\nPooled: {ANCHOR_SOURCE}\n\n![Usefulness of synthetic rows on Adult beside peers]({QUALITY})"
    )


def _cells(measured: Measured, row: str) -> list[str]:
    seeds = measured[row]
    taken = [f"{figures['taken']}/{figures['rounds']}" for figures in seeds if figures.get("rounds")]
    up = mean_of(measured, row, "bytes_up")
    return [
        *(cell(measured, row, figure) for figure in _JUDGED),
        ", ".join(taken) or "–",
        cell(measured, row, "fit_seconds", lambda value: f"{value:,.0f}"),
        "–" if up is None or math.isnan(up) else f"{up / 1e6:,.0f}",
    ]


def three(value: float | None) -> str:
    """A figure between 0 and 1 with three decimals and no zero before the point."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def cell(measured: Measured, row: str, figure: str, write: Callable[[float], str] = three) -> str:
    """A figure's mean over seeds and, in brackets, its spread; a dash where the row has none."""
    mean, spread = mean_of(measured, row, figure), spread_of(measured, row, figure)
    if mean is None or math.isnan(mean):
        return "–"
    return write(mean) if spread is None else f"{write(mean)} ({write(spread)})"


def failures(measured: Measured) -> str:
    """A line for each seed that came to nothing."""
    lines = [
        f"- **{row} FAILED**: {figures['failed']}"
        for row, seeds in measured.items()
        for figures in seeds
        if "failed" in figures
    ]
    return "\n".join(lines)


def _one_of_many(measured: Measured) -> str:
    row = "adult-one-of-fifty"
    if row not in measured:
        return ""
    figures = ("gbm", "lr", "tvd1", "tvd2", "c2st")
    lines = [
        (words, *(cell(measured, row, f"{whose}.{figure}") for figure in figures))
        for whose, words in (("real", "real rows of one of fifty organisations"), ("own", "its own generator alone"))
    ]
    for kind in ("mixture", "hybrid"):
        if f"adult-{kind}-fifty" in measured:
            cells = (cell(measured, f"adult-{kind}-fifty", figure) for figure in figures)
            lines.append((f"{kind} of the fifty together", *cells))
    return "#### One organisation of fifty\n\n" + table(("Adult", *_HEAD[:5]), lines)


def _against_base(measured: Measured) -> str:
    lines = []
    for name, dataset in DATASETS.items():
        for row, words in ((f"{name}-hybrid-iid", ""), (f"{name}-refined-iid", ", however little is gained")):
            for figure in BETTER:
                found = compare(measured, row, f"{name}-mixture-iid", figure)
                if found is not None:
                    spread = "–" if found.spread is None else f"{found.spread:.4f}"
                    lines.append((f"{dataset.title}{words}: {figure}", f"{found.gain:+.4f}", spread, found.words))
    if not lines:
        return ""
    head = ("hybrid beside its base, the mixture", "better by", "spread", "verdict")
    return (
        "#### Does adversarial training earn its place?\n\n"
        + table(head, lines)
        + _released(measured)
        + f"\n\n![Hybrid beside its base, table by table]({HYBRID})"
    )


def _released(measured: Measured) -> str:
    """What each hybrid released, seed by seed, and what the run's own critic said of it."""
    lines = [
        (row, _counted([one["released"] for one in seeds]), *(cell(measured, row, figure) for figure in _CRITIC))
        for row, seeds in measured.items()
        if seeds and all("released" in one for one in seeds)
    ]
    head = ("row", "released, in so many of the seeds", "critic's AUC on the base's draws", "on the best other draws")
    return "\n\n" + table(head, lines) if lines else ""


def _counted(words: Sequence[str]) -> str:
    """Each different word once, and how many there were of it."""
    return "; ".join(f"{word} ({count})" for word, count in Counter(words).items())


def _costs(measured: Measured) -> str:
    lines: list[Sequence[str]] = []
    for kind in ("mixture", "hybrid", "refined", "marginals"):
        rate = mean_of(measured, f"sampling-{kind}", "rows_per_second")
        if rate is not None:
            lines.append((f"rows sampled a CPU second, {kind}", f"{rate:,.0f}"))
    peer = measured.get("ctgan", ())
    for figures in peer:
        if "failed" not in figures:
            lines.append(("rows sampled a CPU second, CTGAN", f"{figures['rows_per_second']:,.0f}"))
            lines.append(
                (
                    "encoder's fit / transform, CTGAN, on all cores",
                    f"{figures['fit_wall_seconds']:.2f} / {figures['transform_wall_seconds']:.2f} s",
                )
            )
            lines.append((f"a training step of {figures['batch']} rows, CTGAN", _ms(figures["step_seconds"])))
    for figures in measured.get("encoder", ()):
        if "failed" not in figures:
            both = f"{figures['fit_wall_seconds']:.3f} / {figures['transform_wall_seconds']:.3f} s"
            lines.append((f"encoder's fit / transform, {figures['rows']:,} rows, on one core", both))
    for row, words in (("adult-adversarial-iid", "adversarial"), ("adult-hybrid-iid", "hybrid")):
        step = mean_of(measured, row, "step_seconds")
        if step is not None and not math.isnan(step):
            batch = measured[row][0]["batch"]
            lines.append((f"a training step of {batch} rows, {words}", _ms(step)))
    for figures in measured.get("diabetes130-memory", ()):
        if "failed" not in figures:
            size = f"{figures['rows']:,} × {figures['columns']}"
            lines.append((f"peak memory of a fit on {size}", f"{figures['peak_bytes'] / 1e9:.2f} GB"))
    return "#### Costs\n\n" + table(("Adult, one core", "measured"), lines) if lines else ""


def _ms(took: float) -> str:
    return f"{took * 1e3:.1f} ms"


_STEPS = ("histograms", "fit", "encode", "decode", "marginals", "expectation", "sample")


def _growth(measured: Measured) -> str:
    lines = []
    for rows, columns in GROWN:
        figures = grown(measured, rows, columns)
        if figures is not None:
            costs = (seconds(figures[step]) for step in _STEPS)
            lines.append((f"{values(rows)} × {columns}", *costs, mebibytes(figures["peak_bytes"])))
    if not lines:
        return ""
    head = ("rows × columns", *_STEPS, "peak memory")
    return (
        "#### Growth\n\nCPU seconds of each step on one core, once; `sample` draws as many rows as the table has, 10^5 "
        f"at most.\n\n{table(head, lines)}\n\n![What the steps of a run cost as rows and columns grow]({GROWTH})"
    )


def _digits(measured: Measured) -> str:
    if mean_of(measured, "digits", "accuracy") is None:
        return ""
    lines = [
        ("synthetic digits, made together", cell(measured, "digits", "accuracy")),
        ("real digits, pooled", cell(measured, "digits", "real")),
        ("real digits of one organisation, mean", cell(measured, "digits", "alone")),
    ]
    return "#### Digits\n\n" + table(("trained on, label Dirichlet(.5)", "accuracy on real digits"), lines)

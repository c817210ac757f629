"""The benchmark's rows as tables."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from audit.numbers import verdicts
from audit.rows import LAW_WORDS, PEERS, SHARE, WHAT_WORDS, name_of
from generator.figures import Measured, mean_of
from generator.report import cell, failures
from harness.tables import table, verdict_table

__all__ = ["describe"]

_MILLION = "adult-audit-1000000"
_FIGURES = ("membership.nearest", "membership.domias-1", "linkability", "inference [occupation]", "copies.near")
_LONGEST_CHECKS = 8
# The check that first measures distances pays for all that use them.
_KIN = {"sdmetrics": ("membership.nearest", "copies.near"), "anonymeter": ("linkability",)}
"""Our checks that do what a peer does."""


def describe(document: Mapping[str, Any]) -> str:
    """All tables, one behind the other, as Markdown.

    Args:
        document: machine, rows.
    """
    measured: Measured = document["rows"]
    parts = [
        f"{document['machine']}. Adult, 26,048 training and 6,513 holdout rows where nothing else is said, policy "
        f"`standard`, groups sex and race, secret occupation, task income. Tables and audits of {_most(measured)} "
        "at most; CPU seconds from reading the files to the finished report, on one thread.",
        _verdicts(measured),
        failures(measured),
        _peers(measured),
        _costs(measured),
        "#### Numbers to reach\n\n" + verdict_table(verdicts(measured)),
    ]
    return "\n\n".join(part for part in parts if part)


def _most(measured: Measured) -> str:
    """How many seeds the row with most of them has."""
    most = max((len(seeds) for seeds in measured.values()), default=0)
    return "1 seed" if most == 1 else f"{most} seeds"


def _verdicts(measured: Measured) -> str:
    lines: list[Sequence[str]] = []
    for law, words in LAW_WORDS.items():
        for what in WHAT_WORDS:
            row = name_of(law, what)
            seeds = [figures for figures in measured.get(row, ()) if "failed" not in figures]
            if seeds:
                figures = (_figure(seeds, name) for name in _FIGURES)
                lines.append((f"{words}; {WHAT_WORDS[what]}", _counted(seeds), _gates(seeds), *figures))
    if not lines:
        return ""
    head = ("synthetic rows; of them", "verdicts", "gates that did not pass", "nearest", "DOMIAS, k = 1", "linkability")
    text = table((*head, "inference", "near copies"), lines)
    return f"#### Verdicts\n\n{text}\n\nNearest and DOMIAS: true positives at 1 % false ones. Means of seeds."


def _counted(seeds: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(str(figures["verdict"]) for figures in seeds)
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def _gates(seeds: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(gate for figures in seeds for gate in figures["bad"])
    return ", ".join(f"{gate} ({count})" for gate, count in sorted(counts.items())) or "none"


def _figure(seeds: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [figures["figures"][name] for figures in seeds if name in figures["figures"]]
    return f"{sum(values) / len(values):.3f}" if values else "–"


def _peers(measured: Measured) -> str:
    lines: list[Sequence[str]] = []
    for what, words in WHAT_WORDS.items():
        ours = [figures for figures in measured.get(name_of("mixture", what), ()) if "failed" not in figures]
        found = {peer: name_of("mixture", what, peer) for peer in PEERS}
        if not any(row in measured for row in found.values()):
            continue
        lines.append(
            (
                words,
                _counted(ours) or "–",
                _figure(ours, "linkability"),
                cell(measured, found["sdmetrics"], "score"),
                cell(measured, found["sdmetrics"], "nearer"),
                cell(measured, found["anonymeter"], "risk"),
                _interval(measured, found["anonymeter"]),
                *(words for peer, kin in _KIN.items() for words in _spent(measured, found[peer], ours, kin)),
            )
        )
    if not lines:
        return ""
    ours_head = ("a mixture's rows", "our verdicts", "our linkability")
    theirs = ("DCR protection", "nearer to training", "Anonymeter, risk", "its interval")
    head = (*ours_head, *theirs, "SDMetrics, CPU s", "of our copies", "Anonymeter, CPU s", "of our linkability")
    return (
        "#### Peers on the same tables\n\n"
        + table(head, lines)
        + f"\n\nDCROverfittingProtection is 1 where it sees no overfitting, {SHARE:.0%} of copies or not. Anonymeter "
        'links the halves that ours links, by the nearest neighbour. "Of our copies" and "of our linkability" are '
        "ratios to the CPU seconds of our near copies, with the distances they rest on, and of our linkability."
    )


def _spent(measured: Measured, peer: str, ours: Sequence[Mapping[str, Any]], kin: Sequence[str]) -> tuple[str, str]:
    """A peer's CPU seconds, and how many times those of our checks of the same kind."""
    seconds = mean_of(measured, peer, "seconds")
    own = [sum(figures["checks"].get(name, 0.0) for name in kin) for figures in ours]
    if seconds is None:
        return "–", "–"
    mean = sum(own) / len(own) if own else 0.0
    return f"{seconds:,.1f}", f"{seconds / mean:,.1f}" if mean > 0 else "–"


def _interval(measured: Measured, row: str) -> str:
    low, high = mean_of(measured, row, "low"), mean_of(measured, row, "high")
    return "–" if low is None or high is None or math.isnan(low) else f"{low:.3f} to {high:.3f}"


def _costs(measured: Measured) -> str:
    rows = {"26,048": name_of("mixture", "copier"), "10^6": _MILLION}
    there = {words: row for words, row in rows.items() if any("failed" not in seed for seed in measured.get(row, ()))}
    if not there:
        return ""
    means = {words: _mean_checks(measured[row]) for words, row in there.items()}
    last = list(means)[-1]
    names = sorted(means[last], key=lambda name: -means[last][name])[:_LONGEST_CHECKS]
    lines = [(name, *(f"{means[words].get(name, math.nan):.1f}" for words in there)) for name in names]
    lines.append(
        ("whole audit", *(cell(measured, row, "cpu_seconds", lambda v: f"{v:,.0f}") for row in there.values()))
    )
    lines.append(
        ("in wall seconds", *(cell(measured, row, "wall_seconds", lambda v: f"{v:,.0f}") for row in there.values()))
    )
    lines.append(("peak, MiB", *(cell(measured, row, "peak", lambda v: f"{v / 2**20:,.0f}") for row in there.values())))
    return "#### What an audit costs\n\n" + table(("CPU seconds, by synthetic rows", *there), lines)


def _mean_checks(seeds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    told = [figures["checks"] for figures in seeds if "failed" not in figures]
    return {name: sum(each.get(name, 0.0) for each in told) / len(told) for name in told[0]}

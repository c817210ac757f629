"""The benchmark's rows as tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from generator.datasets import DATASETS
from generator.figures import Measured, mean_of
from generator.report import cell, failures
from harness.tables import table, verdict_table
from privacy.fits.settings import EmFit, NetworkFit
from privacy.numbers import scaled_error, verdicts
from privacy.pictures import MEMBERS_PICTURE, UTILITY
from privacy.rows import CHOSEN, EPSILONS, FITS, HYBRIDS, MEMBERS, MODEL_SIZES, PEERS

__all__ = ["describe"]

_JUDGED = ("gbm", "lr", "tvd1", "tvd2", "contingency", "c2st")
_HEAD = ("GBM AUC", "LR AUC", "TVD-1", "TVD-2", "contingency", "C2ST AUC")
_COSTS = ("seeds", "CPU s", "MB up")
_BINNINGS = {
    "width": "bins of even width",
    "cells": "bins of as many cells each of the public grid that ours counts on",
    "adaptive": "bins joined by noisy counts of the cells of the public grid that ours counts on",
}


def describe(document: Mapping[str, Any]) -> str:
    """All tables and pictures, one behind the other, as Markdown.

    Args:
        document: machine, rows.
    """
    measured: Measured = document["rows"]
    parts = [
        f"{document['machine']}. δ = 1e-6 for one record, added or removed; five organisations, IID, where nothing "
        "else is said. Ours carries the noise that masks ask for, 1.29 × a trusted curator's at five organisations; "
        "peers have all rows in one place and a curator's noise. Means of seeds, in brackets largest less smallest. "
        "CPU seconds are those of all parties together.",
        _adult(measured),
        failures(measured),
        _members(measured),
        _others(measured),
        _fits(measured),
        _hybrids(measured),
        _critic(measured),
        "#### Numbers to reach\n\n" + verdict_table(verdicts(measured)),
    ]
    return "\n\n".join(part for part in parts if part)


def _judged(measured: Measured, words: str, row: str) -> Sequence[str]:
    seeds = [figures for figures in measured[row] if "failed" not in figures]
    up = mean_of(measured, row, "bytes_up")
    return (
        words,
        *(cell(measured, row, figure) for figure in _JUDGED),
        str(len(seeds)),
        cell(measured, row, "fit_seconds", lambda value: f"{value:,.0f}"),
        "–" if up is None or math.isnan(up) else f"{up / 1e6:,.2f}",
    )


def _lines(measured: Measured, rows: Sequence[tuple[str, str]]) -> list[Sequence[str]]:
    return [_judged(measured, words, row) for words, row in rows if row in measured]


def _adult(measured: Measured) -> str:
    makers = {"ours": "ours", **PEERS}
    rows = [
        (f"ε = {epsilon:g}, {words}", f"adult-{maker}-{epsilon:g}")
        for epsilon in EPSILONS
        for maker, words in makers.items()
    ]
    lines = _lines(measured, [*rows, ("no privacy, ours (mixture)", "adult-none"), ("real rows", "adult-real")])
    if not lines:
        return ""
    peers = "\n".join(
        f"- {words}: dpmm 0.1.9, {_given(CHOSEN[peer])}."
        for peer, words in PEERS.items()
        if any(f"adult-{peer}-{epsilon:g}" in measured for epsilon in EPSILONS)
    )
    return (
        "#### Adult\n\n"
        + table(("ε, maker", *_HEAD, *_COSTS), lines)
        + (f"\n\n{_FAIRNESS}\n\n{peers}" if peers else "")
        + f"\n\n![What synthetic rows of Adult are worth, by ε]({UTILITY})"
    )


_FAIRNESS = (
    "Peers are given the same categories, bounds and special values, the larger ρ that our accountant grants a budget "
    "(their own grants less), all 26,048 training rows where ours counts 95 % of each organisation's, the number of "
    "rows to draw, and where they take one our workload: every pair of features with the label. Binnings were compared "
    "at ε = 1 on validation rows cut from the training rows, and each peer has the one that is best for it."
)


def _given(settings: Mapping[str, Any]) -> str:
    words = [f"{settings['bins']} {_BINNINGS[settings['binning']]}"]
    if settings["weighed"]:
        words.append("a tenth of ρ for noisy counts of cells, by which values are drawn in their bin")
    if "iterations_a_round" in settings:
        words.append(
            f"{settings['iterations_a_round']} steps of inference a round and {settings['iterations']:,} in the last, "
            f"at most {_sizes()} MB of model"
        )
    return "; ".join(words)


def _sizes() -> str:
    """AIM's own limit, and where it has another."""
    usual = max(MODEL_SIZES.values())
    others = [f"{size} at ε = {epsilon:g}" for epsilon, size in MODEL_SIZES.items() if size != usual]
    return f"{usual} ({', '.join(others)})" if others else str(usual)


def _members(measured: Measured) -> str:
    lines = []
    for members in MEMBERS:
        joint, local = (mean_of(measured, f"noise-{mode}-{members}", "error") for mode in ("joint", "local"))
        scaled = scaled_error(measured, members)
        if joint is not None and local is not None and scaled is not None:
            cost = mean_of(measured, f"noise-joint-{members}", "round_seconds") or math.nan
            lines.append(
                (
                    str(members),
                    *(f"{value:.1f}" for value in (joint, scaled, local)),
                    f"{local / joint:.2f}",
                    f"{cost:.3f}",
                )
            )
    if not lines:
        return ""
    head = ("organisations", "joint", "joint / √(n / (T − c))", "local", "local / joint", "CPU s a round")
    return (
        "#### The number of organisations\n\nRoot mean square error in rows of the first round's noisy counts, at "
        "ε = 1 on the same rows of Adult shared out among more and more organisations.\n\n"
        + table(head, lines)
        + f"\n\n![Error of noisy counts, by the number of organisations]({MEMBERS_PICTURE})"
    )


def _others(measured: Measured) -> str:
    parts = []
    for name in ("credit", "diabetes130"):
        rows = [(f"ε = {epsilon:g}, ours", f"{name}-ours-{epsilon:g}") for epsilon in EPSILONS]
        lines = _lines(measured, [*rows, ("real rows", f"{name}-real")])
        if lines:
            parts.append(f"#### {DATASETS[name].title}\n\n" + table(("ε, maker", *_HEAD, *_COSTS), lines))
    return "\n\n".join(parts)


def _fits(measured: Measured) -> str:
    lines = []
    for epsilon in EPSILONS:
        names = {name: f"adult-fit-{name}-{epsilon:g}" for name in FITS}
        if any(row in measured for row in names.values()):
            made = {"mixture, **the default**": f"adult-ours-{epsilon:g}"} | {
                FITS[name]: row for name, row in names.items()
            }
            lines += [
                _fit(measured, f"ε = {epsilon:g}, {words}", row) for words, row in made.items() if row in measured
            ]
    if not lines:
        return ""
    network, em = NetworkFit(), EmFit()
    return (
        "#### Fits to the same budget, Adult\n\n"
        + table(("ε, fit", "GBM AUC", "LR AUC", "TVD-2", "contingency", "C2ST AUC", "CPU s"), lines)
        + "\n\nThe network is the one that a run without privacy fits to counts, given the very tables that the "
        f"mixture is fitted to: {network.blocks} residual blocks of width {network.width}, {network.steps:,} steps on "
        "the unbiased squared error of two half-batches, each cell weighed by its noise. Noised EM has codes from the "
        f"first round's counts, for {em.encoder_share:.0%} of the budget, and {em.rounds} rounds with "
        f"{em.components} components of each class for the rest; one record moves a round's sums by at most "
        "√(columns). Settings were chosen on validation rows cut from the training rows."
    )


def _hybrids(measured: Measured) -> str:
    """The recipe `hybrid` beside the default, at the same total budget, and where it is better."""
    lines: list[Sequence[str]] = []
    better: list[str] = []
    worse: list[str] = []
    for name, found in HYBRIDS.items():
        for epsilon in found:
            plain, hybrid = f"{name}-ours-{epsilon:g}", f"{name}-hybrid-{epsilon:g}"
            if plain not in measured or hybrid not in measured:
                continue
            where = f"{DATASETS[name].title}, ε = {epsilon:g}"
            lines += [_fit(measured, f"{where}, marginals", plain), _fit(measured, f"{where}, hybrid", hybrid)]
            (better if _gains(measured, plain, hybrid) else worse).append(where)
    if not lines:
        return ""
    helps = f"It gains GBM AUC beyond the spread of the seeds on {'; '.join(better)}" if better else "It helps nowhere"
    rest = f", and not on {'; '.join(worse)}" if better and worse else ""
    return (
        "#### Marginals and a critic for the same budget\n\n"
        + table(("table, recipe", "GBM AUC", "LR AUC", "TVD-2", "contingency", "C2ST AUC", "CPU s"), lines)
        + "\n\n`hybrid` counts with three quarters of the budget and trains a critic with the rest, which is used only "
        f"where noisy sums alone say that it gains. {helps}{rest}; `marginals` is the default."
    )


def _gains(measured: Measured, plain: str, hybrid: str) -> bool:
    """Whether the worst seed of one is better than the best of the other."""
    first, second = ([each["gbm"] for each in measured[row] if "failed" not in each] for row in (plain, hybrid))
    return bool(first) and bool(second) and min(second) > max(first)


def _fit(measured: Measured, words: str, row: str) -> Sequence[str]:
    figures = ("gbm", "lr", "tvd2", "contingency", "c2st")
    seconds = cell(measured, row, "fit_seconds", lambda value: f"{value:,.0f}")
    return words, *(cell(measured, row, figure) for figure in figures), seconds


def _critic(measured: Measured) -> str:
    kinds = {
        "plain": "without privacy",
        "private": "private, clipped by ghost norms",
        "opacus": "private, Opacus's ghost clipping",
        "noise": "an organisation's noise for it, in none of the others",
    }
    lines = []
    for kind, words in kinds.items():
        took = mean_of(measured, "critic-step", f"{kind}_seconds")
        if took is not None and not math.isnan(took):
            lines.append((words, f"{took * 1e3:.2f} ms"))
    return "#### A critic's step\n\n" + table(("CPU time of one step", "measured"), lines) if lines else ""

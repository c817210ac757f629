"""Rounds under a privacy budget in plain words: noisy counts, the fit to them, and a critic's noisy gradients."""

from collections.abc import Mapping
from typing import Any

from headwater_server.cost_words import step_in_words

__all__ = ["counts_in_words", "critic_in_words", "is_noisy", "misfit_in_words", "steps_in_words"]

Record = Mapping[str, Any]


def is_noisy(record: Record) -> bool:
    """Whether a record is of counts that carry noise."""
    return record.get("kind") in ("histograms", "marginals") and "deviation" in record


def counts_in_words(record: Record) -> str:
    """What was counted, the noise on each count, and how many rows all counts so far estimate."""
    return (
        f"{step_in_words(record['counted'])}: {record['tables']:,} tables of {record['cells']:,} cells, "
        f"σ = {record['deviation']:,.1f} rows on each cell; about {record['rows']:,} training rows of "
        f"{record['contributors']} organisations"
    )


def misfit_in_words(record: Record) -> str:
    """How near the fitted model is to the noisy counts."""
    return (
        f"misfit {record['misfit']:.2f} in variances of the noise; about 1 is as near as the noise lets it come to the "
        "counts, and says nothing of how near these are to the rows"
    )


def steps_in_words(record: Record) -> str:
    """How far a critic's training is, told once at its end; "" before."""
    if record["done"] < record["of"]:
        return ""
    return (
        f"{record['of']:,} noisy sums of clipped gradients of {record['parameters']:,} weights, over samples of "
        f"the rows of {record['contributors']} organisations"
    )


def critic_in_words(record: Record) -> str:
    """Whether a critic's opinion weighs what is released, and by which signs."""
    signs = (
        f"its steps gained {record['gain']:.4f} ± {record['gain_deviation']:.4f} nats a row, the misfit went from "
        f"{record['base_misfit']:.2f} to {record['misfit']:.2f}"
    )
    if record["accepted"]:
        return f"draws are weighed by the critic: {signs}"
    return f"the fitted generator is released, the critic is not used, for {record['reason']}: {signs}"

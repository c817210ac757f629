"""Rounds under a privacy budget in plain words: noisy counts, and the fit to them."""

from collections.abc import Mapping
from typing import Any

from headwater_server.cost_words import step_in_words

__all__ = ["counts_in_words", "is_noisy", "misfit_in_words"]

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
    return f"misfit {record['misfit']:.2f} in variances of the noise, about 1 where nothing but noise is left"

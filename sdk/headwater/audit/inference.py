"""Attribute inference: does the synthetic table tell a person's secret to someone who knows all else of them?"""

import numpy as np
from numpy.typing import NDArray

from headwater.audit.controlled import checked, controlled_measure
from headwater.audit.reach import dealt_rows, drawn, nearest_synthetic
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["TOLERANCE", "Inference", "secrets_of"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

TOLERANCE = 0.05
"""A number is guessed right within this part of what it spans."""

# Pairs of rows for all secrets together: beyond them fewer rows are attacked, never fewer than `attacks`.
_PAIRS = 1 << 34
_MIDDLE = (0.01, 0.99)


class Inference:
    """The attacker knows everything about a person but one secret, and guesses that of the nearest synthetic row.

    A categorical secret is guessed right where it is equal, missing being a category; a number or date where it is
    within 5 % of what the candidate's middle 98 % of values span, and of the schema's range at most. What is guessed
    as often about holdout rows is what the table teaches of everybody; only what is guessed beyond that is a leak.

    A secret that most rows share is guessed right mostly without any leak, and then a thousand attacks tell little:
    `settings.attacks` rows are the least, `settings.targets` the most of either side, as 2^34 distances allow.

    One measure a secret. Cost: attacks · synthetic rows distances for each side and secret.

    Attributes:
        secrets: columns that are guessed, in the schema's order: those of the settings, else the schema's sensitive
            ones, else its target.

    Raises:
        InputError: the settings name a secret that is no column.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 5.3.
    """

    name = "inference"
    federated = True
    about = About(
        title="Guessing a secret from all else",
        question="Does the synthetic table tell one attribute of a person to someone who knows all the others?",
        knowledge="All columns but the secret for the people in question, and the synthetic table.",
        statistic="R = (t - c) / (1 - c): t is the share of training rows whose secret the nearest synthetic row "
        "tells, c that of holdout rows; 0 where training rows are guessed no better than others.",
        misses="Secrets that were not declared; attackers who know fewer columns and combine many synthetic rows.",
        source="Giomi et al. 2023, A Unified Framework for Quantifying Privacy Risk in Synthetic Data, section 5.3",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate and public settings."""
        self._candidate = candidate
        self._settings = settings
        self.secrets = secrets_of(candidate.table.schema, settings)
        self._tolerances = {secret.name: _tolerance(secret, candidate.table) for secret in self.secrets}

    @property
    def size(self) -> int:
        """Four for each secret."""
        return 4 * len(self.secrets)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """For each secret, right guesses and guesses about training rows, then about holdout rows: shape (size,)."""
        counts: list[int] = []
        dealt = dealt_rows(rows)
        for secret in self.secrets:
            for side in (dealt.train, dealt.holdout):
                attacked = drawn(side, self._most(), random)
                counts += [int(self._right(secret, attacked).sum()), attacked.rows]
        return np.array(counts, np.int64)

    def _most(self) -> int:
        settings = self._settings
        affordable = _PAIRS // (2 * self._candidate.table.rows * len(self.secrets))
        return max(settings.attacks, min(settings.targets, affordable))

    def _right(self, secret: Column, rows: Table) -> Mask:
        known = tuple(name for name in rows.schema.names if name != secret.name)
        if not known or not rows.rows:
            return np.zeros(rows.rows, np.bool_)
        place = nearest_synthetic(self._candidate, rows, known)[1][:, 0]
        guess, truth = self._candidate.table.columns[secret.name][place], rows.columns[secret.name]
        if isinstance(secret, CategoricalColumn | BooleanColumn):
            return np.asarray(guess == truth)
        both_missing = np.isnan(guess) & np.isnan(truth)
        # A difference with NaN is NaN, which is within nothing.
        return np.asarray((np.abs(guess - truth) <= self._tolerances[secret.name]) | both_missing)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a secret; a single one that is not applicable where there is none.

        Raises:
            InputError: these are no counts of this check.
        """
        pairs = tuple((place, place + 1) for place in range(0, self.size, 2))
        whole = checked(counts, self.size, self.name, pairs)
        if not self.secrets:
            reason = "no secret, sensitive column or target that could be guessed; declare one in the audit's settings"
            return (Measure(check=self.name, status="not applicable", reason=reason),)
        if len(self._candidate.table.schema.columns) < 2:
            reason = "the secret is the only column; there is nothing to guess it from"
            return (Measure(check=self.name, subject=self.secrets[0].name, status="not applicable", reason=reason),)
        return tuple(self._measure(place, secret, whole) for place, secret in enumerate(self.secrets))

    def _measure(self, place: int, secret: Column, whole: list[int]) -> Measure:
        hits, attacks, control, controls = whole[4 * place : 4 * place + 4]
        details = {"guessed of training": hits / max(attacks, 1), "guessed of holdout": control / max(controls, 1)}
        if secret.name in self._tolerances and not isinstance(secret, CategoricalColumn | BooleanColumn):
            details["tolerance"] = self._tolerances[secret.name]
        return controlled_measure(self.name, secret.name, (hits, attacks, control, controls), details)


def secrets_of(schema: Schema, settings: AuditSettings) -> tuple[Column, ...]:
    """Columns whose values an attacker guesses: the declared ones, else sensitive ones, else the target.

    Raises:
        InputError: a declared one is no column.
    """
    columns = schema.columns
    if unknown := sorted(set(settings.secrets) - set(schema.names)):
        raise InputError(f"the audit's secret {unknown[0]!r} is no column of the schema; name one that is")
    chosen = [column for column in columns if column.name in settings.secrets]
    chosen = chosen or [column for column in columns if column.sensitive]
    chosen = chosen or [column for column in columns if column.role == "target"]
    # A picture is no answer that one could guess.
    return tuple(column for column in chosen if not isinstance(column, ImageColumn))


def _tolerance(secret: Column, table: Table) -> float:
    """How far a guess may be off, in the column's unit; 0 for what must be equal."""
    if isinstance(secret, CategoricalColumn | BooleanColumn | ImageColumn):
        return 0.0
    lower, upper = (
        (secret.lower_day, secret.upper_day) if isinstance(secret, DateColumn) else (secret.lower, secret.upper)
    )
    values: F64 = table.columns[secret.name]
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, _MIDDLE)
    return TOLERANCE * float(min(upper - lower, high - low))

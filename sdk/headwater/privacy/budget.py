"""What a run may cost the people behind the rows: the part of a plan that privacy is accounted by."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = ["LARGEST_DELTA", "LARGEST_EPSILON", "SMALLEST_DELTA", "Budget", "Delta", "PrivacyMode", "Unit"]

LARGEST_EPSILON = 20.0
"""At a larger ε one person's presence may change a probability by e^20 and more: no protection worth the word."""

LARGEST_DELTA = 1e-3
"""A larger δ lets one person in a thousand be published whole."""

SMALLEST_DELTA = 1e-12
"""Below it, sums of probabilities leave float64."""


def _check_delta(delta: float) -> float:
    if not SMALLEST_DELTA <= delta <= LARGEST_DELTA:
        raise ValueError(
            f"δ is {delta:g}, expected a number from {SMALLEST_DELTA:g} to {LARGEST_DELTA:g}, and below one in the "
            "number of records: a mechanism may publish one record in 1 / δ whole"
        )
    return delta


Delta = Annotated[float, Field(strict=True), AfterValidator(_check_delta)]
"""A δ that says something: in the plans of coordinators and in the limits of organisations."""

Unit = Literal["record", "entity"]
"""Whom a budget protects: one record, or a person with all of at most `records` records."""

PrivacyMode = Literal["joint", "local"]
"""Whose noise must suffice: all honest organisations' together, or each one's alone."""

_MOST_ROWS = 10**12


class Budget(BaseModel):
    """An (ε, δ) that a run may spend, for one protected unit, by adding or removing it.

    Attributes:
        epsilon: of everything that a run releases, aborted sums included.
        delta: below 1 / `most_rows`.
        unit: whom it protects.
        records: most records of one unit; 1 where the unit is a record.
        most_rows: public upper bound on the training rows of all organisations together; counted rows above it end
            the run.
        mode: "joint" shares the noise among the honest organisations under secure aggregation; "local" has each
            organisation add all of it, for those that trust nobody.
        retries: aborted sums that the budget pays for in advance. What was uploaded counts as released
            (protocol 4.10), so that a sum which is tried again is paid twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Strict: true is no ε of 1, and "1" none either.
    epsilon: float = Field(gt=0, le=LARGEST_EPSILON, strict=True)
    delta: Delta = 1e-6
    unit: Unit = "record"
    records: int = Field(default=1, ge=1, le=10_000, strict=True)
    most_rows: int = Field(default=100_000, ge=1, le=_MOST_ROWS, strict=True)
    mode: PrivacyMode = "joint"
    retries: int = Field(default=0, ge=0, le=10, strict=True)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.delta * self.most_rows >= 1:
            raise ValueError(
                f"δ is {self.delta:g} and must be below 1 / most_rows = {1 / self.most_rows:.3g}: "
                "a mechanism may publish one row in 1 / δ whole"
            )
        if self.unit == "record" and self.records != 1:
            raise ValueError(f'a unit of one record has {self.records} records; say unit = "entity", or records = 1')
        return self

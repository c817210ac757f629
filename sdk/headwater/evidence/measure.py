"""One figure about a candidate, with all that is needed to judge it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["CHECK_NAME", "Better", "Law", "Measure", "Status"]

CHECK_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$"
"""Words of letters, digits and hyphens, with dots between."""

Status = Literal["measured", "inconclusive", "not applicable"]
"""Inconclusive: too few rows, or a control that did not fail as it must. Not applicable: there is no such thing."""

Better = Literal["lower", "higher", "null"]
"""Which way is better: down, up, or as near as can be to the null value."""

Law = Literal["binomial", "controlled", "normal", "guesses", "test", "none"]
"""How a measure's chance is known; `headwater.evidence.intervals` reads it.

binomial: tally is (successes, trials). controlled: tally is (successes, trials, control's successes, control's trials)
and the value (t - c) / (1 - c). normal: value and standard error. guesses: tally is (coins, guesses, right ones),
details hold delta, and the value is the lower bound on ε. test: a p-value only. none: it describes, nothing is
tested."""


class Measure(BaseModel):
    """One figure.

    Attributes:
        check: dotted name of what measured it: "membership.domias-5", "marginals.2-way".
        subject: what of the table it is about: "" for all rows, else "sex=Female", "outliers", a column, a task.
        status: whether there is a value to judge.
        reason: where there is none: what is, what would be needed.
        value: the statistic; None exactly where it was not measured.
        low: lower end of its interval at `confidence`; None where it has none.
        high: upper end.
        confidence: of the interval, 0 to 1.
        null: what a generator gives that leaks nothing, or a second real sample; None where there is no such value.
        better: which way is better.
        law: how chance is known.
        tally: whole numbers that the law reads.
        error: standard error, of the law "normal".
        p_value: of the null value, one-sided towards worse; None where nothing is tested.
        trials: attacks, rows or cells that the value rests on.
        detectable: smallest departure from the null, as a value, that would be found with power .8 at 5 %.
        needed: trials that a conclusive check needs, where it is inconclusive for want of rows.
        details: further figures by name, for the organisation's own report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    check: str = Field(pattern=CHECK_NAME, max_length=100)
    subject: str = Field(default="", max_length=500)
    status: Status = "measured"
    reason: str = Field(default="", max_length=1000)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = Field(default=0.95, gt=0, lt=1)
    null: float | None = None
    better: Better = "lower"
    law: Law = "none"
    tally: tuple[int, ...] = ()
    error: float | None = Field(default=None, ge=0)
    p_value: float | None = Field(default=None, ge=0, le=1)
    trials: int = Field(default=0, ge=0)
    detectable: float | None = None
    needed: int | None = Field(default=None, ge=0)
    details: dict[str, float] = {}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.value is None) == (self.status == "measured"):
            raise ValueError(f"measure {self.check} is {self.status} and {'no' if self.value is None else 'a'} value")
        if self.status != "measured" and not self.reason:
            raise ValueError(f"measure {self.check} is {self.status} without a reason; say what would be needed")
        widths = {"binomial": 2, "controlled": 4, "guesses": 3}
        if self.law in widths and len(self.tally) != widths[self.law]:
            raise ValueError(f"measure {self.check} of law {self.law} needs a tally of {widths[self.law]} numbers")
        if self.law == "guesses" and "delta" not in self.details:
            raise ValueError(f"measure {self.check} of law guesses needs its delta among the details")
        if self.law == "normal" and self.error is None:
            raise ValueError(f"measure {self.check} of law normal needs its standard error")
        if self.law == "test" and self.p_value is None:
            raise ValueError(f"measure {self.check} of law test needs its p-value")
        return self

    @property
    def name(self) -> str:
        """Check and subject, as reports name it: "membership.nearest [sex=Female]"."""
        return f"{self.check} [{self.subject}]" if self.subject else self.check

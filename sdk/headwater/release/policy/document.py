"""A policy as a frozen document: gates, each with the rules that its measures must meet."""

import re
from functools import cache
from typing import Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from headwater.agreement.documents import Document
from headwater.agreement.generator_terms import GeneratorTerms
from headwater.evidence.measure import Measure

__all__ = ["Gate", "Policy", "Rule", "matches"]


class Rule(Document):
    """What is asked of some measures.

    Attributes:
        checks: names of checks; a star stands for any letters. Each must have been measured.
        subjects: of which subjects; "" is all rows. Each pattern must have been met once for each check.
        says: what the measures show where the rule is broken, in plain words; a reason begins with them.
        bad: the side of the threshold that breaks the rule; "outside": below `threshold` or above `upper`; "chance":
            the figure is too unlikely under its own null value.
        threshold: in the unit of the value.
        upper: the other end, of "outside".
        by: "value": the figure itself is on the bad side. "interval": its interval at 95 % reaches the bad side, so
            that it cannot be excluded. "proof": it is on the bad side for certain, by a test that shares the policy's
            error with all others.
        level: a test's p must also be below it.
        times_epsilon: the threshold is a multiple of the ε that the run claims.
        above_null: the threshold is this much above the measure's own null value, the floor that two models of real
            rows show.
        ceiling_at: a false-positive rate; the threshold is at most what (ε, δ) allows an attack at it.
        then: what a broken rule means.
        least_trials: with fewer the measure says nothing.
        unclear: what an inconclusive measure means.
        inapplicable: what it means that a check says it does not apply: "inconclusive" for what every release has,
            "warn" for what every release ought to have.
        missing: what a check that was not measured means; "skip" for what not every release has.
    """

    checks: tuple[str, ...] = Field(min_length=1)
    subjects: tuple[str, ...] = Field(default=("*",), min_length=1)
    says: str = Field(min_length=1, max_length=300)
    bad: Literal["above", "below", "outside", "chance"]
    threshold: float | None = None
    upper: float | None = None
    by: Literal["value", "interval", "proof"]
    level: float = Field(default=1.0, gt=0, le=1)
    times_epsilon: bool = False
    above_null: bool = False
    ceiling_at: float | None = Field(default=None, gt=0, lt=1)
    then: Literal["fail", "warn", "inconclusive"] = "fail"
    least_trials: int = Field(default=0, ge=0)
    unclear: Literal["inconclusive", "warn"] = "inconclusive"
    inapplicable: Literal["not applicable", "warn", "inconclusive"] = "not applicable"
    missing: Literal["fail", "inconclusive", "warn", "skip"] = "inconclusive"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.threshold is None) != (self.bad == "chance"):
            raise ValueError("a rule has a threshold, and one on chance has none: its null value is the measure's own")
        if (self.upper is None) != (self.bad != "outside"):
            raise ValueError('upper is the other end of a rule whose bad side is "outside"')
        if self.threshold is not None and self.upper is not None and self.upper <= self.threshold:
            raise ValueError("upper must be above threshold")
        if self.bad == "chance" and self.by != "proof":
            raise ValueError('a rule on chance is by "proof"')
        if self.ceiling_at is not None and self.bad != "above":
            raise ValueError("a ceiling is for what must not be above it")
        return self

    def takes(self, measure: Measure) -> bool:
        """Whether the rule judges this measure."""
        return self.asks_for(measure.check, measure.subject)

    def asks_for(self, check: str, subject: str) -> bool:
        """Whether the rule judges measures of this name."""
        return any(matches(asked, check) for asked in self.checks) and any(
            matches(asked, subject) for asked in self.subjects
        )

    @property
    def shared(self) -> bool:
        """Whether its tests share the policy's error: those that can fail a release."""
        return self.by == "proof" and self.then == "fail"


class Gate(Document):
    """One question to a candidate.

    Attributes:
        id: G0 to G13.
        title: a few words.
        question: what it asks, in one plain sentence that ends with a question mark.
        files: what becomes of it where one person audits plain files.
        without_privacy: what becomes of it where the run claims no ε.
        within_budget: who judges what was not measured where no figure of real rows may leave: "organisations", each
            on its own rows before it signs. What was measured is judged all the same.
        waivable: what two approvers may waive: nothing, that it is inconclusive, or that it fails as well.
        rules: all must hold.
    """

    id: str = Field(pattern=r"^G[0-9]{1,2}$")
    title: str = Field(min_length=1, max_length=60)
    question: str = Field(min_length=1, max_length=300, pattern=r"\?$")
    files: Literal["judge", "not applicable"] = "judge"
    without_privacy: Literal["judge", "not applicable"] = "judge"
    within_budget: Literal["judge", "organisations"] = "judge"
    waivable: Literal["never", "inconclusive", "fail"] = "never"
    rules: tuple[Rule, ...] = Field(min_length=1)


class Policy(Document):
    """What a release must show before it is published. Two policies with one digest ask the same.

    Attributes:
        name: that a plan names.
        version: a policy that changes is a new version; the old one stays readable.
        title: what it is for, in one line.
        error: chance that a candidate which meets every threshold is failed by some test all the same.
        best: the best verdict that it gives.
        generator: the most that a release of a run with a privacy budget may give of its generator; without a budget
            it is kept, whatever stands here. Left out of the document where it is "kept", so that earlier versions
            keep their digest.
        gates: in order.
    """

    format: Literal["headwater-policy/1"] = "headwater-policy/1"
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    version: int = Field(ge=1, le=10_000)
    title: str = Field(min_length=1, max_length=300)
    error: float = Field(gt=0, lt=0.5)
    best: Literal["pass", "pass with warnings"] = "pass"
    generator: GeneratorTerms = "kept"
    gates: tuple[Gate, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        numbers = [int(gate.id[1:]) for gate in self.gates]
        if numbers != sorted(set(numbers)):
            raise ValueError("gates must be in order, each once")
        return self

    @model_serializer(mode="wrap")
    def _leave_kept_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialize(self)
        if self.generator == "kept":
            del document["generator"]
        return document

    @property
    def label(self) -> str:
        """As people name it: "standard, version 1"."""
        return f"{self.name}, version {self.version}"

    @property
    def asks_for_privacy(self) -> bool:
        """Whether no run without a privacy budget can pass: a plan can then say so at once."""
        return any(
            rule.missing == "fail" and any(check.startswith("ledger.") for check in rule.checks)
            for gate in self.gates
            if gate.without_privacy == "judge"
            for rule in gate.rules
        )

    @property
    def left_to_organisations(self) -> tuple[str, ...]:
        """Gates that under a privacy budget each organisation judges on its own rows, in order."""
        return tuple(gate.id for gate in self.gates if gate.within_budget == "organisations")

    def gate(self, gate_id: str) -> Gate | None:
        """The gate with this id, or None."""
        return next((gate for gate in self.gates if gate.id == gate_id), None)


def matches(pattern: str, text: str) -> bool:
    """Whether a text is of a pattern in which a star stands for any letters, and everything else for itself."""
    return _pattern(pattern).fullmatch(text) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)

"""audit.json: what of an audit may be published, with the decision that follows from it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from headwater.agreement.documents import Document, HexDigest, Instant
from headwater.evaluation.curve import points_in
from headwater.evidence.check import Disclosure
from headwater.evidence.measure import CHECK_NAME, Better, Measure, Status
from headwater.release.attempts import Attempt
from headwater.release.evidence import (
    Evidence,
    Federation,
    PrivacyStated,
    Scope,
    Source,
    disclosure_of,
    facts_as_measures,
)
from headwater.release.policy.decision import Decision
from headwater.release.policy.waiver import SignedWaiver

__all__ = ["CURVE", "LADDER", "CurveStep", "InternalAudit", "PublicFigure", "PublishedAudit", "bucket_of"]

LADDER: tuple[float, ...] = (
    *(-1.0, -0.5, -0.2, -0.1, -0.05, -0.02, 0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    *(0.8, 0.85, 0.9, 0.95, 0.98, 1.0, 1.05, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0),
)
"""Between which a figure is told; fixed, the same for all checks and releases, thresholds among them."""

_End = float | None


CURVE = "usefulness.curve"
"""The check that measures at several numbers of rows."""


class CurveStep(Document):
    """What may be told of one point of a sample-size curve.

    Attributes:
        rows: synthetic rows that were learned from.
        between: steps of `LADDER` that the ROC AUC on real rows is between.
    """

    rows: int = Field(ge=1, le=2**53 - 1)
    between: tuple[_End, _End]


class PublicFigure(Document):
    """One measure as it may be published.

    Attributes:
        check: as in the evidence.
        subject: as in the evidence.
        status: as in the evidence.
        disclosure: "public": all figures below; "bucket": between which steps of `LADDER` they are; "verdict": none.
        null: of the statistic; no row is behind it.
        better: which way is better.
        value: of public figures.
        interval: of public figures, at `confidence`.
        confidence: of the interval.
        between: the steps that the value is between; None at an end is beyond the ladder.
        interval_between: the steps that the interval is between.
        detectable: the smallest departure that would be found; for a bucket the step at or beyond it.
        trials: of public figures.
        needed: trials that would have been needed; no row is behind it.
        curve: of the sample-size curve, where its class is "bucket": a bucket for each number of rows, ascending.
    """

    check: str = Field(pattern=CHECK_NAME, max_length=100)
    subject: str = Field(default="", max_length=500)
    status: Status
    disclosure: Disclosure
    null: _End = None
    better: Better
    value: _End = None
    interval: tuple[_End, _End] | None = None
    confidence: float = 0.95
    between: tuple[_End, _End] | None = None
    interval_between: tuple[_End, _End] | None = None
    detectable: _End = None
    trials: int | None = None
    needed: int | None = None
    curve: tuple[CurveStep, ...] = ()

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        if not self.curve:
            return self
        if (self.check, self.status, self.disclosure) != (CURVE, "measured", "bucket"):
            raise ValueError(f"{self.check} tells a curve, which only a measured {CURVE} in buckets may")
        rows = [step.rows for step in self.curve]
        if rows != sorted(set(rows)):
            raise ValueError("a curve's steps must be in the order of their rows, each once")
        # A finer range than the ladder's would tell more than a bucket.
        if any(step.between not in _BUCKETS for step in self.curve):
            raise ValueError("a curve's step is between other values than two steps of the ladder")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A figure without a curve keeps the bytes that it has in earlier files, which are signed."""
        written: dict[str, Any] = handler(self)
        if not self.curve:
            written.pop("curve", None)
        return written

    @classmethod
    def of(cls, measure: Measure, disclosure: Disclosure) -> "PublicFigure":
        """The part of a measure that its class allows."""
        known = cls(
            check=measure.check,
            subject=measure.subject,
            status=measure.status,
            disclosure=disclosure,
            null=measure.null,
            better=measure.better,
            confidence=measure.confidence,
            needed=measure.needed,
        )
        value = measure.value
        ends = None if measure.low is None or measure.high is None else (measure.low, measure.high)
        more: dict[str, object] = {}
        match disclosure:
            case "public":
                more = {
                    "value": value,
                    "interval": ends,
                    "detectable": measure.detectable,
                    "trials": measure.trials,
                }
            case "bucket":
                wide = None if ends is None else (bucket_of(ends[0])[0], bucket_of(ends[1])[1])
                side = 0 if measure.better == "higher" else 1
                more = {
                    "between": None if value is None else bucket_of(value),
                    "interval_between": None if value is None else wide,
                    "detectable": None if measure.detectable is None else bucket_of(measure.detectable)[side],
                    "curve": _curve_of(measure),
                }
            case "verdict":
                pass
        return known.model_copy(update=more)


def bucket_of(value: float) -> tuple[_End, _End]:
    """The steps of the ladder around a value; both the same where it is a step, None beyond an end."""
    below, above = bisect_right(LADDER, value) - 1, bisect_left(LADDER, value)
    return (LADDER[below] if below >= 0 else None), (LADDER[above] if above < len(LADDER) else None)


def _curve_of(measure: Measure) -> tuple[CurveStep, ...]:
    if measure.check != CURVE or measure.status != "measured":
        return ()
    return tuple(CurveStep(rows=p.rows, between=bucket_of(p.gbm)) for p in points_in(measure.details))


# All that `bucket_of` can give.
_BUCKETS: frozenset[tuple[_End, _End]] = frozenset(
    [*((step, step) for step in LADDER), *zip((None, *LADDER), (*LADDER, None), strict=True)]
)


class PublishedAudit(Document):
    """The content of audit.json.

    No tally and no figure behind a check's verdict is in it; under a privacy budget nothing that depends on a real row
    but whether it passed, which ε does not cover.

    Attributes:
        format: 2 where a figure tells a curve, which software that knows only 1 must refuse.
        candidate: SHA-256 of data.parquet.
        rows: synthetic rows.
        settings: digest of the audit's settings.
        scope: what they declare; with the schema it says which figures there must be.
        source: whose rows were counted.
        organisations: whose counts are in it.
        started: when the audit began.
        ended: when it was done.
        software: that measured.
        privacy: what the run claims.
        federation: the sums behind the candidate.
        licence_stated: whether the release names a licence.
        figures: of every measure and fact, sorted by name.
        decision: of the policy, without figures.
        waivers: all that were given, those that were refused as well.
        attempts: every candidate of every run of the plan's name that was put before the gate, this one the last.
    """

    format: Literal["headwater-audit/1", "headwater-audit/2"] = "headwater-audit/1"
    candidate: HexDigest
    rows: int = Field(ge=1, le=2**53 - 1)
    settings: HexDigest
    scope: Scope | None = None
    source: Source
    organisations: int = Field(ge=1, le=1_000_000)
    started: Instant
    ended: Instant
    software: str = Field(min_length=1, max_length=200)
    privacy: PrivacyStated
    federation: Federation
    licence_stated: bool | None
    figures: tuple[PublicFigure, ...]
    decision: Decision
    waivers: tuple[SignedWaiver, ...] = ()
    attempts: tuple[Attempt, ...] = Field(min_length=1)

    @field_validator("figures")
    @classmethod
    def _each_once(cls, figures: tuple[PublicFigure, ...]) -> tuple[PublicFigure, ...]:
        names = [(figure.check, figure.subject) for figure in figures]
        if names != sorted(set(names)):
            raise ValueError("figures must be sorted by name, each once")
        return figures

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.format != _format_of(self.figures):
            raise ValueError(f"an audit of {self.format} is not one for what it tells; {_format_of(self.figures)} is")
        return self

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        decision: Decision,
        waivers: Sequence[SignedWaiver],
        attempts: Sequence[Attempt],
    ) -> "PublishedAudit":
        """What may be published.

        Args:
            evidence: that was judged.
            decision: that `decide` made of it.
            waivers: that it was given.
            attempts: the whole log of the plan's name, this decision's the last.
        """
        facts = facts_as_measures(evidence.privacy, evidence.licence_stated)
        shown = sorted((*evidence.measures, *facts), key=lambda m: (m.check, m.subject))
        figures = tuple(PublicFigure.of(measure, disclosure_of(evidence, measure.check)) for measure in shown)
        return cls(
            format=_format_of(figures),
            candidate=evidence.candidate,
            rows=evidence.rows,
            settings=evidence.settings,
            scope=evidence.scope,
            source=evidence.source,
            organisations=evidence.organisations,
            started=evidence.started,
            ended=evidence.ended,
            software=evidence.software,
            privacy=evidence.privacy,
            federation=evidence.federation,
            licence_stated=evidence.licence_stated,
            figures=figures,
            decision=decision.public(),
            waivers=tuple(waivers),
            attempts=tuple(attempts),
        )


def _format_of(figures: Sequence[PublicFigure]) -> Literal["headwater-audit/1", "headwater-audit/2"]:
    return "headwater-audit/2" if any(figure.curve for figure in figures) else "headwater-audit/1"


class InternalAudit(Document):
    """The content of audit-internal.json: everything, for whoever holds the rows and nobody else."""

    format: Literal["headwater-audit-internal/1"] = "headwater-audit-internal/1"
    evidence: Evidence
    decision: Decision
    waivers: tuple[SignedWaiver, ...] = ()
    attempts: tuple[Attempt, ...] = ()

"""The evidence of one audit: what was measured of a candidate, before any policy judges it."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from headwater.agreement.documents import Document, HexDigest, Instant
from headwater.evidence.check import Disclosure
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = [
    "FACTS",
    "Attacked",
    "Evidence",
    "Federation",
    "FederationFacts",
    "PrivacyFacts",
    "PrivacyStated",
    "Scope",
    "Source",
    "disclosure_of",
    "facts_as_measures",
    "is_apart",
]

Source = Literal[
    "pooled sums of organisations", "one holder of files", "each organisation for itself", "one organisation for itself"
]
"""Whose rows were counted: all organisations' as secure sums, one person's, each organisation's own, apart, so that no
figure of them is in the evidence; or those of one organisation, whose evidence stays at home."""

PUBLIC = ("artefacts", "canaries", "controls", "validity", "ledger", "release")
"""Checks, or the beginnings of their names, behind whose figures no row is: they are published whole."""

FACTS = ("ledger.", "release.")
"""Checks whose figures are facts of the evidence itself; no attack may give one."""


class PrivacyFacts(Document):
    """What a run claims of differential privacy, and what replaying it came to.

    Attributes:
        epsilon: of the claim.
        delta: of the claim.
        unit: whom it protects.
        events: how many were charged, aborted rounds included.
        replay: "exact": an accountant found no more than ε; "bound": arithmetic alone neither confirms nor refutes it;
            "refuted": the events cost more.
        ledgers: digests of what organisations say their ledgers were charged, sorted; empty where none said.
    """

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    unit: str = Field(min_length=1, max_length=100)
    events: int = Field(ge=1)
    replay: Literal["exact", "bound", "refuted"]
    ledgers: tuple[HexDigest, ...] = ()


class Scope(Document):
    """What a plan declares for its audit, as far as it says which figures there must be.

    Attributes:
        groups: columns of groups.
        secrets: columns that attribute inference guesses.
        tasks: columns that models predict.
        canaries: rows that were planted.
    """

    groups: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    canaries: int = Field(default=0, ge=0, le=1_000_000)

    @classmethod
    def of(cls, settings: AuditSettings) -> Self:
        """The scope of an audit's settings."""
        return cls(groups=settings.groups, secrets=settings.secrets, tasks=settings.tasks, canaries=settings.canaries)

    @property
    def settings(self) -> AuditSettings:
        """Settings of this scope, all else as usual."""
        return AuditSettings(groups=self.groups, secrets=self.secrets, tasks=self.tasks, canaries=self.canaries)


class Attacked(Document):
    """The sum in which organisations attacked a candidate; with the plan it gives the Task that is in their receipts.

    Attributes:
        candidate: SHA-256 of the candidate's bytes as `headwater.evidence.candidate_file` packs them.
        step: of the Task.
        checks: name and number of counts of each check, in the order of the counts.
    """

    candidate: HexDigest
    step: int = Field(ge=1, le=100_000)
    checks: tuple[tuple[str, int], ...] = Field(max_length=1000)


class FederationFacts(Document):
    """The sums behind a candidate.

    Attributes:
        organisations: how many took part.
        threshold: of them, whose shares open a sum (protocol 1.2).
        receipts: digest of the last document of the run's chain of receipts, as `headwater-org receipts` shows it.
        canaries: what commits the organisations to their planted rows, sorted; empty where none were planted.
        attacked: what they attacked together; None under a privacy budget, where no figure of theirs leaves.
    """

    organisations: int = Field(ge=1, le=1_000_000)
    threshold: int = Field(ge=1, le=1_000_000)
    receipts: HexDigest
    canaries: tuple[HexDigest, ...] = ()
    attacked: Attacked | None = None


def _kind(value: object) -> str:
    return "none" if isinstance(value, str) else "facts"


PrivacyStated = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[PrivacyFacts, Tag("facts")], Discriminator(_kind)
]
Federation = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[FederationFacts, Tag("facts")], Discriminator(_kind)
]


class Evidence(Document):
    """Everything that an audit found, without a judgement. It names private figures: it stays where it was made.

    Attributes:
        candidate: SHA-256 of the bytes that may be published: of data.parquet, or of a file of synthetic rows.
        rows: synthetic rows.
        settings: digest of the audit's settings.
        scope: what the settings declare; None where nobody else has to know which figures there must be.
        source: whose rows were counted.
        organisations: whose counts are in it; 1 for one holder of files.
        started: when the audit began.
        ended: when it was done.
        software: that measured.
        privacy: what the run claims, or "none".
        federation: the sums behind the candidate, or "none" for files.
        licence_stated: whether the release will name a licence; None where that was not asked.
        measures: all figures, whatever came of them; sorted by name, each once.
        disclosures: what may be published of a check's figures, by its name or the beginning of it up to a dot; only
            whether it passed where a name is not there.
    """

    format: Literal["headwater-evidence/1"] = "headwater-evidence/1"
    candidate: HexDigest
    rows: int = Field(ge=1, le=2**53 - 1)
    settings: HexDigest
    scope: Scope | None = None
    source: Source
    organisations: int = Field(default=1, ge=1, le=1_000_000)
    started: Instant
    ended: Instant
    software: str = Field(min_length=1, max_length=200)
    privacy: PrivacyStated
    federation: Federation = "none"
    licence_stated: bool | None = None
    measures: tuple[Measure, ...]
    disclosures: Mapping[str, Disclosure] = Field(default_factory=dict)

    @field_validator("measures")
    @classmethod
    def _sorted(cls, measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
        # In one order, so that the same figures have the same digest in whatever order the checks ran.
        ordered = tuple(sorted(measures, key=lambda measure: (measure.check, measure.subject)))
        for before, measure in pairwise(ordered):
            if (before.check, before.subject) == (measure.check, measure.subject):
                raise ValueError(f"{measure.name} was measured twice; which figure counts cannot be told")
        for measure in ordered:
            if measure.check.startswith(FACTS):
                raise ValueError(f"{measure.name} is a fact of the evidence and no check's to measure")
        return ordered

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        files = self.source == "one holder of files"
        if files != (self.federation == "none"):
            raise ValueError("files have no federation and sums of organisations have one")
        if files and self.organisations != 1:
            raise ValueError("one holder of files is one organisation")
        if self.ended < self.started:
            raise ValueError("the audit ended before it began; set the clock")
        return self


def is_apart(source: Source, privacy: PrivacyStated) -> bool:
    """Whether evidence has no figure of real rows because none may leave: every organisation judges by its own."""
    return source == "each organisation for itself" and privacy != "none"


def disclosure_of(evidence: Evidence, check: str) -> Disclosure:
    """What may be published of a check's figures.

    Under a privacy budget all that depends on a real row is outside ε, so at most whether it passed may be told.

    Args:
        evidence: of the audit.
        check: dotted name.
    """
    parts = check.split(".")
    if parts[0] in PUBLIC:
        return "public"
    stated: Disclosure = "verdict"
    for length in range(len(parts), 0, -1):
        # One check gives several measures: "membership" gives "membership.nearest".
        if (name := ".".join(parts[:length])) in evidence.disclosures:
            stated = evidence.disclosures[name]
            break
    # Of a row nothing is published whole, whatever was stated.
    return "bucket" if stated != "verdict" and evidence.privacy == "none" else "verdict"


def facts_as_measures(privacy: PrivacyStated, licence_stated: bool | None) -> tuple[Measure, ...]:
    """The facts that policies judge beside measures, in the same form.

    Args:
        privacy: that the run claims.
        licence_stated: as in the evidence.

    Returns:
        "ledger.epsilon" and "ledger.replay" (1 where the events come to no more than ε) where there is a privacy
        claim, "release.licence" (1 where one is stated) where that is known.
    """
    found: list[Measure] = []
    if privacy != "none":
        found.append(Measure(check="ledger.epsilon", value=privacy.epsilon, trials=privacy.events))
        if privacy.replay == "bound":
            why = "ε was held to arithmetic alone, which neither confirms nor refutes it; install headwater[privacy]"
            found.append(Measure(check="ledger.replay", status="inconclusive", reason=why, better="higher"))
        else:
            held = 1.0 if privacy.replay == "exact" else 0.0
            found.append(Measure(check="ledger.replay", value=held, null=1.0, better="higher", trials=privacy.events))
    if licence_stated is not None:
        found.append(Measure(check="release.licence", value=float(licence_stated), better="higher"))
    return tuple(found)

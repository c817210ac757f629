"""The sentences that say aloud what a release does not protect, the same wherever it is shown."""

from collections.abc import Sequence
from typing import NamedTuple

from headwater.agreement.differencing import differencing_statement
from headwater.privacy.words import (
    NOT_PRIVATE,
    OUTSIDE,
    PUBLIC,
    SCHEMA_FROM_ROWS,
    WEAK,
    coordinator_in_words,
    covered_in_words,
    guarantee_in_short,
    noise_in_words,
    private_in_words,
    uncovered_in_words,
    weakness_in_words,
)
from headwater.release.manifest import Protection
from headwater.release.privacy_claim import Privacy, PrivacyClaim
from headwater.release.verdict import AuditClaim

__all__ = [
    "SIGNATURES",
    "Statement",
    "citation",
    "headline",
    "not_to_be_used_for",
    "privacy_in_short",
    "privacy_tag",
    "protection_statement",
    "signatures_in_words",
    "verdict_in_words",
]

SIGNATURES = "signed by the coordinator; no organisation has signed yet"
"""Who stands behind a release that was not audited."""

_COUNTERSIGNED = "published under the signatures of the coordinator and a quorum of organisations; verify checks them"


def signatures_in_words(protection: Protection) -> str:
    """Who stands behind a release, as far as its manifest says."""
    return SIGNATURES if protection.audit == "none" else _COUNTERSIGNED


class Statement(NamedTuple):
    """One thing that the reader of a release must know.

    Attributes:
        short: what it is about.
        full: a sentence or more.
        clauses: a sentence each, where `full` introduces several things.
        grave: it takes back a part of what the headline promises.
    """

    short: str
    full: str
    clauses: tuple[str, ...] = ()
    grave: bool = False


def headline(privacy: Privacy) -> str:
    """The first thing that a reader sees."""
    if isinstance(privacy, PrivacyClaim):
        weak = f" {WEAK}." if weakness_in_words(privacy.epsilon) else ""
        said = f"{private_in_words(privacy.epsilon, privacy)}.{weak}"
        return said if privacy.schema_confirmed else f"{said} {_sentence(SCHEMA_FROM_ROWS)}"
    return f"Privacy: NONE. This dataset is {NOT_PRIVATE}."


def privacy_in_short(privacy: Privacy) -> str:
    """What a list shows, in at most 41 letters; "none" without differential privacy.

    A star stands for what has no room there: `SCHEMA_FROM_ROWS`.
    """
    if not isinstance(privacy, PrivacyClaim):
        return "none"
    said = guarantee_in_short(privacy.epsilon, privacy)
    return said if privacy.schema_confirmed else f"{said}{OUTSIDE}"


def privacy_tag(privacy: Privacy) -> str:
    """What dataset hubs search for."""
    return "differentially-private" if isinstance(privacy, PrivacyClaim) else "not-differentially-private"


def protection_statement(organisations: int, unconfirmed_schema: bool, protection: Protection) -> Sequence[Statement]:
    """Each thing that the reader must know, the gravest first.

    Args:
        organisations: how many took part in the run.
        unconfirmed_schema: the schema was drafted from rows and a guess of it is not confirmed.
        protection: what the manifest records of the run.
    """
    privacy = protection.privacy
    audit, signed = _audit_statement(protection)
    if isinstance(privacy, PrivacyClaim):
        return [
            *_private_statement(organisations, privacy),
            Statement(*differencing_statement(protection.differencing)),
            audit,
            signed,
        ]
    statements = [
        Statement(
            "Not differentially private",
            "No noise was added anywhere. A generator can memorise: single synthetic rows may come close to a real "
            "person's record, and nothing bounds what they tell about that person.",
        ),
        Statement(*differencing_statement(protection.differencing)),
        Statement(
            "The coordinator saw exact sums",
            f"Each organisation's contribution was masked, but the sums over the {organisations} organisations came "
            "to the coordinator exactly, without noise.",
        ),
        audit,
        signed,
    ]
    if unconfirmed_schema:
        statements.append(
            Statement(
                "Schema read from the rows",
                "Bounds and categories were drafted from rows and not confirmed by a person, so they may themselves "
                "show values of real records.",
            )
        )
    return statements


def verdict_in_words(claim: AuditClaim) -> str:
    """What an audit came to, in a sentence without its full stop."""
    policy = f"policy {claim.policy.name}, version {claim.policy.version}"
    said = {
        "pass": f"it was attacked before it was published and passed under {policy}",
        "pass with warnings": f"it was attacked before it was published and passed with warnings under {policy}",
    }[claim.verdict]
    waived = f"; NOT passed but waived by two organisations: {', '.join(claim.waived)}" if claim.waived else ""
    aside = f"; not applicable: {', '.join(claim.not_applicable)}" if claim.not_applicable else ""
    left = f"; judged by each signing organisation on its own rows: {', '.join(claim.left)}" if claim.left else ""
    return f"{said}{waived}{aside}{left}"


def _audit_statement(protection: Protection) -> tuple[Statement, Statement]:
    """What was done to find a leak, and who answers for it."""
    claim = protection.audit
    if claim == "none":
        return (
            Statement(
                "No privacy audit",
                "No attack on these rows was measured before they were published; what a run measures on its own "
                "generator while it fits it is no audit.",
            ),
            Statement(
                "Signed by the coordinator alone",
                "The consortium's coordinator vouches for the files; no organisation has signed this release yet.",
            ),
        )
    tried = (
        "the first candidate"
        if claim.attempts == 1
        else f"attempt {claim.attempts} at its plan, over all runs; all are logged"
    )
    return (
        Statement(
            "Audited where the real rows are",
            f"{_sentence(verdict_in_words(claim))} It was {tried}. An audit finds the leaks that it looks for, in the "
            "rows that it has; it bounds nothing.",
            grave=bool(claim.waived),
        ),
        Statement(
            "Signed by organisations",
            "The coordinator and a quorum of the organisations whose records these rows were made from signed this "
            "release; `headwater verify` checks each signature.",
        ),
    )


def _private_statement(organisations: int, claim: PrivacyClaim) -> Sequence[Statement]:
    schema = Statement(
        SCHEMA_FROM_ROWS[0].upper() + SCHEMA_FROM_ROWS[1:],
        "Bounds and categories were read from rows by a program and not confirmed by a person: bounds are smallest and "
        "largest values of real records, categories are what these hold, and ε protects none of them.",
        grave=True,
    )
    covered = covered_in_words(claim.epsilon, claim, len(claim.events), claim.aborted, claim.gradients)
    uncovered = uncovered_in_words(claim, disjoint_people=claim.disjoint_people)
    return [
        *([Statement(WEAK, _sentence(weak), grave=True)] if (weak := weakness_in_words(claim.epsilon)) else []),
        *([] if claim.schema_confirmed else [schema]),
        Statement("What ε covers", _sentence(covered)),
        *(
            (Statement("How much noise there is", _sentence(noise_in_words(noise))),)
            if (noise := claim.deviations)
            else ()
        ),
        Statement("What was public", _sentence(f"{PUBLIC}, {claim.most_rows:,}")),
        Statement("What ε does not cover", "By itself it bounds nothing of these:", tuple(map(_sentence, uncovered))),
        Statement("The coordinator saw noisy sums", _sentence(coordinator_in_words(claim, organisations))),
    ]


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def not_to_be_used_for() -> Sequence[str]:
    """What nobody should do with the rows."""
    return (
        "Deciding anything about a person: credit, care, employment, insurance, benefits or prosecution.",
        "Finding out whether a person was in the original records, or what they say about anyone.",
        "Publishing it as anonymous data: in law it may still be personal data until an audit says otherwise.",
        "Final figures of a study or a safety case: repeat them on real records where that is allowed.",
        "Claims about small groups or rare combinations: they are where a generator errs most.",
    )


def citation(consortium: str, title: str, name: str, version: int, created: str) -> str:
    """How a paper names this version of the dataset; `created` is an instant whose first four digits are the year."""
    return f"{consortium} ({created[:4]}): {title}, version {version}. Synthetic dataset “{name}”, made with Headwater."

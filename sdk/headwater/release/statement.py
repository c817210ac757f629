"""The sentences that say aloud what a release does not protect, the same wherever it is shown."""

from collections.abc import Sequence

from headwater.agreement.differencing import Differencing, differencing_statement

__all__ = ["HEADLINE", "SIGNATURES", "citation", "not_to_be_used_for", "protection_statement"]

HEADLINE = "Privacy: NONE. This dataset is NOT DIFFERENTIALLY PRIVATE."
"""The first thing that a reader sees."""

SIGNATURES = "signed by the coordinator; no organisation has signed yet"
"""Who stands behind a release until organisations sign releases too."""


def protection_statement(
    organisations: int, unconfirmed_schema: bool, differencing: Differencing
) -> Sequence[tuple[str, str]]:
    """(short, full) for each thing that the reader must know, the gravest first.

    Args:
        organisations: how many took part in the run.
        unconfirmed_schema: the schema was drafted from rows and a guess of it is not confirmed.
        differencing: what the manifest records of the run's sums.
    """
    statements = [
        (
            "Not differentially private",
            "No noise was added anywhere. A generator can memorise: single synthetic rows may come close to a real "
            "person's record, and nothing bounds what they tell about that person.",
        ),
        differencing_statement(differencing),
        (
            "The coordinator saw exact sums",
            f"Each organisation's contribution was masked, but the sums over the {organisations} organisations came "
            "to the coordinator exactly, without noise.",
        ),
        (
            "No privacy audit",
            "No attack on these rows was measured before they were published; what a run measures on its own generator "
            "while it fits it is no audit.",
        ),
        (
            "Signed by the coordinator alone",
            "The consortium's coordinator vouches for the files; no organisation has signed this release yet.",
        ),
    ]
    if unconfirmed_schema:
        statements.append(
            (
                "Schema read from the rows",
                "Bounds and categories were drafted from rows and not confirmed by a person, so they may themselves "
                "show values of real records.",
            )
        )
    return statements


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

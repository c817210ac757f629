"""What may leave of a run's generator: nothing, rows on request, or its weights."""

from typing import Literal

from headwater.agreement.documents import Document
from headwater.evidence.terms import AuditTerms
from headwater.privacy.budget import Budget

__all__ = ["TERMS", "GeneratorTerms", "ReleaseTerms", "generator_in_words", "terms_problem", "within"]

GeneratorTerms = Literal["kept", "on request", "released"]
"""What readers may have of the generator: nothing, rows that the coordinator samples for them, or its bundle in
generator/ (and rows on request)."""

TERMS: tuple[GeneratorTerms, ...] = ("kept", "on request", "released")
"""From the least to the most; each allows what stands before it."""

_WORDS: dict[GeneratorTerms, str] = {
    "kept": "stays with the coordinator; what may be published are the rows of the release and nothing else of it",
    "on request": "stays with the coordinator, who may sample more rows of it for readers: by number, under "
    "conditions, balanced, in views",
    "released": "may be published with the rows, weights and encoding: whoever has it draws as many rows as they "
    "like, asks it how likely a record is, and nobody can take it back",
}


class ReleaseTerms(Document):
    """What of a run may be released beside the audited rows.

    Attributes:
        generator: the most that a release may give of the generator; a release may give less.
    """

    generator: GeneratorTerms = "kept"


def within(terms: GeneratorTerms, most: GeneratorTerms) -> bool:
    """Whether terms give no more than others."""
    return TERMS.index(terms) <= TERMS.index(most)


def terms_problem(terms: ReleaseTerms, privacy: Literal["none"] | Budget, audit: Literal["none"] | AuditTerms) -> str:
    """Why a plan cannot have these terms, in one line; "" where it can.

    Under a budget whatever is drawn from the generator, and its weights, are post-processing of what was paid for.
    Without one more would leave than anybody attacked: a generator answers questions that its rows do not.
    """
    if terms.generator == "kept":
        return ""
    if privacy == "none":
        return (
            f'release.generator is "{terms.generator}", and without a privacy budget nothing of the generator leaves '
            'but the rows that were attacked; say "kept", or give the plan a budget'
        )
    if audit == "none":
        return f'release.generator is "{terms.generator}" and nothing is released unaudited; give the plan an audit'
    return ""


def generator_in_words(terms: GeneratorTerms) -> str:
    """What readers may have of the generator, after "the generator is kept:" and the like."""
    return f"it {_WORDS[terms]}"

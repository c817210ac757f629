"""What audit.json tells of real rows, in words for cards and metadata: never more than it discloses."""

from collections.abc import Sequence

from headwater.release.audit_file import PublicFigure, PublishedAudit
from headwater.release.policy.decision import left_in

__all__ = ["biases_in_words", "closeness_in_words", "range_in_words", "usefulness_in_words"]

_MOST = 40
_BIASES = {
    "bias.ratio": "Share of the group {subject} over its share in the real rows: {range} (1 where it is kept).",
    "bias.parity": "Rates of the outcome, {subject}: {range} further apart than in the real rows (0 where nothing is "
    "amplified).",
    "bias.odds": "Equalised-odds difference, {subject}: {range} more for a model that learned from synthetic rows (0 "
    "where it is as fair).",
    "bias.usefulness": "ROC AUC, {subject}: {range} lost beyond what all rows lose (0 where no group loses more).",
}
_CLOSENESS = {
    "marginals.1-way": "Distance of single columns from the real rows: {range} of 1.",
    "marginals.2-way": "Distance of pairs of columns from the real rows: {range} of 1.",
    "marginals.3-way": "Distance of triples of columns from the real rows: {range} of 1.",
    "coverage.modes": "Share of the real rows' modes that the synthetic rows reach: {range}.",
    "coverage.2-way": "Share of the real rows' frequent pairs of values that are there: {range}.",
    "coverage.invented-3-way": "Share of synthetic triples of values that no real row has: {range}.",
}


def range_in_words(figure: PublicFigure) -> str | None:
    """A figure, or the range that it is told to lie in; None where neither may be told or it was not measured."""
    if figure.status != "measured":
        return None
    if figure.value is not None:
        return f"{figure.value:.4g}"
    if figure.between is None:
        return None
    low, high = figure.between
    if low is None or high is None:
        return f"below {high:g}" if high is not None else f"above {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def biases_in_words(audit: PublishedAudit) -> Sequence[str]:
    """A sentence for each group that was measured; what was left to the organisations, or not measured, is said."""
    told = _told(audit, _BIASES)
    left = [gate for gate in left_in(audit.decision) if gate == "G12"]
    if left:
        told.append("Bias by group was judged by each signing organisation on its own rows; no figure of it may leave.")
    elif not told:
        told.append("Bias by group was not measured: no groups were declared, or there are too few rows of them.")
    return told


def closeness_in_words(audit: PublishedAudit) -> Sequence[str]:
    """A sentence for each measured distance from the real rows."""
    return _told(audit, _CLOSENESS)


def usefulness_in_words(audit: PublishedAudit) -> Sequence[str]:
    """A sentence for each task that was tried."""
    words = (
        "A model that learned to predict {subject} from synthetic rows keeps this much of the ROC AUC of one that "
        "learned from real rows, tested on real rows: {range}."
    )
    return _told(audit, {"usefulness": words})


def _told(audit: PublishedAudit, words: dict[str, str]) -> list[str]:
    found = [
        words[figure.check].format(subject=figure.subject or "all rows", range=said)
        for figure in audit.figures
        if figure.check in words and (said := range_in_words(figure)) is not None
    ]
    more = len(found) - _MOST
    return [*found[:_MOST], f"And {more} more, in audit.json."] if more > 0 else found

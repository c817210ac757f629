"""A run's candidate and its audit in plain words, for whoever watches."""

from collections.abc import Mapping
from typing import Any

__all__ = ["audit_in_words", "candidate_in_words"]

Record = Mapping[str, Any]


def candidate_in_words(record: Record) -> str:
    """What was sampled, or why nothing was."""
    if record.get("failed"):
        return f"failed: {record['failed']}; the generator stands, and nothing can be released from it"
    sampled = f"{record['rows']:,} rows sampled, {record['bytes'] / 2**20:,.1f} MiB"
    if record.get("counts"):
        return f"{sampled}, for {record['counts']:,} counts at the organisations"
    return f"{sampled}; nothing about it is counted on real rows"


def audit_in_words(record: Record) -> str:
    """Who attacked the candidate, or why what they counted is of no use."""
    if not record.get("accepted", True):
        return (
            f"not taken: {record['reason']}. Under masks nobody can tell whose it was; the generator stands, and "
            "nothing can be released from it"
        )
    return f"{record['contributors']} organisations attacked the candidate on rows that nothing used"

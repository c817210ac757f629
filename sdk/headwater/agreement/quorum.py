"""How many organisations must sign a release before it is published."""

from headwater.agreement.charter import Charter
from headwater.secagg.protocol.terms import threshold

__all__ = ["quorum_in_words", "release_quorum"]


def release_quorum(charter: Charter) -> int:
    """Organisations whose signature a release under this charter needs.

    Args:
        charter: that the release's run was proposed under.

    Returns:
        What the charter says; where it says nothing, T(n) = ⌊2n/3⌋ + 1 of its n members, as for the charter's next
        version (protocol 1.2).
    """
    return threshold(len(charter.members)) if charter.release_quorum is None else charter.release_quorum


def quorum_in_words(charter: Charter) -> str:
    """The same in one sentence without its full stop, for people."""
    members = len(charter.members)
    return f"a release is published when {release_quorum(charter)} of {members} members have signed it"

"""When one version of the charter may follow another: by a threshold of the former members (protocol 1.1)."""

from dataclasses import dataclass

from headwater.agreement.charter import Charter, SignedCharter
from headwater.errors import PeerError
from headwater.secagg.protocol.terms import threshold

__all__ = ["CharterHistory", "SignatureTally", "check_succession", "tally", "verify_succession"]


@dataclass(frozen=True, slots=True)
class SignatureTally:
    """Which signatures a version has and which it still needs to be in force.

    Attributes:
        needed: how many members of the version before must sign, T(n) of their number; 0 for version 1.
        former_signed: those of them who have, sorted.
        former_missing: those of them who have not, sorted.
        newcomers_missing: members who are new, or have another key, and have not signed; each of them must. In
            version 1 everybody is new.
        former_coordinator_missing: the coordinator's key is another and the former one has not signed.
    """

    needed: int
    former_signed: tuple[str, ...]
    former_missing: tuple[str, ...]
    newcomers_missing: tuple[str, ...]
    former_coordinator_missing: bool

    @property
    def more_needed(self) -> int:
        """How many more members of the version before must sign."""
        return max(0, self.needed - len(self.former_signed))

    @property
    def complete(self) -> bool:
        """Nothing is missing: a version whose signatures were checked is then in force."""
        return not (self.more_needed or self.newcomers_missing or self.former_coordinator_missing)


def tally(former: Charter | None, signed: SignedCharter) -> SignatureTally:
    """Count the signatures of a version, believing each: they must have been checked.

    Args:
        former: the version before; None for version 1.
        signed: the version.
    """
    present = set(signed.signatures)
    before = {} if former is None else former.keys
    now = signed.charter.keys
    # A member counts as former by the key that the former version gave it, so one with another key signs twice.
    counted = {member for member, key in before.items() if now.get(member) == key and member in present}
    counted |= set(signed.former_signatures) & set(before)
    newcomers = {member for member, key in now.items() if before.get(member) != key}
    changed = former is not None and former.coordinator_key != signed.charter.coordinator_key
    return SignatureTally(
        needed=0 if former is None else threshold(len(before)),
        former_signed=tuple(sorted(counted)),
        former_missing=tuple(sorted(set(before) - counted)),
        newcomers_missing=tuple(sorted(newcomers - present)),
        former_coordinator_missing=changed and signed.former_coordinator_signature is None,
    )


def check_succession(former: SignedCharter, following: SignedCharter) -> SignatureTally:
    """Check that a version was made to follow another and that every signature on it is genuine.

    Signatures may still be missing: the tally says which. `former` must itself be in force; a caller that cannot know
    builds a `CharterHistory`.

    Raises:
        PeerError: the version is older or the same, skips one, names another version before it, or carries a signature
            that is forged or a stranger's.
    """
    before, now = former.charter, following.charter
    if now.version <= before.version:
        # Fail closed: whoever holds version k never goes back, or a removed member would return.
        raise PeerError(
            f"the charter was rolled back: version {now.version} cannot follow version {before.version}; "
            "do not accept it, tell the other members"
        )
    if now.version != before.version + 1:
        raise PeerError(
            f"version {now.version} of the charter skips {now.version - before.version - 1} after "
            f"version {before.version}; fetch the versions in between"
        )
    if now.previous != before.digest:
        raise PeerError(
            f"version {now.version} of the charter follows another version {before.version} "
            f"({str(now.previous)[:16]}… and not {before.digest[:16]}…); do not accept it, tell the other members"
        )
    following.check_signatures()
    following.check_former_signatures(before)
    return tally(before, following)


def verify_succession(former: SignedCharter, following: SignedCharter) -> None:
    """Check that a version is in force after `former` (protocol 1.1).

    It is when both coordinators signed it (one, if the key is the same), at least T(n) = ⌊2n/3⌋ + 1 of the former
    version's n members by their keys of then, and every member that is new or has another key. The minimum cohort may
    fall: those who sign are shown that (`headwater.agreement.charter_words`).

    Raises:
        PeerError: as `check_succession`, or a signature is missing; the line says whose.

    Source: The Update Framework, specification 1.0.34, 5.3 (root role); T(n) as in protocol 1.2, so that two versions
        that both follow one need more than c members who signed both.
    """
    counted = check_succession(former, following)
    now, before = following.charter.version, former.charter.version
    key_changed = following.charter.coordinator_key != former.charter.coordinator_key
    if counted.more_needed:
        what = "names another coordinator key" if key_changed else "is not in force"
        members = len(counted.former_signed) + len(counted.former_missing)
        raise PeerError(
            f"version {now} of the charter {what}: {len(counted.former_signed)} of the {members} members of version "
            f"{before} signed it and {counted.needed} must; not signed by {', '.join(counted.former_missing)}"
        )
    if counted.former_coordinator_missing:
        raise PeerError(
            f"version {now} of the charter names another coordinator key, and the coordinator of version {before} did "
            "not sign it; do not accept it, ask the operator"
        )
    if counted.newcomers_missing:
        raise PeerError(
            f"version {now} of the charter is not signed by {', '.join(counted.newcomers_missing)}, who are new in it; "
            "each must accept it first"
        )


@dataclass(frozen=True, slots=True)
class CharterHistory:
    """Every version of one consortium's charter from the first to one in force, each following the one before.

    Guarantee: an instance exists only if version 1 is signed by all its members and every later version by the
    threshold of the one before; the digest of its newest version stands for all of it, through `previous`.
    """

    charters: tuple[SignedCharter, ...]

    def __post_init__(self) -> None:
        """Check the whole chain.

        Raises:
            PeerError: it is empty, does not begin with version 1, or a version is not in force.
        """
        if not self.charters:
            raise PeerError("a charter's history has no version in it; fetch it again")
        self.charters[0].verify()
        for former, following in zip(self.charters, self.charters[1:], strict=False):
            verify_succession(former, following)

    @property
    def newest(self) -> Charter:
        """The version in force."""
        return self.charters[-1].charter

    def find(self, digest: str) -> Charter | None:
        """The version with this digest, or None."""
        return next((signed.charter for signed in self.charters if signed.charter.digest == digest), None)

    def check_holds(self, pinned: Charter) -> None:
        """Check that this history goes through a version that the reader pinned (fail closed: it never goes back).

        Raises:
            PeerError: it ends before that version, or has another one in its place.
        """
        if self.newest.version < pinned.version:
            raise PeerError(
                f"the charter was rolled back: version {self.newest.version} is shown as the newest, version "
                f"{pinned.version} is pinned here and never given up; tell the other members"
            )
        shown = self.charters[pinned.version - 1].charter
        if shown.digest != pinned.digest:
            raise PeerError(
                f"another version {pinned.version} of the charter is shown ({shown.digest[:16]}…) than the one pinned "
                f"here ({pinned.digest[:16]}…); do not accept it, tell the other members"
            )

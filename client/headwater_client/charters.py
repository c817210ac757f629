"""Following the charter from version to version at the coordinator, and accepting one."""

from dataclasses import dataclass

from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.charter_words import changes_in_words
from headwater.agreement.succession import CharterHistory, check_succession, verify_succession
from headwater.errors import InputError, PeerError
from headwater_client.consent import check_digest_named, check_own_entry, is_digest_named
from headwater_client.coordinator import Coordinator
from headwater_client.membership import Membership
from headwater_client.reviews import CharterReview

__all__ = ["Charters"]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the coordinator shows, every signature checked.

    Attributes:
        history: the versions in force; None before the first.
        newest: in force, or proposed to follow the history's last.
    """

    history: CharterHistory | None
    newest: SignedCharter

    @property
    def in_force(self) -> bool:
        return self.history is not None and self.history.newest.digest == self.newest.charter.digest

    def before(self, charter: Charter) -> Charter | None:
        """The version before one of these; None for the first."""
        return None if charter.previous is None or self.history is None else self.history.find(charter.previous)


class Charters:
    """The charter as this organisation holds to it; see `Organisation` for what each method promises."""

    def __init__(self, membership: Membership, coordinator: Coordinator) -> None:
        """Use an open folder and a connected coordinator."""
        self._membership = membership
        self._store = membership.store
        self._coordinator = coordinator

    def review(self) -> CharterReview:
        """The newest version at the coordinator, and what it changes for a reader of the last accepted one."""
        shown = self._followed()
        newest, accepted = shown.newest, self._store.accepted_charter()
        former = shown.before(newest.charter)
        self._check_own_entry(newest.charter, former)
        return CharterReview(
            signed=newest,
            accepted=accepted is not None and accepted.charter.digest == newest.charter.digest,
            ours=self._membership.member_id,
            former=former,
            in_force=shown.in_force,
            changes=self._changes(shown, accepted),
        )

    def accept(self, digest: str, instead_of: str) -> SignedCharter:
        """Keep that a version was accepted, then sign it for the others."""
        shown = self._followed()
        signed = shown.newest
        if shown.history is not None and is_digest_named(digest, shown.history.newest.digest):
            signed = shown.history.charters[-1]
        charter = signed.charter
        check_digest_named(digest, charter.digest, "charter")
        former = shown.before(charter)
        self._check_own_entry(charter, former)
        if shown.history is not None:
            self._store.follow_charter(shown.history)
        # Kept before it is signed for others: whatever happens next, this organisation holds to it.
        self._store.accept_charter(signed, self._accepted_before(instead_of))
        if charter.digest != shown.newest.charter.digest:
            # It is in force and the next one is proposed already: the coordinator gathers signatures for that alone.
            return signed
        signature = charter.signed_by(self._membership.identity_key())
        complete = self._coordinator.sign_charter(charter.digest, signature)
        if complete.charter.digest != charter.digest:
            raise PeerError("the coordinator answered with another charter than the one signed; ask the operator")
        # Again, now with its own signature, so that it can say whose are missing while the coordinator is away.
        self._store.accept_charter(complete)
        self._followed()
        return complete

    def in_force(self) -> CharterHistory:
        """The versions in force, followed to the newest; what is known here is never given up."""
        accepted = self._store.accepted_charter()
        if accepted is None:
            raise InputError("no charter is accepted here; `headwater-org charter show`, then `charter accept`")
        shown = self._followed()
        if shown.history is None:
            # protocol 1.1: version 1 needs every member's signature.
            missing = ", ".join(shown.newest.missing_signatures)
            raise PeerError(f"the charter is not signed by {missing}; every member must accept it first")
        return shown.history

    def check_accepted(self, history: CharterHistory) -> None:
        """Check that a person here accepted the newest version in force, or the one proposed after it (protocol 1.1).

        Raises:
            InputError: not yet; new runs wait for it.
            PeerError: it no longer names this organisation, or gives it another key.
        """
        newest, accepted = history.newest, self._store.accepted_charter()
        check_own_entry(
            newest, self._membership.member_id, self._membership.identity_key(), self._membership.ca_digest()
        )
        if accepted is None or newest.digest not in (accepted.charter.digest, accepted.charter.previous):
            raise InputError(
                f"version {newest.version} of the charter is in force and was not accepted here; "
                "`headwater-org charter show`, then `charter accept`: new runs wait for it"
            )

    # Parts.

    def _followed(self) -> _Shown:
        """Fetch and check every version that is not known here; remember those in force once one was accepted."""
        shown = self._fetched()
        if shown.history is not None and self._store.accepted_charter() is not None:
            self._store.follow_charter(shown.history)
        return shown

    def _fetched(self) -> _Shown:
        newest, held = self._coordinator.charter(), self._store.charter_history()
        if held is not None and newest.charter.version <= held.newest.version:
            _check_same_history(newest, held)
            return _Shown(held, newest)
        versions = [] if held is None else list(held.charters)
        for version in range(len(versions) + 1, newest.charter.version):
            between = self._coordinator.charter(version)
            _check_follows(versions, between)
            versions.append(between)
        if _in_force_after(versions, newest):
            versions.append(newest)
        return _Shown(CharterHistory(tuple(versions)) if versions else None, newest)

    def _check_own_entry(self, charter: Charter, former: Charter | None) -> None:
        check_own_entry(
            charter, self._membership.member_id, self._membership.identity_key(), self._membership.ca_digest(), former
        )

    def _changes(self, shown: _Shown, accepted: SignedCharter | None) -> tuple[str, ...]:
        newest = shown.newest.charter
        base = shown.before(newest)
        if accepted is not None and shown.history is not None and accepted.charter.version < newest.version:
            # What this reader agreed to last, which may be several versions ago.
            base = shown.history.find(accepted.charter.digest) or base
        return () if base is None else changes_in_words(base, newest)

    def _accepted_before(self, instead_of: str) -> str:
        """The whole digest of the accepted version that `instead_of` names; empty when it names none."""
        accepted = self._store.accepted_charter()
        if not instead_of or accepted is None:
            return ""
        check_digest_named(instead_of, accepted.charter.digest, "charter that was accepted here")
        return accepted.charter.digest


def _check_same_history(newest: SignedCharter, held: CharterHistory) -> None:
    shown = newest.charter
    if shown.version < held.newest.version:
        raise PeerError(
            f"the charter was rolled back: the coordinator shows version {shown.version} as the newest, version "
            f"{held.newest.version} is in force here and never given up; tell the other members"
        )
    if shown.digest != held.newest.digest:
        raise PeerError(
            f"the coordinator shows another version {shown.version} of the charter ({shown.digest[:16]}…) than the one "
            f"in force here ({held.newest.digest[:16]}…); do not accept it, tell the other members"
        )
    if len(held.charters) > 1:
        newest.check_former_signatures(held.charters[-2].charter)


def _check_follows(versions: list[SignedCharter], signed: SignedCharter) -> None:
    if versions:
        verify_succession(versions[-1], signed)
    else:
        signed.verify()


def _in_force_after(versions: list[SignedCharter], signed: SignedCharter) -> bool:
    if versions:
        return check_succession(versions[-1], signed).complete
    signed.check_signatures()
    return not signed.missing_signatures

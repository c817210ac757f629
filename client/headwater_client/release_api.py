"""The part of an organisation's Python API about releases."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater.agreement.release_decision import SignedReleaseDecision
from headwater_client.connectors.opening import Rows, open_source
from headwater_client.membership import Membership
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.transport.releases import ReleasesClient, ReleaseStatus

if TYPE_CHECKING:
    from headwater.audit.running import Progress, Watcher
    from headwater.release.policy.waiver import SignedWaiver
    from headwater_client.release_decisions import ReleaseDecisions, ReleaseReview

__all__ = ["ReleaseApi"]


def _unwatched(progress: "Progress") -> None:
    """Nobody looks on."""


class ReleaseApi:
    """What `headwater_client.Organisation` does about releases."""

    _membership: Membership

    def releases(self) -> Sequence[ReleaseStatus]:
        """Releases of runs under a charter that names this organisation, oldest first, in the coordinator's words.

        Raises:
            TransportError: the coordinator is away.
        """
        with self._release_decisions() as decisions:
            return decisions.releases()

    def review_release(
        self, release: str, rows: Rows | None = None, *, entity: str | None = None, watcher: "Watcher" = _unwatched
    ) -> "ReleaseReview":
        """Fetch a release, verify everything about it, and audit it by this organisation's own rows.

        Args:
            release: NAME, NAME/VERSION, its digest or the first digits of that.
            rows: whatever `headwater_client.connectors.open_source` takes; None looks without an own audit, or shows
                the one that was made before.
            entity: column that names whose each row is; plans that protect persons need it.
            watcher: told when each check begins and ends.

        Raises:
            InputError: there is no such release, nobody here approved its run, the rows cannot be read, or are others
                than took part in the run.
            ReleaseRefused: something about the release does not hold; the line says what.
            PeerError, TransportError: as `plan`.
            StorageError: the folder cannot be written.

        Guarantee: of the rows nothing leaves; what the own audit found stays in audit-internal.json, for this
            organisation's people alone.
        """
        source = None if rows is None else open_source(rows, entity)
        with self._release_decisions() as decisions:
            return decisions.review(release, source, watcher)

    def said_of_release(self, release: str) -> SignedReleaseDecision | None:
        """What this organisation has said of a release before; None where it said nothing, or not from this home.

        Args:
            release: as `review_release`.

        Raises:
            InputError: there is no such release.
            PeerError, TransportError: as `plan`.
        """
        with self._release_decisions() as decisions:
            return decisions.said(release)

    def approve_release(self, release: str, digest: str, despite: str = "") -> SignedReleaseDecision:
        """Sign a release; at the charter's quorum the coordinator publishes it.

        Who refused it before has thought better of it; who approved it before sends nothing anew, unless for a reason.

        What leaves besides the signatures is the own audit's verdict by gate, and under a privacy budget not even that.

        Args:
            release: as `review_release`.
            digest: the release's digest as read; at least the first 16 digits.
            despite: why it is signed though the own audit fails or none was made; the others read it. Under a privacy
                budget an own audit there must be, and the reason stays in this home.

        Raises:
            InputError: another digest, or the own audit fails or is missing and `despite` says nothing.
            OutOfOrder: the release waits no longer.
            ReleaseRefused, PeerError, TransportError, StorageError: as `review_release`.
        """
        with self._release_decisions() as decisions:
            return decisions.approve(release, digest, despite)

    def refuse_release(self, release: str, reason: str) -> SignedReleaseDecision:
        """Refuse a release; the reason goes to the coordinator and the other members.

        Until it is published an approval is taken back by it.

        Raises:
            InputError: no reason is given, or there is no such release.
            OutOfOrder: the release waits no longer.
            PeerError, TransportError: as `plan`.
        """
        with self._release_decisions() as decisions:
            return decisions.refuse(release, reason)

    def open_canaries(self) -> Sequence[str]:
        """Open the canaries of finished runs under a privacy budget, as `serve` does by itself.

        Such canaries follow from the schema and a secret alone, and their runs are over: nothing of a row leaves.

        Returns:
            Ids of the runs whose secret the coordinator has taken now.

        Raises:
            PeerError: the coordinator names another candidate than it did before, or refuses the secret.
            TransportError: it is away.
        """
        with self._release_decisions() as decisions:
            return decisions.open_canaries()

    def waivers(self) -> Sequence["SignedWaiver"]:
        """Waivers that the operator prepared, oldest first, with the signatures that they have; unchecked.

        Raises:
            TransportError: the coordinator is away.
        """
        with self._release_decisions() as decisions:
            return decisions.waivers()

    def waive(self, digest: str) -> "SignedWaiver":
        """Answer, with one other organisation, for what a gate could not show.

        Args:
            digest: of the waiver as read; at least the first 16 digits.

        Raises:
            InputError: there is no such waiver.
            OutOfOrder: the release that it is for waits or is published already.
            PeerError, TransportError: as `plan`.
        """
        with self._release_decisions() as decisions:
            return decisions.waive(digest)

    @contextmanager
    def _release_decisions(self) -> Iterator["ReleaseDecisions"]:
        # Attacks come with packages that an agent starts without.
        from headwater_client.release_decisions import ReleaseDecisions

        with self._membership.channel() as channel:
            yield ReleaseDecisions(self._membership, ConsortiumClient(channel), ReleasesClient(channel))

"""What an organisation asks of the coordinator outside of a session, as an interface."""

from collections.abc import Sequence
from typing import Protocol

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.agreement.troubles import Trouble
from headwater_client.transport.consortium import RunStatus

__all__ = ["Coordinator", "RunStatus"]


class Coordinator(Protocol):
    """The Consortium service as this member sees it; `headwater_client.transport.consortium` is the real one.

    Every method raises `TransportError` when the coordinator is away, and the error that its answer names otherwise.
    """

    def charter(self, version: int | None = None) -> SignedCharter:
        """A version of the charter, the newest by default, with the signatures that it has.

        Those by keys of this very version are checked; some may be missing.
        """
        ...

    def sign_charter(self, charter_digest: str, signature: str) -> SignedCharter:
        """Add this member's signature; the charter with it comes back."""
        ...

    def runs(self) -> Sequence[RunStatus]:
        """All runs, oldest first, unsigned: to be shown, never to be decided by."""
        ...

    def proposal(self, run_id: str) -> SignedProposal:
        """A run's proposal, not checked yet."""
        ...

    def decide(self, approval: SignedApproval) -> None:
        """Send this member's decision on a run."""
        ...

    def report(self, run_id: str, trouble: Trouble) -> None:
        """Tell the operator what keeps this organisation from its part in a run."""
        ...

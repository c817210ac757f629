"""Which version of the charter a run stands under: the one that it was proposed under, to its end."""

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, OutOfOrder
from headwater_server.storage import Storage

__all__ = ["agreed", "charter_for_new_runs"]


def charter_for_new_runs(storage: Storage) -> Charter:
    """The newest version in force, its whole history verified.

    Raises:
        OutOfOrder: none is in force yet; the line says who must sign.
        PeerError: a stored signature is wrong.
    """
    history = storage.charters_in_force()
    if not history:
        proposed = storage.charter()
        if proposed is None:
            raise OutOfOrder("there is no charter yet; headwater-coordinator charter propose comes first")
        raise OutOfOrder(f"the charter is not signed by {', '.join(proposed.missing_signatures)}; wait for them")
    return CharterHistory(tuple(history)).newest


def agreed(storage: Storage, run_id: str) -> tuple[SignedProposal, Charter]:
    """A run's proposal and the charter that it was proposed under, verified; a later version changes neither.

    Raises:
        InputError: there is no such run, or its charter was never in force.
        PeerError: a stored signature is wrong.
    """
    proposal = storage.proposal(run_id)
    if proposal is None:
        raise InputError(f"run {run_id} has no proposal; propose it again")
    charter = CharterHistory(tuple(storage.charters_in_force())).find(proposal.proposal.charter_digest)
    if charter is None:
        raise InputError(f"run {run_id} was proposed under a charter that is not in force here; propose it again")
    proposal.verify(charter)
    return proposal, charter

"""A release held to what this organisation itself attacked: its own record and its receipts, in nobody's words."""

from headwater.errors import ReleaseRefused
from headwater.release.attacked import attacked_rounds, check_attacked, check_attacked_in
from headwater_client.membership import Membership
from headwater_client.receipts import Receipts
from headwater_client.waiting_release import WaitingRelease

__all__ = ["check_attacked_here"]

_TELL = "refuse the release and tell the other members"


def check_attacked_here(membership: Membership, release: WaitingRelease) -> str:
    """Refuse rows that are not those which the run's audit attacked, as far as this organisation can know.

    Args:
        membership: of this organisation.
        release: verified.

    Returns:
        What could be told of it, a line for whoever reviews; "" under a privacy budget, where no run attacks together.

    Raises:
        ReleaseRefused: other rows were attacked here, or no sum in this organisation's receipts attacked these.
        StorageError: the records lack what belongs to them.
        PeerError: the run's receipts do not hold.
    """
    federation = release.audit.federation
    if federation == "none" or federation.attacked is None:
        return ""
    attacked, run_id, table = federation.attacked, release.manifest.provenance.run_id, release.table
    check_attacked(attacked, table)
    own = membership.store.attacked(run_id)
    if own is not None and own != attacked.candidate:
        raise ReleaseRefused(
            f"this organisation attacked table {own[:16]}… in run {run_id[:8]}, the release holds "
            f"{attacked.candidate[:16]}…: another table was put in its place; {_TELL}"
        )
    held = run_id in membership.store.runs_with_receipts()
    receipts = Receipts(membership).verify(run_id) if held else None
    if receipts is not None and federation.receipts in {each.digest for each in receipts.rounds}:
        if check_attacked_in(receipts, attacked, table):
            return "these very rows were attacked in the run, with this organisation's counts; its receipts say so"
        return "these very rows were attacked in the run, as its receipts say, without this organisation's own counts"
    if receipts is not None and any(each.own for each in attacked_rounds(receipts, attacked, table)):
        raise ReleaseRefused(
            f"this organisation's receipts of run {run_id[:8]} end with {receipts.head[:16]}…, the release says "
            f"{federation.receipts[:16]}…: a round is missing on one side; {_TELL}"
        )
    if own is not None:
        return "these very rows were attacked here; no receipt of that sum came, so compare with another member's"
    return (
        "this organisation had no part in the run's audit, so it cannot tell by itself that these rows were attacked; "
        "a member that was in it can"
    )

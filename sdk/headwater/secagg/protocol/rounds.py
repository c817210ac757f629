"""The digests that bind one round: ρ_t, and the view of who uploaded what: protocol 4.2, 4.5."""

import hashlib
from collections.abc import Iterable

from headwater.secagg.crypto.keys import digest, number

__all__ = ["deal_digest", "rho", "view_digest"]


def deal_digest(header_data: bytes) -> bytes:
    """The digest of a Deal: SHA-256 of its signed header's exact bytes."""
    return hashlib.sha256(header_data).digest()


def rho(
    *,
    sid: bytes,
    round_number: int,
    length: int,
    task_digest: bytes,
    model_digest: bytes,
    charge: bytes,
    plan_digest: bytes,
    deals: Iterable[tuple[str, bytes]],
    previous: bytes,
) -> bytes:
    """ρ_t: two members with the same ρ_t were asked the very same thing of the very same cohort (protocol 4.2).

    Args:
        sid: the session.
        round_number: t.
        length: values in the vector, check coordinates not counted.
        task_digest: SHA-256 of the Task's bytes.
        model_digest: SHA-256 of the model's bytes, of nothing when there is none.
        charge: what the round costs a privacy ledger.
        plan_digest: the approved plan.
        deals: (dealer, digest of its Deal) of C_t, sorted by dealer.
        previous: digest of the run's last receipt or abort.

    Guarantee: any change of any argument gives another ρ_t, so masks of different requests never cancel.
    """
    cohort = b"".join(digest("cohort member", dealer.encode(), value) for dealer, value in deals)
    fields = (task_digest, model_digest, charge, plan_digest, cohort, previous)
    return digest("rho", sid, number(round_number), number(length), *fields)


def view_digest(rho_value: bytes, uploads: Iterable[tuple[str, bytes]]) -> bytes:
    """What a Confirm signs: ρ_t, U_t and the digest of each uploaded vector (protocol 4.5)."""
    return digest("view", rho_value, *(digest("upload", member.encode(), value) for member, value in uploads))

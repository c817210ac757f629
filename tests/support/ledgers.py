"""Charges and chains of a privacy ledger, as tests need them."""

from collections.abc import Sequence
from typing import Any

from headwater.agreement.ledger import Charge, LedgerEntry
from headwater.privacy.events import Event, NoisyCounts, write_charge

__all__ = ["OTHER_RUN", "RUN", "chained", "charge_of_round"]

RUN, OTHER_RUN = "0f" * 16, "1f" * 16


def charge_of_round(round_number: int, event: Event | None = None, **changes: Any) -> Charge:
    """The charge of a round: of 14 tables with σ = 20, unless said otherwise."""
    content = {
        "run_id": RUN,
        "attempt": 1,
        "round": round_number,
        "step": round_number,
        "data_set": "main",
        "plan": "ab" * 32,
        "task": f"{round_number:064x}",
        "charge": write_charge(event or NoisyCounts(400, 14)).decode(),
        "instant": "2026-11-21T09:30:00Z",
        **changes,
    }
    return Charge.model_validate(content)


def chained(count: int = 0, *, charges: Sequence[Charge] = ()) -> tuple[LedgerEntry, ...]:
    """A chain of these charges, or of the first so many rounds."""
    entries: list[LedgerEntry] = []
    for charge in charges or [charge_of_round(number) for number in range(1, count + 1)]:
        entries.append(LedgerEntry.following(entries[-1] if entries else None, charge))
    return tuple(entries)

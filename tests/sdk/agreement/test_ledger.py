"""The privacy ledger as documents: a chain in which nothing can be changed, signed when it is handed out."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.ledger import (
    LEDGER_GENESIS,
    Ledger,
    LedgerEntry,
    SignedLedger,
    chain_problem,
    events_of,
    uncharged_problem,
)
from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, PeerError
from headwater.privacy.events import NoisyCounts, write_charge
from support.ledgers import OTHER_RUN, RUN, chained, charge_of_round

KEY = Ed25519PrivateKey.generate()


def test_entries_follow_each_other_from_one_beginning() -> None:
    entries = chained(3)
    assert [entry.position for entry in entries] == [1, 2, 3]
    assert entries[0].previous == LEDGER_GENESIS
    assert chain_problem(entries) is None
    assert chain_problem(entries[1:], entries[0]) is None
    assert LedgerEntry.from_bytes(entries[2].to_bytes()) == entries[2]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ((1, 2), "entry 2 stands where entry 1"),
        ((0, 2), "entry 3 stands where entry 2"),
        ((0, 2, 1), "entry 3 stands where entry 2"),
        ((0, 1, 1), "entry 2 stands where entry 3"),
    ],
)
def test_an_entry_that_is_missing_moved_or_repeated_is_named(places: tuple[int, ...], said: str) -> None:
    entries = chained(3)
    problem = chain_problem([entries[place] for place in places])
    assert problem is not None
    assert said in problem


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": OTHER_RUN},
        {"attempt": 2},
        {"round": 9},
        {"step": 9},
        {"data_set": "other"},
        {"plan": "12" * 32},
        {"task": "12" * 32},
        {"charge": '{"mechanism":"none"}'},
        {"instant": "1999-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_every_field_of_an_entry_is_bound_by_the_next_one(change: dict[str, object]) -> None:
    entries = list(chained(3))
    entries[1] = entries[1].model_copy(update=change)
    assert chain_problem(entries) == "entry 3 does not continue the chain: it or the entry before it was changed"


def test_a_clock_that_jumps_back_changes_no_order() -> None:
    late = LedgerEntry.following(None, charge_of_round(1, instant="2030-01-01T00:00:00Z"))
    early = LedgerEntry.following(late, charge_of_round(2, instant="1990-01-01T00:00:00Z"))
    assert chain_problem([late, early]) is None


@pytest.mark.parametrize("charge", ["", "{}", '{"mechanism": "none"}', '{"kind":"noisy-counts"}', "[" * 5000])
def test_what_states_no_charge_is_no_entry(charge: str) -> None:
    with pytest.raises(ValueError, match=r"charge|event"):
        charge_of_round(1, charge=charge)


def test_events_are_those_of_a_data_set_and_of_one_run_or_of_all_others() -> None:
    entries = chained(
        charges=[
            charge_of_round(1),
            charge_of_round(1, run_id=OTHER_RUN, event=NoisyCounts(900, 2)),
            charge_of_round(2, data_set="other"),
            charge_of_round(3, charge=write_charge(None).decode()),
        ]
    )
    first, second = NoisyCounts(400, 14), NoisyCounts(900, 2)
    assert events_of(entries, "main") == (first, second)
    assert events_of(entries) == (first, second, first)
    assert events_of(entries, "main", run=RUN) == (first,)
    assert events_of(entries, "main", but_run=RUN) == (second,)


def test_a_document_of_a_round_is_found_in_the_ledger_or_missed_by_name() -> None:
    entries = chained(2)
    held = entries[1]
    assert uncharged_problem(entries, RUN, 2, held.task, held.charge) is None
    assert uncharged_problem(entries, RUN, 2) is None
    for problem in (uncharged_problem(entries, RUN, 3), uncharged_problem(entries, OTHER_RUN, 2)):
        assert problem is not None
        assert "has no charge" in problem
    cheaper = write_charge(NoisyCounts(500, 14)).decode()
    for task, charge in ((held.task, cheaper), ("99" * 32, held.charge)):
        assert "entry 2 of the ledger charges another task or cost" in str(
            uncharged_problem(entries, RUN, 2, task, charge)
        )


def signed(entries: tuple[LedgerEntry, ...]) -> SignedLedger:
    return SignedLedger.sign(Ledger(member="org-1", identity_key=public_key_hex(KEY), delta=1e-6, entries=entries), KEY)


def test_a_signed_ledger_is_read_back_and_holds() -> None:
    read = SignedLedger.from_bytes(signed(chained(3)).to_bytes())
    read.verify()
    assert read.ledger.head == chained(3)[-1].digest
    signed(()).verify()
    assert signed(()).ledger.head == LEDGER_GENESIS


def test_a_ledger_that_was_cut_or_signed_by_somebody_else_does_not_hold() -> None:
    whole = signed(chained(3))
    cut = whole.model_copy(update={"ledger": whole.ledger.model_copy(update={"entries": chained(2)})})
    with pytest.raises(PeerError, match="not signed by the key that it names"):
        cut.verify()
    with pytest.raises(PeerError, match="entry 3 stands where entry 2"):
        signed((chained(3)[0], chained(3)[2])).verify()
    with pytest.raises(InputError, match="another key"):
        SignedLedger.sign(whole.ledger, Ed25519PrivateKey.generate())

"""Card, ledgers and verification of a private demo: the same ε, or no good end."""

from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.ledger import Ledger, LedgerEntry, SignedLedger
from headwater.agreement.signing import public_key_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.privacy.events import NoisyCounts
from headwater.release.replay import replay
from headwater_server.demo.spent import compare
from support.claims import make_claim
from support.ledgers import OTHER_RUN, RUN, chained, charge_of_round

CLAIM = make_claim()
SAID = f"Signatures: fine.\n{replay(CLAIM).in_words.replace(',', ',' + chr(10))}.\n"
CHARGES = [charge_of_round(each.round, each.event) for each in CLAIM.events]


def signed(member: str, entries: tuple[LedgerEntry, ...]) -> SignedLedger:
    key = Ed25519PrivateKey.generate()
    ledger = Ledger(member=member, identity_key=public_key_hex(key), delta=1e-5, entries=entries)
    return SignedLedger.sign(ledger, key)


def ledgers(**others: tuple[LedgerEntry, ...]) -> Mapping[str, SignedLedger]:
    entries = {"org-1": chained(charges=CHARGES), "org-2": chained(charges=CHARGES), **others}
    return {member: signed(member, chain) for member, chain in entries.items()}


def test_three_that_agree_are_told_line_by_line() -> None:
    told = compare(CLAIM, RUN, ledgers(), SAID)
    assert told.ledgers == {"org-1": CLAIM.epsilon, "org-2": CLAIM.epsilon}
    card, both, verify = told.lines
    assert card.startswith("the card ")
    assert both.startswith("2 ledgers ")
    assert verify.startswith("headwater verify ")
    assert all(f"ε = {CLAIM.epsilon:g}" in line for line in told.lines)
    assert told.to_document()["replayed"] == CLAIM.epsilon


def test_charges_of_other_runs_are_no_part_of_it() -> None:
    other = charge_of_round(1, NoisyCounts(400, 14), run_id=OTHER_RUN)
    assert compare(CLAIM, RUN, ledgers(org1=chained(charges=[other, *CHARGES])), SAID).ledgers["org1"] == CLAIM.epsilon


@pytest.mark.parametrize("charges", [CHARGES[:2], [*CHARGES, charge_of_round(4)]])
def test_a_ledger_that_comes_to_another_number_is_named(charges: list[object]) -> None:
    with pytest.raises(ReleaseRefused, match=r"org-2's ledger .* do not agree on ε"):
        compare(CLAIM, RUN, ledgers(**{"org-2": chained(charges=charges)}), SAID)  # type: ignore[arg-type]


def test_a_verification_that_replayed_nothing_is_none() -> None:
    with pytest.raises(ReleaseRefused, match="did not replay"):
        compare(CLAIM, RUN, ledgers(), "Signatures: fine.")


def test_a_ledger_that_was_edited_is_refused() -> None:
    good = ledgers()
    short = good["org-1"].ledger.model_copy(update={"entries": good["org-1"].ledger.entries[:2]})
    with pytest.raises(PeerError, match="not signed by the key"):
        compare(CLAIM, RUN, {**good, "org-1": good["org-1"].model_copy(update={"ledger": short})}, SAID)

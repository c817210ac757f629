"""Card, ledgers and verification of a private demo: the same ε, or no good end."""

import io
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from typer.testing import CliRunner

from headwater.agreement.ledger import Ledger, LedgerEntry, SignedLedger
from headwater.agreement.signing import public_key_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.privacy.events import NoisyCounts
from headwater.release.replay import replay
from headwater_client.cli import app as client
from headwater_server.demo.looking_around import program
from headwater_server.demo.spent import compare, keep_ledgers
from headwater_server.demo.telling import conclude
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


def concluded(out: Path, *, keep: bool = False) -> list[str]:
    """What the demo says when it is over, a line each."""
    told = compare(CLAIM, RUN, ledgers(), SAID)
    score = {"gbm": 0.9, "lr": 0.9}
    result = {"alone": [score], "together": score, "real": score, "released": "", "protection": "strict."}
    console = Console(file=io.StringIO(), width=200)
    conclude(console, out, result, told, keep=keep)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_ledgers_that_the_demo_leaves_are_checked_by_the_commands_that_it_prints(tmp_path: Path) -> None:
    out = tmp_path / "my demo"
    out.mkdir()
    keep_ledgers(out / "ledgers", ledgers())
    commands = [shlex.split(line) for line in concluded(out) if "headwater" in line and str(out) in line]
    assert commands[0] == [f"HEADWATER_HOME={out / 'researcher'}", program("headwater"), "verify", str(out / "dataset")]
    for member, command in zip(("org-1", "org-2"), commands[1:], strict=True):
        verified = CliRunner().invoke(client, command[1:])
        assert verified.exit_code == 0, verified.output
        assert f"signed by {member}" in verified.output


def test_the_demo_says_that_the_homes_are_gone_and_what_keeps_them(tmp_path: Path) -> None:
    assert "homes are gone with the demo, --keep leaves them" in " ".join(concluded(tmp_path))
    assert "gone" not in " ".join(concluded(tmp_path, keep=True))

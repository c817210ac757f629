"""ε of a release is replayed from its signed events, and a smaller one is refused, with and without the accountant."""

import sys
from pathlib import Path

import pytest

from headwater.errors import ReleaseRefused
from headwater.privacy.accountant import epsilon_of_zcdp, spent
from headwater.release import SignedManifest, verify_release
from headwater.release import replay as module
from headwater.release.layout import CHECKSUMS, MANIFEST, checksums
from headwater.release.privacy_claim import PrivacyClaim
from headwater.release.replay import replay
from headwater.release.verification import read_manifest
from support.claims import make_claim
from support.releases import Consortium, make_consortium, publish

CLAIM = make_claim()
TOO_SMALL = CLAIM.model_copy(update={"epsilon": 0.9993})


@pytest.fixture
def no_accountant(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a researcher's install, where importing the accountant fails."""
    for name in [*(name for name in sys.modules if name.partition(".")[0] == "dp_accounting"), "dp_accounting"]:
        monkeypatch.setitem(sys.modules, name, None)
    module._replayed.cache_clear()
    monkeypatch.setattr(module, "_replayed", module._replayed.__wrapped__)


def signed_again(folder: Path, consortium: Consortium, claim: PrivacyClaim) -> None:
    """Put another claim into a release, under a right signature: a coordinator that lies."""
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    protection = manifest.protection.model_copy(update={"privacy": claim})
    lie = SignedManifest.sign(manifest.model_copy(update={"protection": protection}), consortium.coordinator_key)
    (folder / MANIFEST).write_bytes(lie.to_bytes())
    (folder / CHECKSUMS).write_bytes(checksums(manifest.files, lie.to_bytes()))


def test_replay_is_the_accountant_s_own_number() -> None:
    found = replay(CLAIM)
    events = CLAIM.noisy_sums
    assert found.epsilon == spent(events, CLAIM.delta).epsilon
    assert found.epsilon_zcdp == epsilon_of_zcdp(sum(event.zcdp for event in events), CLAIM.delta)
    assert found.exact
    assert "0.9995 by privacy loss distributions" in found.in_words


def test_a_smaller_epsilon_than_the_events_cost_is_refused() -> None:
    with pytest.raises(ReleaseRefused, match=r"states ε = 0\.9993 .* come to 0\.9995: it promises more than it keeps"):
        replay(TOO_SMALL)


def test_a_larger_epsilon_is_no_lie() -> None:
    assert replay(CLAIM.model_copy(update={"epsilon": 1.0})).stated == 1.0


@pytest.mark.usefixtures("no_accountant")
def test_without_the_accountant_the_exact_number_is_said_to_be_unchecked() -> None:
    found = replay(CLAIM)
    assert found.epsilon is None
    assert not found.exact
    assert "NOT REPLAYED EXACTLY" in found.in_words
    assert "pip install headwater[privacy]" in found.in_words
    # This lie is too small for arithmetic to see.
    assert not replay(TOO_SMALL).exact


@pytest.mark.usefixtures("no_accountant")
def test_without_the_accountant_an_epsilon_above_the_bound_is_confirmed() -> None:
    found = replay(CLAIM.model_copy(update={"epsilon": 1.08, "budget_epsilon": 2.0}))
    assert found.exact
    assert "NOT REPLAYED" not in found.in_words


def test_a_private_release_is_verified_with_its_replay(tmp_path: Path) -> None:
    consortium = make_consortium()
    folder = publish(tmp_path, consortium, privacy=CLAIM).folder
    verification = verify_release(folder, consortium.charter.charter)
    assert verification.replay == replay(CLAIM)
    assert "0.9995 by privacy loss distributions, so the 0.9995 that is stated holds" in verification.replay.in_words
    assert verification.headline.startswith("Differentially private: ε = 0.9995")
    assert "What was public" in [said.short for said in verification.statement]
    present = {path.name for path in folder.iterdir()}
    assert present == {
        "README.md",
        "SHA256SUMS",
        "croissant.json",
        "data.csv.gz",
        "data.parquet",
        "data.parquet.blocks.json",
        "manifest.json",
        "plots",
        "schema.toml",
        "statistics.json",
    }


def test_a_coordinator_that_states_too_little_is_refused(tmp_path: Path) -> None:
    consortium = make_consortium()
    folder = publish(tmp_path, consortium, privacy=CLAIM).folder
    signed_again(folder, consortium, TOO_SMALL)
    with pytest.raises(ReleaseRefused, match="promises more than it keeps"):
        verify_release(folder, consortium.charter.charter)


@pytest.mark.usefixtures("no_accountant")
def test_a_lie_that_arithmetic_sees_is_refused_without_the_accountant(tmp_path: Path) -> None:
    consortium = make_consortium()
    folder = publish(tmp_path, consortium, privacy=CLAIM).folder
    signed_again(folder, consortium, CLAIM.model_copy(update={"epsilon": 0.8}))
    with pytest.raises(ReleaseRefused, match="less than the events can have cost"):
        verify_release(folder, consortium.charter.charter)


def test_what_verify_would_refuse_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefused, match="promises more"):
        publish(tmp_path, make_consortium(), privacy=TOO_SMALL)
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize("declared", [True, False])
def test_a_release_says_of_people_at_several_members_what_its_charter_does(tmp_path: Path, declared: bool) -> None:
    consortium = make_consortium()
    folder = publish(tmp_path, consortium, privacy=make_claim(disjoint_people=declared)).folder
    if declared:
        with pytest.raises(ReleaseRefused, match="contradict each other on whether people's records"):
            verify_release(folder, consortium.charter.charter)
    else:
        assert "where k of them do" in str(verify_release(folder, consortium.charter.charter).statement)

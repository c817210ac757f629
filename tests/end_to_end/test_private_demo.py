"""The demo under a privacy budget, whole: real processes, one ε on card, in ledgers and by verification."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from headwater.cli import app as researcher
from headwater.privacy.accountant import spent
from headwater.release.layout import MANIFEST
from headwater.release.privacy_claim import PrivacyClaim
from headwater.release.verification import read_manifest
from headwater_client.cli import app as organisation
from headwater_server.cli import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    age = random.integers(0, 100, 900)
    ward = random.choice(["north", "south", "west"], 900)
    back = np.where(random.random(900) < age / 120, "yes", "no")
    file = tmp_path / "visits.parquet"
    pyarrow.parquet.write_table(pa.table({"age": age, "ward": ward, "back": back}), file)
    return file


def test_a_private_demo_ends_with_one_epsilon_on_card_in_ledgers_and_by_verification(
    visits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "demo"
    given = ["--data", str(visits), "--target", "back", "--partition", "iid", "--epsilon", "3", "--out", str(out)]
    ended = CliRunner().invoke(app, ["demo", *given])
    assert ended.exception is None, ended.output
    result = json.loads((out / "result.json").read_text())
    privacy = result["privacy"]
    assert set(privacy["ledgers"].values()) == {privacy["replayed"]} == {privacy["epsilon"]}
    manifest = read_manifest((out / "dataset" / MANIFEST).read_bytes()).manifest
    claim = manifest.protection.privacy
    assert isinstance(claim, PrivacyClaim)
    assert spent([each.event for each in claim.events], claim.delta).epsilon <= claim.epsilon <= 3.0
    # The demo confirmed its own guesses: that makes no public schema of them.
    assert not claim.schema_confirmed
    assert "Schema read from the rows, outside ε" in ended.output
    assert "three who do not trust one another" in ended.output
    assert "organisation 1's own generator, alone, at ε = 3 too" in ended.output
    assert "NOT DIFFERENTIALLY PRIVATE" not in ended.output
    assert result["together"]["gbm"] > 0.6
    # As many rows as the noisy counts of 95 % of the 720 estimate, with those of planted canaries, of which there are
    # half as many as the demo plans, each a little more than twice: the true number is nowhere.
    assert manifest.rows != sum(result["rows_of_organisations"])
    assert abs(manifest.rows - (0.95 * 720 + 34)) < 110
    # What the consortium left is enough for the commands that the demo ends with.
    assert not (out / "consortium").exists()
    monkeypatch.setenv("HEADWATER_HOME", str(out / "researcher"))
    assert CliRunner().invoke(researcher, ["verify", str(out / "dataset")]).exit_code == 0
    ledgers = sorted((out / "ledgers").iterdir())
    assert [file.name for file in ledgers] == [f"hospital-{letter}.json" for letter in "abc"]
    assert CliRunner().invoke(organisation, ["ledger", "verify", str(ledgers[0])]).exit_code == 0

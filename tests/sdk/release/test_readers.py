"""A release folder in the hands of other tools: what they read is what was written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlcroissant
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from headwater.release import verify_release, write_release
from headwater.release.card import dataset_card
from headwater.release.manifest import Configuration
from headwater.release.policy import load_policy
from headwater.schema import CategoricalColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.audited_release import audit_of, evidence_on, pending_release
from support.evidences import honest_measures
from support.releases import Consortium, facts_on, make_consortium, make_table

# Of the reader's own libraries.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning"),
]

TABLE = make_table()


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, consortium: Consortium) -> Path:
    """A release with charts left out: no tool reads them."""
    place = tmp_path_factory.mktemp("readers") / "visits"
    write_release(place, TABLE, facts_on(TABLE, consortium), consortium.coordinator_key)
    return place


@pytest.fixture
def metadata(folder: Path) -> mlcroissant.Metadata:
    return mlcroissant.Dataset(folder / "croissant.json").metadata


def test_croissant_is_valid_in_the_version_that_it_names(metadata: mlcroissant.Metadata) -> None:
    # Its reader takes 1.0 where a document names no version, and would then check less.
    assert metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    assert metadata.ctx.issues.report() == ""
    assert metadata.name == "visits"
    assert metadata.license == ["https://spdx.org/licenses/CC-BY-4.0"]


def test_records_come_through_croissant_with_their_types(folder: Path) -> None:
    records = list(mlcroissant.Dataset(folder / "croissant.json").records("default"))
    assert len(records) == TABLE.rows
    first = TABLE.to_arrow().slice(0, 1).to_pylist()[0]
    assert records[0]["default/age"] == first["age"]
    assert records[0]["default/ward"].decode() == first["ward"]
    assert records[0]["default/admitted"].date() == first["admitted"]
    # A name that is no address is told in words and counted by its place.
    levels = [record["default/column-002"] for record in records]
    assert sum(level is None or level != level for level in levels) == TABLE.to_arrow().column(1).null_count


def test_croissant_marks_target_and_names_digests(folder: Path) -> None:
    document = json.loads((folder / "croissant.json").read_bytes())
    fields = {field["name"]: field for field in document["recordSet"][0]["field"]}
    assert fields["readmitted"]["headwater:role"] == "target"
    assert "headwater:role" not in fields["age"]
    listed = {line.split("  ")[1]: line.split("  ")[0] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    files = {file["@id"]: file["sha256"] for file in document["distribution"]}
    assert files == {path: listed[path] for path in files}
    assert {"data.parquet", "data.csv.gz", "schema.toml", "statistics.json"} <= set(files)


def test_responsible_ai_fields_have_the_figures_that_the_audit_tells(tmp_path: Path, consortium: Consortium) -> None:
    disclosed = dict.fromkeys(("bias", "usefulness", "marginals", "coverage"), "bucket")
    evidence = evidence_on(TABLE, privacy="none", disclosures=disclosed, measures=honest_measures())
    audit = audit_of(evidence, policy=load_policy("non-private"))
    pending = pending_release(tmp_path / "visits", consortium, audit=audit, table=TABLE, privacy="none")
    metadata = mlcroissant.Dataset(pending.folder / "croissant.json").metadata
    assert "Share of the group sex=Female over its share in the real rows: 1 to 1.05 (1 where it is kept)." in (
        metadata.data_biases
    )
    assert any("tested on real rows: 0.95 to 0.98." in line for line in metadata.data_use_cases)
    assert any("Not differentially private" in line for line in metadata.data_limitations)
    # Ranges, and never the figure itself.
    assert b"1.01" not in (pending.folder / "croissant.json").read_bytes()
    assert "1.01" not in (pending.folder / "README.md").read_text()


def test_pictures_and_awkward_names_come_through_croissant(tmp_path: Path, consortium: Consortium) -> None:
    columns = (
        ImageColumn(name="scan", height=2, width=3, levels=4),
        CategoricalColumn(name='q"u\\o te/ü', categories=("ja", "nein"), sensitive=True),
        NumericColumn(name="column-002", lower=0, upper=9, integer=True, missing=True),
    )
    schema = Schema(name="t", columns=columns)
    values: dict[str, np.ndarray] = {
        "scan": np.arange(12, dtype=np.uint8).reshape(2, 6) % 4,
        columns[1].name: np.array([0, 1], np.int32),
        "column-002": np.array([np.nan, 3.0]),
    }
    table = Table(schema, values, 2)
    write_release(tmp_path / "r", table, facts_on(table, consortium), consortium.coordinator_key)
    records = list(mlcroissant.Dataset(tmp_path / "r" / "croissant.json").records("default"))
    assert list(records[1]["default/scan"]) == [2, 3, 0, 1, 2, 3]
    assert records[1]["default/column-002"].decode() == "nein"
    # Its own name was taken by the place of another.
    assert records[1]["default/column-003"] == 3.0
    document = json.loads((tmp_path / "r" / "croissant.json").read_bytes())
    assert [field.get("headwater:sensitive") for field in document["recordSet"][0]["field"]] == [None, True, None]
    ids = [field["@id"] for field in document["recordSet"][0]["field"]]
    assert len(set(ids)) == 3


LOAD = """
import sys, datasets
rows = datasets.load_dataset(sys.argv[1], *sys.argv[3:], split="train", cache_dir=sys.argv[2])
print(rows.num_rows, {name: str(feature) for name, feature in rows.features.items()})
print(rows[0])
"""


def load(folder: Path, cache: Path, *arguments: str) -> str:
    """What the `datasets` library makes of a folder, in a process of its own and without a network."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder), str(cache), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_datasets_load_the_folder_by_its_card(folder: Path, tmp_path: Path) -> None:
    told = load(folder, tmp_path)
    assert told.startswith("500 ")
    assert "'age': \"Value('int64')\"" in told
    assert "'admitted': \"Value('date32')\"" in told


def test_datasets_load_each_configuration(tmp_path: Path, consortium: Consortium) -> None:
    arrow = TABLE.to_arrow().slice(0, 30)
    weighted = arrow.append_column("weight", pa.array([0.5] * 30))
    balanced = Configuration(name="balanced", path="balanced/data.parquet", rows=30, description="Equal shares.")
    facts = facts_on(TABLE, consortium)
    place = tmp_path / "r"
    (place / "balanced").mkdir(parents=True)
    pq.write_table(TABLE.to_arrow(), place / "data.parquet")
    pq.write_table(weighted, place / "balanced" / "data.parquet")
    card = dataset_card(facts, TABLE.schema, TABLE.rows, configurations=(balanced,))
    (place / "README.md").write_text(card)
    told = load(place, tmp_path / "cache", "balanced")
    assert told.startswith("30 ")
    assert "'weight': \"Value('float64')\"" in told


def test_card_names_licences_as_the_hub_does(folder: Path) -> None:
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert header["license"] == "cc-by-4.0"
    (info,) = header["dataset_info"]
    assert info["splits"] == [{"name": "train", "num_examples": 500}]


def test_card_has_the_sections_of_a_datasheet(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    for section in (
        "Motivation", "Composition", "Collection process", "Preprocessing", "Uses", "Distribution", "Maintenance",
    ):  # fmt: skip
        assert f"### {section}\n" in card


def test_readers_leave_the_release_as_it_was(folder: Path, consortium: Consortium) -> None:
    verify_release(folder, consortium.charter.charter)

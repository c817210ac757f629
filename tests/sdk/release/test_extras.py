"""What a release holds beside its rows: other configurations of them, and the generator."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.errors import InputError
from headwater.release import ReleaseExtras, ReleaseFacts, SignedManifest, verify_release, write_release
from headwater.release.manifest import Configuration
from support.releases import Consortium, facts_on, make_consortium, make_table

BALANCED = Configuration(name="balanced", path="balanced/data.parquet", rows=3, description="Classes in equal shares.")
WEIGHTED = pa.table({"age": [1, 2, 3], "weight": [0.5, 1.0, 2.0]})


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "bundle.json").write_text('{"format": "x"}')
    (folder / "generator.safetensors").write_bytes(b"\x00" * 9)
    return folder


def written(folder: Path, consortium: Consortium, extras: ReleaseExtras) -> SignedManifest:
    table = make_table()
    facts: ReleaseFacts = facts_on(table, consortium)
    return write_release(folder, table, facts, consortium.coordinator_key, extras=extras)


def test_everything_given_is_listed_and_verifies(tmp_path: Path, consortium: Consortium, bundle: Path) -> None:
    file = tmp_path / "views.parquet"
    pq.write_table(pa.table({"group_id": [1, 1], "view_id": [0, 1]}), file)
    views = Configuration(name="views", path="views/data.parquet", rows=2, description="Pairs.")
    extras = ReleaseExtras(((BALANCED, WEIGHTED), (views, file)), bundle, "released")
    folder = tmp_path / "release"
    manifest = written(folder, consortium, extras).manifest
    assert manifest.format == "headwater-release/4"
    assert manifest.configurations == (BALANCED, views)
    assert manifest.generator == "released"
    assert pq.read_table(folder / BALANCED.path).equals(WEIGHTED)
    # A file was audited as it is, so it is published byte for byte.
    assert (folder / "views" / "data.parquet").read_bytes() == file.read_bytes()
    assert (folder / "generator" / "generator.safetensors").read_bytes() == b"\x00" * 9
    assert verify_release(folder, consortium.charter.charter).manifest == manifest


def test_rows_on_request_alone_are_told(tmp_path: Path, consortium: Consortium) -> None:
    manifest = written(tmp_path / "release", consortium, ReleaseExtras(terms="on request")).manifest
    assert (manifest.format, manifest.generator) == ("headwater-release/4", "on request")


def test_configuration_of_another_number_of_rows_is_not_written(tmp_path: Path, consortium: Consortium) -> None:
    with pytest.raises(InputError, match="balanced has 2 rows, its entry says 3"):
        written(tmp_path / "release", consortium, ReleaseExtras(((BALANCED, WEIGHTED.slice(1)),)))
    assert list(tmp_path.iterdir()) == []


def test_bundle_with_a_link_is_not_written(tmp_path: Path, consortium: Consortium, bundle: Path) -> None:
    (bundle / "more").symlink_to(tmp_path)
    with pytest.raises(InputError, match="more in bundle is no plain file"):
        written(tmp_path / "release", consortium, ReleaseExtras((), bundle, "released"))


def test_contradictions_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exactly where its terms are 'released'"):
        ReleaseExtras(generator=tmp_path)
    with pytest.raises(InputError, match="exactly where its terms are 'released'"):
        ReleaseExtras(terms="released")
    with pytest.raises(InputError, match="stands twice"):
        ReleaseExtras(((BALANCED, WEIGHTED), (BALANCED, WEIGHTED)))

"""What a release holds beside its rows: other configurations of them, and the generator."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import InputError, ReleaseRefused
from headwater.release import ReleaseExtras, ReleaseFacts, SignedManifest, verify_release, write_release
from headwater.release.manifest import Configuration
from headwater.release.policy import load_policy
from support.audited_release import Pending, audit_of, evidence_on, pending_release, sign_release
from support.releases import Consortium, facts_on, make_consortium, make_table

BALANCED = Configuration(name="balanced", path="balanced/data.parquet", rows=3, description="Classes in equal shares.")
WEIGHTED = make_table(3).to_arrow().append_column("weight", pa.array([0.5, 1.0, 2.0]))


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    files = {"generator.safetensors": b"\x00" * 9, "encoding.json": b"{}"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    named = {"version": 1, "files": {name: sha256_hex(data) for name, data in files.items()}}
    (folder / "bundle.json").write_bytes(canonical_json(named))
    return folder


def written(folder: Path, consortium: Consortium, extras: ReleaseExtras) -> SignedManifest:
    table = make_table()
    facts: ReleaseFacts = facts_on(table, consortium)
    return write_release(folder, table, facts, consortium.coordinator_key, extras=extras)


def audited(folder: Path, consortium: Consortium, extras: ReleaseExtras, bundle: Path | None = None) -> Pending:
    digest = "ef" * 32 if bundle is None else sha256_hex((bundle / "bundle.json").read_bytes())
    pending = pending_release(folder, consortium, extras=extras, generator_digest=digest)
    sign_release(pending, consortium)
    return pending


def test_everything_given_is_listed_and_verifies(tmp_path: Path, consortium: Consortium, bundle: Path) -> None:
    file = tmp_path / "views.parquet"
    pairs = make_table(2).to_arrow()
    pairs = pairs.append_column("group_id", pa.array([1, 1])).append_column("view_id", pa.array([0, 1]))
    pq.write_table(pairs, file)
    views = Configuration(name="views", path="views/data.parquet", rows=2, description="Pairs.")
    extras = ReleaseExtras(((BALANCED, WEIGHTED), (views, file)), bundle, "released")
    folder = tmp_path / "release"
    pending = audited(folder, consortium, extras, bundle)
    manifest = verify_release(folder, consortium.charter.charter).manifest
    assert manifest.format == "headwater-release/5"
    assert manifest.configurations == (BALANCED, views)
    assert manifest.generator == "released"
    assert pq.read_table(folder / BALANCED.path).equals(WEIGHTED)
    # A file was audited as it is, so it is published byte for byte.
    assert (folder / "views" / "data.parquet").read_bytes() == file.read_bytes()
    assert (folder / "generator" / "generator.safetensors").read_bytes() == b"\x00" * 9
    # What organisations sign names the generator, and every file of it.
    predicate = json.loads(pending.statement)
    named = {each["name"]: each["digest"]["sha256"] for each in predicate["subject"]}
    assert predicate["predicate"]["generator"] == named["generator/bundle.json"]


def test_rows_on_request_alone_are_told(tmp_path: Path, consortium: Consortium) -> None:
    audited(tmp_path / "release", consortium, ReleaseExtras(terms="on request"))
    manifest = verify_release(tmp_path / "release", consortium.charter.charter).manifest
    assert (manifest.format, manifest.generator) == ("headwater-release/5", "on request")


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


def test_generator_of_other_rows_is_neither_written_nor_believed(
    tmp_path: Path, consortium: Consortium, bundle: Path
) -> None:
    extras = ReleaseExtras((), bundle, "released")
    with pytest.raises(ValidationError, match="not the generator that the rows are from"):
        audited(tmp_path / "other", consortium, extras)
    # Its list is the run's, one of its files is not.
    (bundle / "generator.safetensors").write_bytes(b"\x01" * 9)
    with pytest.raises(ReleaseRefused, match="names other files than generator/ holds"):
        audited(tmp_path / "edited", consortium, extras, bundle)
    assert not (tmp_path / "edited").exists()


def test_bundle_with_a_file_too_many_is_not_written(tmp_path: Path, consortium: Consortium, bundle: Path) -> None:
    # A critic, an optimiser's state or a seed has no place in it.
    (bundle / "critic.safetensors").write_bytes(b"\x00")
    with pytest.raises(ValidationError, match="and nothing else"):
        audited(tmp_path / "release", consortium, ReleaseExtras((), bundle, "released"), bundle)


def test_nothing_of_a_generator_leaves_without_a_budget_or_an_audit(
    tmp_path: Path, consortium: Consortium, bundle: Path
) -> None:
    digest = sha256_hex((bundle / "bundle.json").read_bytes())
    for extras in (
        ReleaseExtras((), bundle, "released"),
        ReleaseExtras(terms="on request"),
        ReleaseExtras(((BALANCED, WEIGHTED),)),
    ):
        table = make_table()
        evidence = evidence_on(table, privacy="none")
        judged = audit_of(evidence, load_policy("non-private"))
        with pytest.raises(ReleaseRefused, match=r"at most kept without|generator that is kept"):
            pending_release(
                tmp_path / "release", consortium, judged, table, "none", extras=extras, generator_digest=digest
            )
    with pytest.raises(ReleaseRefused, match="an audit that was never made"):
        written(tmp_path / "release", consortium, ReleaseExtras(terms="on request"))


def test_policy_says_how_much_of_a_generator_leaves(tmp_path: Path, consortium: Consortium, bundle: Path) -> None:
    digest = sha256_hex((bundle / "bundle.json").read_bytes())
    table = make_table()
    extras = ReleaseExtras((), bundle, "released")
    for version, allowed in ((2, "on request"), (1, "kept")):
        judged = audit_of(evidence_on(table), load_policy("strict", version))
        with pytest.raises(ReleaseRefused, match=f"strict, version {version} lets it be at most {allowed} with"):
            pending_release(tmp_path / "release", consortium, judged, table, extras=extras, generator_digest=digest)


def test_more_rows_of_a_kept_generator_are_refused(tmp_path: Path, consortium: Consortium) -> None:
    with pytest.raises(ReleaseRefused, match="more rows of a generator that is kept"):
        audited(tmp_path / "release", consortium, ReleaseExtras(((BALANCED, WEIGHTED),)))
    audited(tmp_path / "given", consortium, ReleaseExtras(((BALANCED, WEIGHTED),), terms="on request"))
    assert verify_release(tmp_path / "given", consortium.charter.charter).manifest.configurations == (BALANCED,)


def test_numbers_out_of_bounds_are_not_released_in_any_configuration(tmp_path: Path, consortium: Consortium) -> None:
    place, field = 0, WEIGHTED.schema.field("age")
    beyond = WEIGHTED.set_column(place, field, pa.array([30, 40, 4711], field.type))
    with pytest.raises(ReleaseRefused, match=r"balanced/data\.parquet has values in column 'age' that the schema"):
        audited(tmp_path / "release", consortium, ReleaseExtras(((BALANCED, beyond),), terms="on request"))
    assert not (tmp_path / "release").exists()

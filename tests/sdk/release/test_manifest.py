"""The manifest: what it refuses to say, and whose signature it accepts."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headwater.agreement.signing import public_key_hex, sign
from headwater.errors import InputError, ReleaseRefused
from headwater.release.manifest import (
    MANIFEST_KIND,
    Chart,
    FileEntry,
    Manifest,
    Protection,
    Provenance,
    SignedManifest,
)
from support.claims import make_claim

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def entry(path: str) -> FileEntry:
    return FileEntry(path=path, size_bytes=3, sha256="a" * 64, media_type="text/plain")


def manifest(paths: tuple[str, ...] = ("README.md", "data.parquet", "schema.toml"), /, **changes: object) -> Manifest:
    values = {
        "format": "headwater-release/1",
        "name": "visits",
        "version": 1,
        "title": "Visits",
        "licence": "not stated",
        "created": "2026-11-21T12:00:00Z",
        "rows": 10,
        "columns": 2,
        "protection": Protection.of("none", "unprotected"),
        "provenance": Provenance(
            consortium="Three Hospitals",
            organisations=3,
            run_id="0" * 32,
            plan_digest="1" * 64,
            charter_digest="2" * 64,
            schema_digest="3" * 64,
            software="headwater 0",
        ),
        "files": tuple(entry(path) for path in paths),
    }
    return Manifest.model_validate(values | changes)


def test_signed_manifest_survives_its_own_bytes() -> None:
    signed = SignedManifest.sign(manifest(), KEY)
    assert SignedManifest.from_bytes(signed.to_bytes()).verify(public_key_hex(KEY)) == manifest()


def test_manifest_signed_by_another_key_is_refused() -> None:
    signed = SignedManifest.sign(manifest(), Ed25519PrivateKey.generate())
    with pytest.raises(ReleaseRefused, match="the charter names"):
        signed.verify(public_key_hex(KEY))


def test_claiming_the_right_key_does_not_help_a_wrong_signature() -> None:
    stranger = Ed25519PrivateKey.generate()
    forged = SignedManifest(
        manifest=manifest(),
        coordinator_key=public_key_hex(KEY),
        coordinator_signature=sign(stranger, MANIFEST_KIND, manifest().to_bytes()),
    )
    with pytest.raises(ReleaseRefused, match=r"signature on manifest\.json is wrong"):
        forged.verify(public_key_hex(KEY))


def test_signature_made_for_another_kind_of_document_is_refused() -> None:
    data = manifest().to_bytes()
    replayed = SignedManifest(
        manifest=manifest(), coordinator_key=public_key_hex(KEY), coordinator_signature=sign(KEY, "charter", data)
    )
    with pytest.raises(ReleaseRefused):
        replayed.verify(public_key_hex(KEY))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rows", 11),
        ("version", 2),
        ("name", "other"),
        ("unconfirmed_schema", True),
        ("title", "Better visits"),
        ("files", tuple(entry(path) for path in ("README.md", "data.parquet", "more.txt", "schema.toml"))),
    ],
)
def test_every_changed_field_breaks_the_signature(field: str, value: object) -> None:
    signed = SignedManifest.sign(manifest(), KEY)
    changed = signed.model_copy(update={"manifest": manifest(**{field: value})})
    with pytest.raises(ReleaseRefused):
        changed.verify(public_key_hex(KEY))


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/passwd", "plots/../x", ".hidden", "plots/.x", "a//b", "a\\b", "", "a/b/c/d/e", "a\nb"]
)
def test_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        entry(path)


@given(st.text(max_size=30))
def test_no_accepted_path_climbs(path: str) -> None:
    try:
        accepted = entry(path).path
    except ValidationError:
        return
    parts = accepted.split("/")
    assert all(part and not part.startswith(".") for part in parts)
    assert accepted.isascii()
    assert accepted.isprintable()


@pytest.mark.parametrize(
    "paths",
    [
        ("data.parquet", "schema.toml"),
        ("schema.toml", "data.parquet", "README.md"),
        ("README.md", "README.md", "data.parquet", "schema.toml"),
        ("README.md", "data.parquet", "manifest.json", "schema.toml"),
    ],
)
def test_list_of_files_that_is_not_a_release_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        manifest(paths)


def test_a_manifest_without_privacy_has_the_bytes_it_always_had() -> None:
    # Of the same manifest as the first version of this format wrote it.
    assert manifest().digest == "69266ca4556810537b01122d2a1c0b13f91d0c10a13e2e6620f00ec6753c1061"


def test_a_private_manifest_is_of_a_format_that_older_readers_refuse() -> None:
    protection = Protection.of(make_claim(), "one cohort")
    assert manifest(protection=protection, format="headwater-release/2").protection.coordinator_saw == "noisy sums"
    for wrong in ({"protection": protection}, {"format": "headwater-release/2"}):
        with pytest.raises(ValidationError, match=r"headwater-release/[12] is"):
            manifest(**wrong)


def test_manifest_and_claim_agree_on_who_read_the_schema() -> None:
    values = {"protection": Protection.of(make_claim(schema_confirmed=False), "one cohort")}
    with pytest.raises(ValidationError, match="contradict each other"):
        manifest(**values, format="headwater-release/2")
    assert manifest(**values, format="headwater-release/2", unconfirmed_schema=True).unconfirmed_schema


def test_manifest_cannot_claim_protection_that_does_not_exist() -> None:
    document = json.loads(SignedManifest.sign(manifest(), KEY).to_bytes())
    document["manifest"]["protection"]["privacy"] = "differential"
    with pytest.raises(InputError, match="protection"):
        SignedManifest.from_bytes(json.dumps(document).encode())


def test_later_signatures_would_not_change_the_release_digest() -> None:
    first = SignedManifest.sign(manifest(), KEY)
    second = SignedManifest.sign(manifest(), Ed25519PrivateKey.generate())
    assert first.manifest.digest == second.manifest.digest
    assert first.digest != second.digest


def test_what_is_beside_the_rows_needs_layout_four_and_leaves_earlier_layouts_their_bytes() -> None:
    plain = manifest()
    assert b'"charts"' not in plain.to_bytes()
    assert b'"generator"' not in plain.to_bytes()
    assert Manifest.from_bytes(plain.to_bytes()) == plain
    chart = Chart(kind="pairs", path="plots/pairs.svg", description="which columns go together")
    files = tuple(sorted((*plain.files, plain.files[0].model_copy(update={"path": chart.path})), key=lambda f: f.path))
    more = manifest(charts=(chart,), files=files, format="headwater-release/4")
    assert Manifest.from_bytes(more.to_bytes()) == more
    assert b'"generator":"kept"' in more.to_bytes()
    for wrong in ({"charts": (chart,), "files": files}, {"charts": (chart,), "format": "headwater-release/4"}):
        with pytest.raises(ValidationError, match=r"headwater-release/4 is|shown but not among the files"):
            manifest(**wrong)
    with pytest.raises(ValidationError, match="exactly where the generator is released"):
        manifest(generator="released", format="headwater-release/4")

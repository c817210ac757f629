"""What is signed about rows drawn on request, and what is refused."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.canonical import sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release import Manifest, write_release
from headwater.release.sample_statement import (
    SampleRequest,
    SampleStatement,
    SignedSampleStatement,
    read_sample_statement,
)
from support.releases import NOON, Consortium, facts_on, make_consortium, make_table

ROWS = b"these are the rows"


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, consortium: Consortium) -> Manifest:
    table = make_table(20)
    folder = tmp_path_factory.mktemp("releases") / "1"
    return write_release(folder, table, facts_on(table, consortium), consortium.coordinator_key).manifest


def statement(manifest: Manifest, **changes: object) -> SampleStatement:
    values = {
        "name": manifest.name,
        "version": manifest.version,
        "release": manifest.digest,
        "generator": manifest.provenance.generator_digest,
        "request": SampleRequest(rows=3, where={"ward": ["surgery", None], "age": {"lower": 30, "upper": None}}),
        "rows": 3,
        "size_bytes": len(ROWS),
        "sha256": sha256_hex(ROWS),
        "created": NOON.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": "headwater 0",
    }
    return SampleStatement.model_validate(values | changes)


def test_statement_and_file_are_believed(manifest: Manifest, consortium: Consortium, tmp_path: Path) -> None:
    said = statement(manifest)
    signed = read_sample_statement(SignedSampleStatement.sign(said, consortium.coordinator_key).to_bytes())
    assert signed.verify(manifest, consortium.charter.charter.coordinator_key) == said
    (tmp_path / "rows").write_bytes(ROWS)
    signed.check_file(tmp_path / "rows")
    (tmp_path / "rows").write_bytes(ROWS[:-1] + b"x")
    with pytest.raises(ReleaseRefused, match="not the sample that was signed"):
        signed.check_file(tmp_path / "rows")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"version": 2}, "and not for visits version 1"),
        ({"release": "0" * 64}, "and not for visits version 1"),
        ({"generator": "0" * 64}, "another generator"),
    ],
)
def test_statement_about_something_else_is_refused(
    manifest: Manifest, consortium: Consortium, change: dict[str, object], line: str
) -> None:
    signed = SignedSampleStatement.sign(statement(manifest, **change), consortium.coordinator_key)
    with pytest.raises(ReleaseRefused, match=line):
        signed.verify(manifest, consortium.charter.charter.coordinator_key)


def test_only_the_charters_key_signs(manifest: Manifest, consortium: Consortium) -> None:
    trusted = consortium.charter.charter.coordinator_key
    foreign = SignedSampleStatement.sign(statement(manifest), Ed25519PrivateKey.generate())
    with pytest.raises(ReleaseRefused, match="the charter names"):
        foreign.verify(manifest, trusted)
    with pytest.raises(ReleaseRefused, match="signature on the sample's statement is wrong"):
        foreign.model_copy(update={"coordinator_key": trusted}).verify(manifest, trusted)
    # A signature over another request is none over this one.
    mine = SignedSampleStatement.sign(statement(manifest), consortium.coordinator_key)
    other = statement(manifest, request=SampleRequest(rows=3))
    with pytest.raises(ReleaseRefused, match="is wrong"):
        mine.model_copy(update={"statement": other}).verify(manifest, trusted)


@pytest.mark.parametrize("data", [b"", b"{}", b"x" * (2**20 + 1), b"\xff"])
def test_other_bytes_are_no_statement(data: bytes) -> None:
    with pytest.raises(ReleaseRefused, match="sample's statement"):
        read_sample_statement(data)


def test_statement_of_other_numbers_of_rows_is_none(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="another number of rows"):
        statement(manifest, rows=4)


def test_columns_alone_ask_for_equal_shares() -> None:
    assert SampleRequest.model_validate({"rows": 1, "balanced": "a"}).balanced == {"a": None}
    assert SampleRequest.model_validate({"rows": 1, "balanced": ["a", "b"]}).balanced == {"a": None, "b": None}

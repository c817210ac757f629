"""What the measured catalogue serves: twenty datasets, and one whose rows are a file of 1 GiB."""

import datetime
import pathlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import CHARTER_KIND, Charter, Member, SignedCharter
from headwater.agreement.signing import public_key_hex, sign
from headwater.release.blocks import BLOCKS_SUFFIX, BlockDigests
from headwater.release.hashing import hash_file
from headwater.release.layout import CARD, CHECKSUMS, CROISSANT, CSV, DATA, MANIFEST, SCHEMA, STATISTICS, checksums
from headwater.release.manifest import FileEntry, Manifest, SignedManifest
from headwater.release.texts import card_of, machines_of
from headwater.release.verification import read_manifest
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table
from headwater_server.release import ReleaseRequest, RunFacts, publish_release

__all__ = ["LARGE", "Shelf", "fill_shelf", "made_table"]

LARGE = "large"
"""The dataset with the large file."""

_DATASETS = 20
_ROWS = 30_000
_LARGE_BYTES = 2**30
_GROUP_ROWS = 131_072
_NOON = datetime.datetime(2026, 11, 1, 12, 0, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Shelf:
    """Releases under a charter that this benchmark made.

    Attributes:
        signed: the charter, which a reader pins, with every member's signature.
        file: the large file itself, for a peer to serve.
    """

    signed: SignedCharter
    file: pathlib.Path

    @property
    def charter(self) -> Charter:
        """Without the signatures."""
        return self.signed.charter


def fill_shelf(releases: pathlib.Path, ca_digest: str) -> Shelf:
    """Publish every dataset into a folder that does not exist yet."""
    key = Ed25519PrivateKey.generate()
    signed = _signed_charter(key, ca_digest)
    charter = signed.charter
    run = RunFacts(
        consortium=charter.consortium,
        organisations=3,
        run_id="ab" * 16,
        plan_digest="cd" * 32,
        charter_digest=charter.digest,
        generator_digest="ef" * 32,
        differencing="unprotected",
        privacy="none",
    )
    request = ReleaseRequest(name="visits-01", title="Hospital visits", description="Made for measuring a catalogue.")
    first = publish_release(releases, made_table(), request, run, key, _NOON).folder
    for number in range(2, _DATASETS + 1):
        _rename(first, releases / f"visits-{number:02}" / "1", key)
    large = releases / LARGE / "1"
    _rename(first, large, key)
    _write_large(large / DATA)
    _replace_rows(large, key)
    return Shelf(signed, large / DATA)


def _signed_charter(key: Ed25519PrivateKey, ca_digest: str) -> SignedCharter:
    keys = {name: Ed25519PrivateKey.generate() for name in ("east", "north", "west")}
    charter = Charter(
        version=1,
        consortium="Benchmark",
        members=tuple(
            Member(id=name, name=name.title(), identity_key=public_key_hex(own)) for name, own in keys.items()
        ),
        coordinator_key=public_key_hex(key),
        minimum_cohort=3,
        ca_digest=ca_digest,
        created="2026-11-01T09:00:00Z",
    )
    return SignedCharter(
        charter=charter,
        coordinator_signature=sign(key, CHARTER_KIND, charter.to_bytes()),
        signatures={name: charter.signed_by(own) for name, own in keys.items()},
    )


def made_table() -> Table:
    """Fifteen columns, as Adult has them; nobody's rows."""
    random = np.random.default_rng(1)
    numeric = [NumericColumn(name=f"measure_{at}", lower=0, upper=100, integer=at % 2 == 0) for at in range(6)]
    wards = [CategoricalColumn(name=f"ward_{at}", categories=tuple("abcdefgh"[: at + 2])) for at in range(6)]
    codes = [
        CategoricalColumn(name=f"code_{at}", categories=tuple(f"k{each}" for each in range(20))) for at in range(3)
    ]
    columns: dict[str, np.ndarray] = {}
    for column in numeric:
        values = random.gamma(3.0, 10.0, _ROWS).clip(0, 100)
        columns[column.name] = np.rint(values) if column.integer else values
    for category in (*wards, *codes):
        columns[category.name] = random.integers(0, len(category.categories), _ROWS).astype(np.int32)
    return Table(Schema(name="visits", columns=(*numeric, *wards, *codes)), columns, _ROWS)


def _rename(release: pathlib.Path, to: pathlib.Path, key: Ed25519PrivateKey) -> None:
    """The same release under another name, signed as such."""
    shutil.copytree(release, to)
    manifest = read_manifest((release / MANIFEST).read_bytes()).manifest
    _sign(to, manifest.model_copy(update={"name": to.parent.name}), key)


def _sign(folder: pathlib.Path, manifest: Manifest, key: Ed25519PrivateKey) -> None:
    """Tell of the release anew, as a reader makes sure of, and sign it."""
    schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    for path, tell in ((CARD, card_of), (CROISSANT, machines_of)):
        (folder / path).write_bytes(tell(manifest, schema, None))
        manifest = manifest.model_copy(update={"files": _entries(folder, manifest, (path,))})
    data = SignedManifest.sign(manifest, key).to_bytes()
    (folder / MANIFEST).write_bytes(data)
    (folder / CHECKSUMS).write_bytes(checksums(manifest.files, data))


def _entries(folder: pathlib.Path, manifest: Manifest, changed: Collection[str]) -> tuple[FileEntry, ...]:
    """A manifest's files, with sizes and digests of those that changed as they lie there now."""

    def entry(file: FileEntry) -> FileEntry:
        if file.path not in changed:
            return file
        size, digest = hash_file(folder / file.path)
        return file.model_copy(update={"size_bytes": size, "sha256": digest})

    return tuple(entry(file) for file in manifest.files)


def _write_large(path: pathlib.Path) -> None:
    """Random numbers as Parquet, which nothing on the way can make smaller."""
    random = np.random.default_rng(2)
    names = [f"x{at}" for at in range(16)]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(_LARGE_BYTES // (8 * len(names) * _GROUP_ROWS)):
            writer.write_table(pa.table({name: random.random(_GROUP_ROWS) for name in names}, schema))


def _replace_rows(folder: pathlib.Path, key: Ed25519PrivateKey) -> None:
    """Put the file that lies there now into the manifest."""
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    (folder / f"{DATA}{BLOCKS_SUFFIX}").write_bytes(BlockDigests.of(folder / DATA, DATA).to_bytes())
    # What tells the rows in another way would contradict them, and a reader holds it to them.
    for path in (CSV, STATISTICS):
        (folder / path).unlink(missing_ok=True)
    entries = _entries(folder, manifest, (DATA, f"{DATA}{BLOCKS_SUFFIX}"))
    files = tuple(entry for entry in entries if entry.path not in (CSV, STATISTICS))
    rows = pq.read_metadata(folder / DATA).num_rows
    _sign(folder, manifest.model_copy(update={"files": files, "rows": rows}), key)

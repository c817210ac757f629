"""Checking a release folder, offline, against a key or charter that the reader pinned."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.agreement.charter import Charter
from headwater.agreement.documents import Instant
from headwater.agreement.succession import CharterHistory
from headwater.errors import HeadwaterError, InputError, ReleaseRefused
from headwater.release.blocks import BLOCKS_SUFFIX, MAXIMUM_BLOCKS_BYTES, blocks_entry, digest_blocks, read_blocks
from headwater.release.contents import check_contents
from headwater.release.generator_check import check_bundle, check_terms
from headwater.release.hashing import hash_file
from headwater.release.layout import (
    ATTESTATION,
    AUDIT,
    CHECKSUMS,
    DATA,
    MANIFEST,
    MAXIMUM_ATTESTATION_BYTES,
    MAXIMUM_AUDIT_BYTES,
    MAXIMUM_MANIFEST_BYTES,
    SCHEMA,
    checksums,
)
from headwater.release.manifest import BUNDLE, FileEntry, Manifest, SignedManifest
from headwater.release.replay import Replay, replay
from headwater.release.statement import Statement, headline, protection_statement, signatures_in_words
from headwater.release.texts import check_texts
from headwater.schema import Schema

if TYPE_CHECKING:
    from headwater.release.audit_file import PublishedAudit

__all__ = ["DamagedRelease", "Verification", "claimed_charter", "read_manifest", "verify_manifest", "verify_release"]

Trusted = Charter | CharterHistory | str


class DamagedRelease(ReleaseRefused):
    """A folder no longer holds what was signed; another download mends that.

    Attributes:
        problem: what is off, without advice, for whoever knows better what to do about this folder.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}; download the dataset again, to another folder")
        self.problem = problem


@dataclass(frozen=True)
class Verification:
    """What was checked and found true.

    Attributes:
        manifest: the signed manifest.
        digest: SHA-256 of its canonical form: the release's identity.
        coordinator_key: the pinned key that signed it, 64 hexadecimal digits.
        charter_digest: of the charter that it was made under; None where the reader gave a bare key.
        replay: of its ε; None for a release without differential privacy.
        audit: content of audit.json, its decision checked; None for a release that was not audited.
        organisations: members of the charter that signed, sorted; empty for a release that was not audited.
        folder: that was checked.
    """

    manifest: Manifest
    digest: str
    coordinator_key: str
    charter_digest: str | None
    replay: Replay | None
    audit: "PublishedAudit | None" = None
    organisations: tuple[str, ...] = ()
    folder: Path = Path()

    @property
    def signatures(self) -> str:
        """Who signed, in words."""
        if self.audit is None:
            return signatures_in_words(self.manifest.protection)
        return f"signed by the coordinator and {len(self.organisations)} organisations: {', '.join(self.organisations)}"

    @property
    def judged_apart(self) -> str:
        """Which gates the signing organisations judged, each on its own rows, in words; "" where there are none."""
        claim = self.manifest.protection.audit
        if claim == "none" or not claim.left:
            return ""
        gates = f"{', '.join(claim.left[:-1])} and {claim.left[-1]}" if claim.left[1:] else claim.left[0]
        return (
            f"{gates}: judged by each of the {len(self.organisations)} signing organisations on its own rows; under ε "
            "no figure of them leaves, so their signatures are all that shows it"
        )

    def expired_waivers(self, now: Instant) -> tuple[str, ...]:
        """A line for each waiver that the release rests on and that is over by now.

        It held when the release was made, and a published version never changes, so it is told and not refused.
        """
        if self.audit is None:
            return ()
        return tuple(
            f"the waiver of {signed.waiver.gate} expired at {signed.waiver.expires}; ask the consortium for a release "
            "that passes this gate"
            for signed in self.audit.waivers
            if signed.waiver.expires < now
        )

    @property
    def headline(self) -> str:
        """What differential privacy there is, or that there is none, in one line."""
        return headline(self.manifest.protection.privacy)

    @property
    def statement(self) -> Sequence[Statement]:
        """Each thing that the reader must know."""
        manifest = self.manifest
        return protection_statement(manifest.provenance.organisations, manifest.unconfirmed_schema, manifest.protection)


def read_manifest(data: bytes) -> SignedManifest:
    """Read manifest.json without believing it yet.

    Raises:
        ReleaseRefused: too large, or not a manifest in canonical form.
    """
    if len(data) > MAXIMUM_MANIFEST_BYTES:
        raise ReleaseRefused(f"{MANIFEST} has more than {MAXIMUM_MANIFEST_BYTES:,} bytes; no release needs that many")
    try:
        return SignedManifest.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"{MANIFEST} cannot be believed: {error}") from error


def verify_manifest(signed: SignedManifest, trusted: Trusted) -> Manifest:
    """Check the signature, and that the release was made under this very charter.

    Args:
        signed: as read.
        trusted: a charter in force that the reader pinned, a history through it of which any version may be the
            release's, or a bare coordinator key in hexadecimal.

    Raises:
        ReleaseRefused: signed by another key, wrongly, under another charter, or against what that declares.
    """
    if isinstance(trusted, str):
        return signed.verify(trusted)
    if isinstance(trusted, CharterHistory):
        # A release stays under the version that its run was proposed under; one of no version fails below.
        trusted = trusted.find(signed.manifest.provenance.charter_digest) or trusted.newest
    manifest = signed.verify(trusted.coordinator_key)
    if manifest.provenance.charter_digest != trusted.digest:
        raise ReleaseRefused(
            f"the release was made under charter {manifest.provenance.charter_digest[:16]}…, "
            f"the pinned one is {trusted.digest[:16]}…; ask the consortium which one is in force"
        )
    privacy = manifest.protection.privacy
    if privacy != "none" and privacy.disjoint_people != trusted.disjoint_people:
        raise ReleaseRefused(
            "the release and its charter contradict each other on whether people's records may be at several members; "
            "do not rely on its ε, tell the consortium"
        )
    return manifest


def verify_release(
    folder: Path, trusted: Trusted, *, absent: Collection[str] = (), hashed: Collection[str] = (), cells: bool = True
) -> Verification:
    """Check everything about a release folder that can be checked without a network.

    In this order: manifest.json is the coordinator's; no file is missing, changed, added or a link; SHA256SUMS says
    the same; schema.toml is the schema that the plan named; data.csv.gz has the rows of data.parquet and
    statistics.json follows from them; a generator is the one that the rows are from and no more of it is given than
    its policy lets be given; ε is not less than its signed events come to; audit.json is on these rows and its
    decision follows from its policy; attestation.json is signed by the coordinator and by as many organisations as the
    charter asks for; the rows are those that organisations attacked together, where they did; and, since format 5,
    README.md and croissant.json are what this software writes of all that, byte for byte. Plots are not drawn again.

    Args:
        folder: as downloaded or published.
        trusted: as `verify_manifest`; for an audited release no bare key, which says nothing of organisations.
        absent: listed files that the folder does not hold, and that the caller holds to the manifest before any use;
            without data.parquet it is not checked that these rows are those that organisations attacked, and that
            other files follow from them.
        hashed: files whose size and SHA-256 the caller held to the manifest's while it wrote them; not read again.
        cells: whether every row beside data.parquet is held to the schema, which takes time where they are very many;
            False for files that were verified in this folder before, whose digests still hold.

    Raises:
        InputError: there is no such folder, or a bare key was given for an audited release.
        DamagedRelease: a file is missing or not the one that was signed.
        ReleaseRefused: any other check failed.
    """
    data = _manifest_bytes(folder)
    signed = read_manifest(data)
    manifest = verify_manifest(signed, trusted)
    _check_files(folder, manifest, set(absent), set(hashed))
    if (folder / CHECKSUMS).read_bytes() != checksums(manifest.files, data):
        raise DamagedRelease(f"{CHECKSUMS} does not say what {MANIFEST} says")
    schema = _check_schema(folder, manifest)
    check_contents(folder, manifest, schema, set(absent), cells=cells)
    if BUNDLE not in absent:
        check_bundle(folder, manifest)
    privacy = manifest.protection.privacy
    audit, organisations = None, tuple[str, ...]()
    if manifest.protection.audit != "none":
        audit, organisations = _check_audited(folder, manifest, data, trusted, rows=DATA not in absent)
    elif manifest.generator != "kept" or manifest.configurations:
        check_terms(manifest, None)
    replayed = None if privacy == "none" else replay(privacy)
    check_texts(manifest, schema, audit)
    return Verification(
        manifest=manifest,
        digest=manifest.digest,
        coordinator_key=signed.coordinator_key,
        charter_digest=None if isinstance(trusted, str) else manifest.provenance.charter_digest,
        replay=replayed,
        audit=audit,
        organisations=organisations,
        folder=folder,
    )


def _check_audited(
    folder: Path, manifest: Manifest, manifest_file: bytes, trusted: Trusted, *, rows: bool
) -> "tuple[PublishedAudit, tuple[str, ...]]":
    # Only audited releases pay for what reads policies and envelopes.
    from headwater.release.attacked import check_attacked, read_data
    from headwater.release.attestation import check_attestation, statement_of
    from headwater.release.audit_check import policy_of
    from headwater.release.audited import read_audit

    if isinstance(trusted, str):
        raise InputError(
            "an audited release is signed by organisations, and a bare key names none; verify it under the charter"
        )
    charter = trusted if isinstance(trusted, Charter) else trusted.find(manifest.provenance.charter_digest)
    if charter is None:
        raise ReleaseRefused("the release was made under no version of the pinned charter; ask the consortium")
    schema = Schema.from_toml((folder / SCHEMA).read_text("utf-8"))
    audit = read_audit(_bounded(folder / AUDIT, MAXIMUM_AUDIT_BYTES), manifest, charter, schema)
    check_terms(manifest, policy_of(audit))
    attestation = _bounded(folder / ATTESTATION, MAXIMUM_ATTESTATION_BYTES)
    members = check_attestation(attestation, statement_of(manifest, manifest_file, audit), charter)
    if rows and audit.federation != "none" and audit.federation.attacked is not None:
        check_attacked(audit.federation.attacked, read_data(folder / DATA, schema))
    return audit, members


def claimed_charter(folder: Path) -> str:
    """The digest of the charter that a release says it was made under: which pinned charter to check it by.

    Raises:
        InputError: there is no such folder.
        ReleaseRefused: it holds no manifest.
    """
    return read_manifest(_manifest_bytes(folder)).manifest.provenance.charter_digest


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name the folder that the dataset was downloaded to")
    if path.is_symlink() or not path.is_file():
        raise DamagedRelease(f"{folder} holds no {MANIFEST}, so it is no release")
    return _bounded(path, MAXIMUM_MANIFEST_BYTES)


def _bounded(path: Path, limit_bytes: int) -> bytes:
    # One byte more than the limit tells the reader that there are too many.
    with path.open("rb") as file:
        return file.read(limit_bytes + 1)


def _check_files(folder: Path, manifest: Manifest, absent: set[str], hashed: set[str]) -> None:
    expected = ({entry.path for entry in manifest.files} | {MANIFEST, CHECKSUMS}) - absent
    if manifest.protection.audit != "none":
        expected.add(ATTESTATION)
    present = set(_walk(folder, ""))
    if missing := sorted(expected - present):
        raise DamagedRelease(f"{missing[0]} is missing from {folder}")
    # A file that nobody signed may be taken for a part of the release, so it is refused, not ignored.
    if strangers := sorted(present - expected):
        raise ReleaseRefused(f"{strangers[0]} in {folder} is not part of the release; move it elsewhere")
    # Lists of blocks first: a file is held to its list in the same pass that hashes it.
    for entry in sorted(manifest.files, key=lambda each: not each.path.endswith(BLOCKS_SUFFIX)):
        if entry.path in expected and entry.path not in hashed:
            _check_file(folder, entry, blocks_entry(manifest, entry.path))


def _check_file(folder: Path, entry: FileEntry, listed: FileEntry | None) -> None:
    """Size, digest and, where the release lists them, digests of blocks, in one pass over the file."""
    path = folder / entry.path
    blocks = None
    if listed is not None and (folder / listed.path).is_file():
        blocks = read_blocks(_bounded(folder / listed.path, MAXIMUM_BLOCKS_BYTES), entry)
        size, digest, found = digest_blocks(path, blocks.block_bytes)
    else:
        size, digest = hash_file(path)
        found = ()
    if (size, digest) != (entry.size_bytes, entry.sha256):
        raise DamagedRelease(
            f"{entry.path} is not the file that was signed: {size:,} bytes with SHA-256 {digest[:16]}…, "
            f"expected {entry.size_bytes:,} with {entry.sha256[:16]}…"
        )
    if blocks is not None and tuple(found) != blocks.blocks:
        raise ReleaseRefused(f"{entry.path}{BLOCKS_SUFFIX} does not say what {entry.path} holds; tell the consortium")


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder / entry.name, f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                yield path
            else:
                raise ReleaseRefused(f"{path} in {folder} is a link or no plain file; a release holds plain files only")


def _check_schema(folder: Path, manifest: Manifest) -> Schema:
    try:
        schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    except (HeadwaterError, UnicodeDecodeError) as error:
        raise ReleaseRefused(f"{SCHEMA} is not a schema although it was signed; tell the consortium") from error
    if schema.digest != manifest.provenance.schema_digest:
        raise ReleaseRefused(f"{SCHEMA} is not the schema of the plan that was approved; tell the consortium")
    return schema

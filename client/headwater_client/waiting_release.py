"""A release that waits, verified before anybody looks at it: whose it is, what it is, and what judged it."""

from dataclasses import dataclass, field
from pathlib import Path

from headwater.agreement.charter import Charter
from headwater.agreement.generator_terms import within
from headwater.agreement.plan import Plan
from headwater.agreement.succession import CharterHistory
from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.release.attestation import statement_of
from headwater.release.audit_check import policy_of
from headwater.release.audit_file import PublishedAudit
from headwater.release.audited import read_audit
from headwater.release.blocks import check_blocks
from headwater.release.contents import check_contents
from headwater.release.dsse import is_statement_signed_by, read_envelope
from headwater.release.evidence import Scope
from headwater.release.generator_check import check_bundle, check_terms
from headwater.release.hashing import hash_file
from headwater.release.layout import AUDIT, CHECKSUMS, DATA, MANIFEST, SCHEMA, checksums
from headwater.release.manifest import NEWEST, Manifest
from headwater.release.replay import replay
from headwater.release.texts import check_texts
from headwater.release.verification import read_manifest, verify_manifest
from headwater.schema import Schema
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater_client.large_rows import check_large, fetch_large
from headwater_client.settings import write_text_atomically
from headwater_client.transport.releases import ReleaseDocuments, ReleasesClient

__all__ = ["WaitingRelease", "fetch_release"]


@dataclass(frozen=True)
class WaitingRelease:
    """A release in this organisation's home, verified.

    Attributes:
        manifest: signed by the charter's coordinator.
        audit: whose decision follows from what it shows, by the policy of the approved plan.
        statement: that an approval signs, made here of manifest and audit.
        charter: of the run.
        plan: that this organisation approved.
        folder: with every file of the manifest, but of very many rows the first alone.
    """

    manifest: Manifest
    audit: PublishedAudit
    statement: bytes = field(repr=False)
    charter: Charter
    plan: Plan
    folder: Path

    @property
    def digest(self) -> str:
        """Of the manifest: what people compare."""
        return self.manifest.digest

    @property
    def table(self) -> Table:
        """The synthetic rows."""
        from headwater_client.connectors.files import ParquetSource

        return load_table(ParquetSource(self.folder / DATA).read(self.plan.schema_), self.plan.schema_)


def fetch_release(
    client: ReleasesClient, documents: ReleaseDocuments, history: CharterHistory, plan: Plan, folder: Path
) -> WaitingRelease:
    """Verify what is signed about a release, fetch its files, and hold each to the manifest.

    Args:
        client: of the coordinator.
        documents: as they came.
        history: versions of the charter in force here.
        plan: that this organisation approved for the release's run.
        folder: for the files; what is there already is not fetched again. Of very many rows the first file stays, the
            others are looked at one by one.

    Raises:
        ReleaseRefused: a signature, digest, decision or statement does not hold, or it is not of the approved plan.
        PeerError: the coordinator sent another file than it signed, or a release of another digest.
        StorageError: the disk is full.
    """
    signed = read_manifest(documents.manifest)
    manifest = verify_manifest(signed, history)
    if manifest.digest != documents.status.release_digest:
        raise PeerError("the coordinator sent another release than was asked for; ask the operator")
    charter = history.find(manifest.provenance.charter_digest) or history.newest
    if manifest.provenance.run_id != documents.status.run_id:
        raise PeerError("the coordinator sent a release of another run than it names; ask the operator")
    _check_plan(manifest, plan)
    absent = fetch_large(client, manifest, plan.schema_, folder)
    for entry in manifest.files:
        target = folder / entry.path
        if entry.path in absent:
            continue
        if not (target.is_file() and hash_file(target) == (entry.size_bytes, entry.sha256)):
            client.fetch(manifest.digest, entry.path, target, entry.size_bytes, entry.sha256)
    # What needs no fetching is made here, of what was verified.
    write_text_atomically(folder / MANIFEST, documents.manifest.decode())
    write_text_atomically(folder / CHECKSUMS, checksums(manifest.files, documents.manifest).decode())
    audit = _audit(folder, manifest, charter, plan)
    check_terms(manifest, policy_of(audit))
    check_bundle(folder, manifest)
    if Schema.from_toml((folder / SCHEMA).read_text("utf-8")).digest != plan.schema_.digest:
        raise ReleaseRefused(f"{SCHEMA} is not the schema of the plan that was approved here; refuse the release")
    # Readers of a part hold it to the list of blocks alone: what it lists must be what was audited.
    check_blocks(folder, manifest, absent)
    check_contents(folder, manifest, plan.schema_, absent)
    check_large(folder, manifest)
    check_texts(manifest, plan.schema_, audit)
    if manifest.protection.privacy != "none":
        replay(manifest.protection.privacy)
    statement = statement_of(manifest, documents.manifest, audit)
    _check_attestation(documents.attestation, statement, charter)
    return WaitingRelease(manifest, audit, statement, charter, plan, folder)


def _check_plan(manifest: Manifest, plan: Plan) -> None:
    if manifest.provenance.plan_digest != plan.digest:
        raise ReleaseRefused(
            f"the release is of plan {manifest.provenance.plan_digest[:16]}…, this organisation approved "
            f"{plan.digest[:16]}… for its run; refuse the release and tell the other members"
        )
    if manifest.format != NEWEST:
        # Of an earlier one card and croissant.json could say anything.
        raise ReleaseRefused(
            f"the release is of {manifest.format}, this software signs {NEWEST}; ask the operator to bring the "
            "coordinator to the same version"
        )
    if plan.audit == "none" or manifest.protection.audit == "none":
        raise ReleaseRefused("the release or its plan has no audit; refuse it and ask for a plan with one")
    if plan.rows and manifest.rows != plan.rows:
        raise ReleaseRefused(f"the release has {manifest.rows:,} rows, the approved plan says {plan.rows:,}; refuse it")
    if not within(manifest.generator, plan.release.generator):
        raise ReleaseRefused(
            f"the release says that its generator is {manifest.generator}, the approved plan lets it be at most "
            f"{plan.release.generator}; refuse it"
        )
    if (plan.privacy == "none") != (manifest.protection.privacy == "none"):
        raise ReleaseRefused("the release says something else of its privacy than the approved plan; refuse it")


def _audit(folder: Path, manifest: Manifest, charter: Charter, plan: Plan) -> PublishedAudit:
    audit = read_audit((folder / AUDIT).read_bytes(), manifest, charter, plan.schema_)
    if plan.audit == "none" or audit.decision.policy.name != plan.audit.policy:
        raise ReleaseRefused(
            f"the release was judged by policy {audit.decision.policy.name}, the approved plan names another; refuse it"
        )
    if audit.settings != sha256_hex(canonical_json(plan.audit.settings.model_dump(mode="json"))):
        raise ReleaseRefused("the release was audited by other settings than those of the approved plan; refuse it")
    if audit.scope != Scope.of(plan.audit.settings):
        raise ReleaseRefused("the release names other groups, secrets or tasks than the approved plan; refuse it")
    return audit


def _check_attestation(data: bytes, statement: bytes, charter: Charter) -> None:
    """Check every signature that there is; a quorum of them may be missing yet."""
    signed, signatures = read_envelope(data)
    if signed != statement:
        raise ReleaseRefused("the attestation is on other files than this release's; refuse it")
    for key, signature in signatures.items():
        if key not in (charter.coordinator_key, *charter.keys.values()):
            raise ReleaseRefused(f"the attestation is signed by key {key[:16]}…, which is nobody's; refuse the release")
        if not is_statement_signed_by(key, statement, signature):
            raise ReleaseRefused(f"the signature of key {key[:16]}… on the attestation is wrong; refuse the release")
    if charter.coordinator_key not in signatures:
        raise ReleaseRefused("the attestation is not signed by the charter's coordinator; refuse the release")

"""attestation.json: an in-toto statement on a release in a DSSE envelope, signed by coordinator and organisations."""

from collections.abc import Mapping

from headwater.agreement.charter import Charter
from headwater.agreement.quorum import release_quorum
from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release.audit_file import PublishedAudit
from headwater.release.layout import ATTESTATION, AUDIT, MANIFEST, MAXIMUM_ATTESTATION_BYTES
from headwater.release.manifest import Manifest

__all__ = ["PREDICATE_TYPE", "STATEMENT_TYPE", "check_attestation", "statement_of"]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:headwater:attestation:release:v1"


def statement_of(manifest: Manifest, manifest_file: bytes, audit: PublishedAudit) -> bytes:
    """The statement that is signed about a release: nothing but what manifest.json and audit.json say.

    Args:
        manifest: of the release.
        manifest_file: bytes of manifest.json, with the coordinator's own signature in it.
        audit: content of audit.json.

    Returns:
        Canonical JSON. Whoever holds the release makes the same bytes, so that there is no second truth in them.

    Source: in-toto attestation framework, statement v1; RFC 8785.
    """
    provenance, claim = manifest.provenance, manifest.protection.privacy
    subjects = {entry.path: entry.sha256 for entry in manifest.files} | {MANIFEST: sha256_hex(manifest_file)}
    federation, privacy = audit.federation, audit.privacy
    sums: Mapping[str, object] = (
        {} if federation == "none" else {"threshold": federation.threshold, "receipts": federation.receipts}
    )
    predicate: dict[str, object] = {
        "release": {"name": manifest.name, "version": manifest.version, "manifest": manifest.digest},
        "generator": provenance.generator_digest,
        "federation": {
            "organisations": provenance.organisations,
            "charter": provenance.charter_digest,
            "plan": provenance.plan_digest,
            "run": provenance.run_id,
            **sums,
        },
        "privacy": "none"
        if claim == "none" or privacy == "none"
        else {
            "unit": claim.unit,
            "epsilon": claim.epsilon,
            "delta": claim.delta,
            "events": len(claim.events),
            "ledgers": list(privacy.ledgers),
        },
        "canaries": [] if federation == "none" else list(federation.canaries),
        "audit": {
            "sha256": subjects[AUDIT],
            "policy": audit.decision.policy.model_dump(mode="json"),
            "verdict": audit.decision.verdict,
            # Whoever signs has seen this log: a later one that does not go on from it is found out.
            "attempts": {"count": len(audit.attempts), "last": audit.attempts[-1].digest},
        },
        "data": [
            {"name": entry.path, "sha256": entry.sha256, "size_bytes": entry.size_bytes}
            for entry in manifest.files
            if entry.path.endswith(".parquet")
        ],
        "software": provenance.software,
    }
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": path, "digest": {"sha256": subjects[path]}} for path in sorted(subjects)],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    )


def check_attestation(data: bytes, statement: bytes, charter: Charter) -> tuple[str, ...]:
    """Check that the coordinator and a quorum of organisations signed this very statement.

    Args:
        data: of attestation.json.
        statement: that the reader made of manifest.json and audit.json.
        charter: pinned, which the release was made under.

    Returns:
        Ids of the members that signed, sorted.

    Raises:
        ReleaseRefused: another statement, a wrong signature, a stranger's, one twice, or too few.
    """
    from headwater.release.dsse import is_statement_signed_by, read_envelope

    if len(data) > MAXIMUM_ATTESTATION_BYTES:
        raise ReleaseRefused(f"{ATTESTATION} has more than {MAXIMUM_ATTESTATION_BYTES:,} bytes; no release needs that")
    signed, signatures = read_envelope(data)
    if signed != statement:
        raise ReleaseRefused(f"{ATTESTATION} is on other files than {MANIFEST} and {AUDIT}; do not use the release")
    names = {key: member for member, key in charter.keys.items()} | {charter.coordinator_key: "the coordinator"}
    for key, signature in signatures.items():
        if key not in names:
            raise ReleaseRefused(
                f"{ATTESTATION} is signed by key {key[:16]}…, which is nobody's in the charter; do not use the release"
            )
        if not is_statement_signed_by(key, statement, signature):
            raise ReleaseRefused(f"the signature of {names[key]} on {ATTESTATION} is wrong; do not use the release")
    if charter.coordinator_key not in signatures:
        raise ReleaseRefused(f"{ATTESTATION} is not signed by the charter's coordinator; do not use the release")
    members = tuple(member.id for member in charter.members if member.identity_key in signatures)
    needed = release_quorum(charter)
    if len(members) < needed:
        missing = ", ".join(member.id for member in charter.members if member.id not in members)
        raise ReleaseRefused(
            f"{len(members)} of {len(charter.members)} organisations signed the release and {needed} must; "
            f"not signed by {missing}; do not use it before they did"
        )
    return members

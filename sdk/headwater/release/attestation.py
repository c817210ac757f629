"""attestation.json: an in-toto statement on a release in a DSSE envelope, signed by coordinator and organisations."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from headwater.agreement.charter import Charter
from headwater.agreement.documents import Document, HexKey
from headwater.agreement.quorum import release_quorum
from headwater.agreement.signing import public_key_hex
from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release.audit_file import PublishedAudit
from headwater.release.layout import AUDIT, MANIFEST
from headwater.release.manifest import Manifest

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

__all__ = [
    "PREDICATE_TYPE",
    "STATEMENT_TYPE",
    "Attestation",
    "AttestationSignature",
    "check_attestation",
    "sign_statement",
    "statement_of",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:headwater:attestation:release:v1"
_PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"


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


class AttestationSignature(Document):
    """One signature of the envelope.

    Attributes:
        keyid: the signer's Ed25519 key as the charter writes it.
        sig: base64 of the signature over the pre-authentication encoding.
    """

    keyid: HexKey
    sig: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$")


class Attestation(Document):
    """The content of attestation.json: a DSSE envelope.

    Attributes:
        payload: base64 of the statement.
        payload_type: of in-toto statements.
        signatures: as they came.

    Source: DSSE 1.0 (secure-systems-lab/dsse), envelope and protocol.
    """

    payload: str = Field(max_length=64 * 2**20)
    payload_type: Literal["application/vnd.in-toto+json"] = Field(default=_PAYLOAD_TYPE, alias="payloadType")
    signatures: tuple[AttestationSignature, ...] = Field(max_length=10_000)

    @classmethod
    def of(cls, statement: bytes, signatures: Iterable[AttestationSignature] = ()) -> "Attestation":
        """An envelope with these signatures, in the order of their keys; each is still to be checked."""
        ordered = tuple(sorted(signatures, key=lambda signature: signature.keyid))
        return cls(payload=base64.b64encode(statement).decode("ascii"), signatures=ordered)

    @property
    def statement(self) -> bytes:
        """What is signed.

        Raises:
            ReleaseRefused: the payload is not base64.
        """
        try:
            data = base64.b64decode(self.payload, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ReleaseRefused("the payload of attestation.json is not base64; do not use the release") from error
        return data

    def with_signature(self, signature: AttestationSignature, charter: Charter) -> "Attestation":
        """The same with one more signature, checked.

        Raises:
            ReleaseRefused: of nobody in the charter, wrong, or there already.
        """
        more = Attestation.of(self.statement, (*self.signatures, signature))
        _signers(more, charter)
        return more


def sign_statement(statement: bytes, key: Ed25519PrivateKey) -> AttestationSignature:
    """Sign a statement under DSSE's pre-authentication encoding.

    Args:
        statement: that the signer made itself of the release in its hands.
        key: of the coordinator or of an organisation, as the charter names it.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner(key, _public(public_key_hex(key)))
    signature = Envelope(statement, _PAYLOAD_TYPE, {}).sign(signer)
    sig = base64.b64encode(bytes.fromhex(signature.signature)).decode("ascii")
    return AttestationSignature(keyid=signature.keyid, sig=sig)


def check_attestation(attestation: Attestation, statement: bytes, charter: Charter) -> tuple[str, ...]:
    """Check that the coordinator and a quorum of organisations signed this very statement.

    Args:
        attestation: as read.
        statement: that the reader made of manifest.json and audit.json.
        charter: pinned, which the release was made under.

    Returns:
        Ids of the members that signed, sorted.

    Raises:
        ReleaseRefused: another statement, a wrong signature, a stranger's, one twice, or too few.
    """
    if attestation.statement != statement:
        raise ReleaseRefused(
            "attestation.json is on other files than manifest.json and audit.json; do not use the release"
        )
    signers = _signers(attestation, charter)
    if charter.coordinator_key not in signers:
        raise ReleaseRefused("attestation.json is not signed by the charter's coordinator; do not use the release")
    members = tuple(member.id for member in charter.members if member.identity_key in signers)
    needed = release_quorum(charter)
    if len(members) < needed:
        missing = ", ".join(member.id for member in charter.members if member.id not in members)
        raise ReleaseRefused(
            f"{len(members)} of {len(charter.members)} organisations signed the release and {needed} must; "
            f"not signed by {missing}; do not use it before they did"
        )
    return members


def _signers(attestation: Attestation, charter: Charter) -> frozenset[str]:
    """Keys that signed, each a key of the charter, each once, each rightly."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    names = {key: member for member, key in charter.keys.items()} | {charter.coordinator_key: "the coordinator"}
    statement, seen = attestation.statement, set[str]()
    for signature in attestation.signatures:
        if signature.keyid not in names:
            raise ReleaseRefused(
                f"attestation.json is signed by key {signature.keyid[:16]}…, which is nobody's in the charter; "
                "do not use the release"
            )
        name = names[signature.keyid]
        if signature.keyid in seen:
            raise ReleaseRefused(f"attestation.json is signed by {name} twice; do not use the release")
        seen.add(signature.keyid)
        envelope = Envelope.from_dict(
            {
                "payload": base64.b64encode(statement).decode("ascii"),
                "payloadType": attestation.payload_type,
                "signatures": [signature.model_dump()],
            }
        )
        try:
            envelope.verify([_public(signature.keyid)], 1)
        except VerificationError as error:
            raise ReleaseRefused(
                f"the signature of {name} on attestation.json is wrong; do not use the release"
            ) from error
    return frozenset(seen)


def _public(key: str) -> "SSlibKey":
    from securesystemslib.signer import SSlibKey

    return SSlibKey(key, "ed25519", "ed25519", {"public": key})

"""Signatures over an attestation's statement, as DSSE envelopes hold them."""

import json
from collections import Counter
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature

from headwater.errors import ReleaseRefused

__all__ = ["PAYLOAD_TYPE", "envelope_of", "is_statement_signed_by", "read_envelope", "sign_statement"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""What the payload of an in-toto attestation is."""

MAXIMUM_BYTES = 64 * 2**20
"""A larger envelope is not read: a thousand signatures and ten thousand files stay far below."""


def sign_statement(key: Ed25519PrivateKey, statement: bytes) -> str:
    """A signature over a statement, 128 hexadecimal digits.

    Source: DSSE 1.0, "Signature Definition": SIGN(PAE(payloadType, payload)).
    """
    return key.sign(_encoded(statement)).hex()


def is_statement_signed_by(public_key: str, statement: bytes, signature: str) -> bool:
    """Tell whether a signature is the key's over this statement.

    Args:
        public_key: raw Ed25519 key, 64 hexadecimal digits.
        statement: exact bytes.
        signature: 128 hexadecimal digits.

    Returns:
        False for anything malformed: a check fails closed.
    """
    try:
        raw = bytes.fromhex(signature)
        if raw.hex() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(raw, _encoded(statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def envelope_of(statement: bytes, signatures: Mapping[str, str]) -> bytes:
    """The envelope of a statement, as a JSON file.

    Args:
        statement: exact bytes.
        signatures: by the key that made each, both in hexadecimal.
    """
    made = {key: Signature(key, signature) for key, signature in sorted(signatures.items())}
    return (json.dumps(Envelope(statement, PAYLOAD_TYPE, made).to_dict(), indent=1) + "\n").encode()


def read_envelope(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The statement of an envelope, and its signatures by the key that each names; none is believed yet.

    Raises:
        ReleaseRefused: not an envelope of a statement, one key signed twice, or not in the form of `envelope_of`.
    """
    if len(data) > MAXIMUM_BYTES:
        raise ReleaseRefused(f"the attestation has more than {MAXIMUM_BYTES:,} bytes; no release needs that many")
    try:
        document = json.loads(data)
        made = Counter(str(signature["keyid"]) for signature in document["signatures"])
        twice = sorted(key for key, times in made.items() if times > 1)
        # Below, a second signature of one key is an error without a name.
        envelope = Envelope.from_dict(document | {"signatures": []} if twice else document)
        signatures = {keyid: made.signature for keyid, made in envelope.signatures.items()}
    except Exception as error:
        raise ReleaseRefused("the attestation is no DSSE envelope; do not use the release") from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ReleaseRefused("the attestation's payload is no in-toto statement; do not use the release")
    if twice:
        raise ReleaseRefused(f"the attestation is signed by key {twice[0][:16]}… twice; do not use the release")
    # One spelling, so that nothing rides along that nobody signed.
    if envelope_of(envelope.payload, signatures) != data:
        raise ReleaseRefused("the attestation holds more than a statement and its signatures; do not use the release")
    return envelope.payload, signatures


def _encoded(statement: bytes) -> bytes:
    encoded: bytes = Envelope(statement, PAYLOAD_TYPE, {}).pae()
    return encoded

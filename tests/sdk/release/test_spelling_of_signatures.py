"""One spelling of a signature, one type of what is signed, one number of an attempt."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope

from headwater.agreement.signing import public_key_hex
from headwater.errors import ReleaseRefused
from headwater.release import dsse
from headwater.release.attempts import check_attempts, unfinished_after

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATEMENT = b'{"a":1}'


def test_a_signature_has_one_spelling() -> None:
    public, signature = public_key_hex(KEY), dsse.sign_statement(KEY, STATEMENT)
    assert dsse.is_statement_signed_by(public, STATEMENT, signature)
    for other in (signature.upper(), f"{signature} ", f"{signature[:2]} {signature[2:]}"):
        assert not dsse.is_statement_signed_by(public, STATEMENT, other)


def test_a_payload_of_another_type_is_no_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other:
        other.setattr(dsse, "PAYLOAD_TYPE", "text/plain")
        data = dsse.envelope_of(STATEMENT, {})
    assert Envelope(STATEMENT, "text/plain", {}).payload_type in data.decode()
    with pytest.raises(ReleaseRefused, match="payload is no in-toto statement"):
        dsse.read_envelope(data)


def test_an_attempt_keeps_its_number_and_what_there_was() -> None:
    first = unfinished_after([], "2026-11-21T10:00:00Z", "a" * 64, "b" * 32, "c" * 64, "d" * 64)
    assert first.candidate == "d" * 64
    check_attempts([first])
    with pytest.raises(ReleaseRefused, match="attempt 2 in the log does not follow"):
        check_attempts([first.model_copy(update={"number": 2})])

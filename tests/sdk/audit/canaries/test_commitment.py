"""The commitment binds secret, run and organisation, and shows nothing."""

import hashlib

import pytest

from headwater.audit.canaries.commitment import CanarySecret, verify_commitment
from headwater.errors import InputError

RUN, OTHER_RUN = "0f" * 16, "1e" * 16
OPENED = CanarySecret(bytes(range(32)), bytes(range(32, 64)))


def test_what_was_committed_to_is_verified_and_nothing_else() -> None:
    commitment = OPENED.commitment(RUN, "org-1")
    assert verify_commitment(OPENED, RUN, "org-1", commitment)
    assert not verify_commitment(CanarySecret(bytes(32), OPENED.salt), RUN, "org-1", commitment)
    assert not verify_commitment(CanarySecret(OPENED.secret, bytes(32)), RUN, "org-1", commitment)
    assert not verify_commitment(OPENED, OTHER_RUN, "org-1", commitment)
    assert not verify_commitment(OPENED, RUN, "org-2", commitment)
    # Bytes that move from one field to the next would give the same digest without lengths.
    assert not verify_commitment(OPENED, RUN + "o", "rg-1", commitment)


def test_the_commitment_is_sha256_under_its_own_label() -> None:
    def field(data: bytes) -> bytes:
        return len(data).to_bytes(8, "big") + data

    parts = (b"headwater/canary-commitment/1", RUN.encode(), b"org-1", OPENED.salt, OPENED.secret)
    assert OPENED.commitment(RUN, "org-1") == hashlib.sha256(b"".join(map(field, parts))).hexdigest()


def test_a_secret_shows_nothing_and_has_its_length() -> None:
    assert repr(OPENED) == "CanarySecret()"
    with pytest.raises(InputError, match="32 bytes"):
        CanarySecret(bytes(31), bytes(32))
    with pytest.raises(InputError, match="32 bytes"):
        CanarySecret(bytes(32), b"")

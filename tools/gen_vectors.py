"""Write the test vectors of secure aggregation and of noise, or check that the code still gives the ones on record.

Usage: python tools/gen_vectors.py [--check]
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headwater.privacy.discrete_gaussian import discrete_gaussian
from headwater.secagg.crypto.keys import Secret, digest, expand, extract
from headwater.secagg.crypto.masks import MaskStream, check_values
from headwater.secagg.crypto.merkle import merkle_path, merkle_root
from headwater.secagg.crypto.ring import ring_type
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.crypto.shamir import PRIME, reconstruct
from headwater.secagg.protocol.pairing import Ratchets, mask_key, self_mask_key
from headwater.secagg.protocol.rounds import rho, view_digest
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.wire.codec import Tuple
from headwater.secagg.wire.envelope import MessageType, sign_envelope
from headwater.secagg.wire.messages import SUITE, Hello, Survivors

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"

SID = bytes(range(32))


def _fixed(name: str) -> bytes:
    return digest("test vector", name.encode())


def _pair() -> dict[str, object]:
    keys = {name: X25519PrivateKey.from_private_bytes(_fixed(name)) for name in ("a", "b")}
    public = {name: key.public_key().public_bytes_raw() for name, key in keys.items()}
    facts = SessionFacts(SID, ("a", "b"), {}, public, {}, 2, 2)
    ratchets = Ratchets(facts, "a", keys["a"], {"b": Secret(_fixed("K"))}, 1)
    rows = []
    for position in (1, 2, 5):
        ratchets.advance(position)
        secret = ratchets.pair_secret("b")
        rows.append(
            {
                "round": position,
                "q": secret.value.hex(),
                "k": mask_key(secret, _fixed("rho")).value.hex(),
                "outgoing": ratchets.outgoing_key("b").value.hex(),
                "incoming": ratchets.incoming_key("b").value.hex(),
            }
        )
    return {"private": {name: _fixed(name).hex() for name in keys}, "sid": SID.hex(), "rounds": rows}


def _masked(ring_bits: int) -> str:
    values = np.arange(10).astype(ring_type(ring_bits))
    keys = [Secret(_fixed(name)) for name in ("k1", "k2", "k3")]
    MaskStream(keys[:2], keys[2:], ring_bits=ring_bits).apply(values)
    return values.tobytes().hex()


def _shares() -> dict[str, object]:
    # A polynomial with coefficients on record: 3 of 4.
    coefficients = [int.from_bytes(_fixed(name), "big") for name in ("secret", "c1", "c2")]
    shares = {
        rank: (sum(c * (1 + rank) ** power for power, c in enumerate(coefficients)) % PRIME).to_bytes(33, "big")
        for rank in range(4)
    }
    opened = reconstruct({rank: shares[rank] for rank in (1, 2, 3)}, 3)
    return {
        "coefficients": [_fixed(name).hex() for name in ("secret", "c1", "c2")],
        "shares": {str(rank): share.hex() for rank, share in shares.items()},
        "opened": opened.hex(),
    }


def _messages() -> dict[str, str]:
    key = Ed25519PrivateKey.from_private_bytes(_fixed("signer"))
    shown = b"".join(_fixed(f"ek {part}") for part in range(37))
    hello = Hello(SUITE, "run-1", 1, SID, SID, _fixed("x"), shown, _fixed("s"), _fixed("last"), 7)
    survivors = Survivors(3, _fixed("rho"), (("a", _fixed("ya")), ("b", _fixed("yb"))))
    return {
        "public_key": key.public_key().public_bytes_raw().hex(),
        "hello": sign_envelope(MessageType.HELLO, "a", hello.encode(), key, SID).hex(),
        "survivors": sign_envelope(MessageType.SURVIVORS, "", survivors.encode(), key, SID).hex(),
        "survivors_body": Tuple(Survivors.LAYOUT).write((3, survivors.rho, survivors.uploads)).hex(),
    }


class _Tape:
    """Bytes of SHAKE-256 in order, and what was read of them."""

    def __init__(self, name: str) -> None:
        self._bytes = hashlib.shake_256(name.encode()).digest(1 << 16)
        self.read = 0

    def __call__(self, count: int) -> bytes:
        part = self._bytes[self.read : self.read + count]
        self.read += count
        return part

    @property
    def used(self) -> bytes:
        return self._bytes[: self.read]


def noise() -> dict[str, object]:
    """Draws of the discrete Gaussian beside the bytes that they were made from, all of them and in order."""
    found = []
    for variance in (1, 4, 2916, 2**24):
        tape = _Tape(f"headwater discrete gaussian {variance}")
        draws = discrete_gaussian(32, variance, tape).tolist()
        found.append({"variance": variance, "draws": draws, "entropy": tape.used.hex()})
    return {"discrete_gaussian": found}


def secure_aggregation() -> dict[str, object]:
    """All values on record, from fixed inputs."""
    leaves = [_fixed(f"leaf {index}") for index in range(5)]
    bound = rho(
        sid=SID,
        round_number=7,
        length=10,
        task_digest=_fixed("task"),
        charge=b"",
        model_digest=_fixed("model"),
        plan_digest=_fixed("plan"),
        deals=(("a", _fixed("deal a")), ("b", _fixed("deal b"))),
        previous=_fixed("previous"),
    )
    return {
        "digest": digest("label", b"", b"field").hex(),
        "extract": extract(b"secret", b"salt", "label", b"field").value.hex(),
        "expand": expand(Secret(_fixed("key")), "label", b"field").value.hex(),
        "pair": _pair(),
        "self_mask_key": self_mask_key(Secret(_fixed("b")), bound).value.hex(),
        "rho": bound.hex(),
        "view": view_digest(bound, (("a", _fixed("ya")), ("b", _fixed("yb")))).hex(),
        "check_values": check_values(bound).tolist(),
        "check_values_64": check_values(bound, 64).tolist(),
        "masked_0_to_9": _masked(32),
        "masked_0_to_9_64": _masked(64),
        "sealed": seal(Secret(_fixed("seal")), b"plain", b"associated").hex(),
        "merkle": {"root": merkle_root(leaves).hex(), "path_of_4": [node.hex() for node in merkle_path(leaves, 4)]},
        "shamir": _shares(),
        "messages": _messages(),
    }


def main() -> int:
    """Write or check; the exit status is 1 when the values on record differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="compare with the file on record and write nothing")
    arguments = parser.parse_args()
    status = 0
    for name, values in (("secagg/headwater.json", secure_aggregation()), ("privacy/noise.json", noise())):
        target, text = VECTORS / name, json.dumps(values, indent=2) + "\n"
        if not arguments.check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        elif not target.is_file() or target.read_text() != text:
            sys.stderr.write(f"{target} differs from what the code gives; a format on record has changed\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

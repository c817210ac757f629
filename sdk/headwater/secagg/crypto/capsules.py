"""The post-quantum half of each pair's secret: ML-KEM-768 keys, and capsules that a tree commits to: protocol 3.1-3.4.

Each member encapsulates a secret for every member after it. The Accept carries only the root of a Merkle tree over
those capsules: with n members there are n(n − 1)/2 of them of 1 KiB each, and nobody needs any but its own.
"""

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret, digest
from headwater.secagg.crypto.merkle import MerkleTree, verify_path

__all__ = [
    "CIPHERTEXT_BYTES",
    "ENCAPSULATION_KEY_BYTES",
    "CapsuleTree",
    "capsules_root",
    "check_encapsulation_key",
    "encapsulate",
    "open_capsule",
]

ENCAPSULATION_KEY_BYTES = 1184
CIPHERTEXT_BYTES = 1088


def check_encapsulation_key(key: bytes) -> None:
    """Refuse a key that FIPS 203, 7.2, does not let anybody encapsulate to.

    Raises:
        PeerError: its length or one of its coefficients is out of range.
    """
    try:
        MLKEM768PublicKey.from_public_bytes(key)
    except ValueError as error:
        raise PeerError("an ML-KEM-768 encapsulation key fails the check of FIPS 203") from error


def encapsulate(keys: Mapping[str, bytes]) -> tuple[dict[str, Secret], tuple[bytes, ...]]:
    """Make a fresh secret for each peer.

    Args:
        keys: peer → its checked encapsulation key, in the members' order.

    Returns:
        Peer → K of 32 bytes, and the capsules of 1,088 bytes in the same order.
    """
    secrets: dict[str, Secret] = {}
    capsules = []
    for peer, key in keys.items():
        shared, capsule = MLKEM768PublicKey.from_public_bytes(key).encapsulate()
        secrets[peer] = Secret(shared)
        capsules.append(capsule)
    return secrets, tuple(capsules)


class CapsuleTree:
    """What an Accept commits to: the tree over the sender's capsules for the members after it (protocol 3.3).

    Attributes:
        root: the commitment; the last member has no capsules, and a root all the same.
    """

    __slots__ = ("_tree", "root")

    def __init__(self, context: bytes, sender: str, receivers: Sequence[str], capsules: Sequence[bytes]) -> None:
        """Hash the capsules, one for each receiver, in the receivers' order.

        Raises:
            PeerError: there is not one capsule of 1,088 bytes for each receiver.
        """
        leaves = _leaves(context, sender, receivers, capsules)
        self._tree = MerkleTree(leaves) if leaves else None
        self.root = self._tree.root if self._tree is not None else digest("no capsules", context, sender.encode())

    def path(self, place: int) -> tuple[bytes, ...]:
        """The path of the capsule for the receiver at this place behind the sender, from 0."""
        return self._tree.path(place) if self._tree is not None else ()


def capsules_root(context: bytes, sender: str, receivers: Sequence[str], capsules: Sequence[bytes]) -> bytes:
    """The root alone, as the sender's Accept says it."""
    return CapsuleTree(context, sender, receivers, capsules).root


def open_capsule(
    key: MLKEM768PrivateKey,
    context: bytes,
    root: bytes,
    members: Sequence[str],
    sender: str,
    receiver: str,
    capsule: bytes,
    path: Sequence[bytes],
) -> Secret:
    """Decapsulate what `sender` made for `receiver`, once its place in the committed tree is checked (protocol 3.4).

    Args:
        key: the receiver's decapsulation key.
        context: the setup's context.
        root: of the sender's signed Accept.
        members: sorted ids of all Hellos.
        sender: who encapsulated; before the receiver in `members`.
        receiver: whose key it is.
        capsule: 1,088 bytes.
        path: sibling digests of the leaf.

    Returns:
        K, 32 bytes. ML-KEM rejects in silence: a capsule for another key gives another K, which the leaf check of
        the first Deal finds.

    Raises:
        PeerError: the capsule is not the one that the sender committed to.
    """
    first = members.index(sender) + 1
    place, count = members.index(receiver) - first, len(members) - first
    if len(capsule) != CIPHERTEXT_BYTES or not verify_path(
        root, count, place, _leaf(context, sender, receiver, capsule), path
    ):
        raise PeerError(f"the capsule of {sender} is not the one that its Accept commits to: capsule check failed")
    return Secret(key.decapsulate(capsule))


def _leaves(context: bytes, sender: str, receivers: Sequence[str], capsules: Sequence[bytes]) -> list[bytes]:
    if len(capsules) != len(receivers) or any(len(capsule) != CIPHERTEXT_BYTES for capsule in capsules):
        raise PeerError(f"{sender} sent {len(capsules)} capsules, one for each of {len(receivers)} members is due")
    return [_leaf(context, sender, receiver, capsule) for receiver, capsule in zip(receivers, capsules, strict=True)]


def _leaf(context: bytes, sender: str, receiver: str, capsule: bytes) -> bytes:
    return digest("capsule", context, sender.encode(), receiver.encode(), capsule)

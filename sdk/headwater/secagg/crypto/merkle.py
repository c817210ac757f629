"""A Merkle tree over the leaves of a Deal, so that each receiver gets one short path: protocol 4.1."""

import hashlib
import hmac
from collections.abc import Sequence

from headwater.secagg.crypto.keys import PROTOCOL, digest, label_fields, number

__all__ = ["MerkleTree", "merkle_path", "merkle_root", "path_length", "verify_path"]

_NODE_BYTES = 32

# digest("merkle node", left, right), its fixed bytes joined once: a coordinator of n members hashes 2n² of them.
_NODE_HEAD = label_fields(PROTOCOL + "merkle node") + number(_NODE_BYTES)
_NODE_MIDDLE = number(_NODE_BYTES)


class MerkleTree:
    """All levels of a tree, each node hashed once.

    Attributes:
        root: the tree's digest; it commits to the leaves' number, order and values.
    """

    __slots__ = ("_levels", "root")

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Hash the levels over at least one leaf of 32 bytes."""
        levels, below = list[bytes](), list(leaves)
        while len(below) > 1:
            # Joined, a level takes 32 bytes a node: a coordinator holds a tree of n leaves for each of n members.
            levels.append(b"".join(below))
            level = [_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            below = [*level, below[-1]] if len(below) & 1 else level
        self.root = digest("merkle root", number(len(leaves)), below[0])
        self._levels = tuple(levels)

    def path(self, index: int) -> tuple[bytes, ...]:
        """The sibling digests from leaf `index` up; a level without a sibling contributes none."""
        path: list[bytes] = []
        for level in self._levels:
            begin = (index ^ 1) * _NODE_BYTES
            if begin < len(level):
                path.append(level[begin : begin + _NODE_BYTES])
            index >>= 1
        return tuple(path)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The digest of the tree over these leaves."""
    return MerkleTree(leaves).root


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path of one leaf; for several paths of a tree keep the `MerkleTree`."""
    return MerkleTree(leaves).path(index)


def path_length(count: int, index: int) -> int:
    """How many digests the path of leaf `index` among `count` leaves has."""
    length = 0
    while count > 1:
        length += (index ^ 1) < count
        count, index = (count + 1) // 2, index >> 1
    return length


def verify_path(root: bytes, count: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether `leaf` stands at `index` of the tree of `count` leaves that `root` commits to."""
    if not 0 <= index < count or len(path) != path_length(count, index):
        return False
    if any(len(node) != _NODE_BYTES for node in (leaf, *path)):
        return False
    node, width, siblings = leaf, count, iter(path)
    while width > 1:
        if (index ^ 1) < width:
            sibling = next(siblings)
            node = _node(sibling, node) if index & 1 else _node(node, sibling)
        width, index = (width + 1) // 2, index >> 1
    return hmac.compare_digest(root, digest("merkle root", number(count), node))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE_HEAD + left + _NODE_MIDDLE + right).digest()

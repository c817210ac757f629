"""Protocol 4.1: the tree over a Deal's leaves."""

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from headwater.secagg.crypto.keys import digest, number
from headwater.secagg.crypto.merkle import merkle_path, merkle_root, path_length, verify_path

COUNTS = st.integers(1, 40)


def leaves(count: int) -> list[bytes]:
    return [digest("leaf", number(index)) for index in range(count)]


@given(COUNTS, st.data())
def test_every_leaf_has_a_path_to_the_root(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    path = merkle_path(leaves(count), index)
    assert len(path) == path_length(count, index)
    assert verify_path(merkle_root(leaves(count)), count, index, leaves(count)[index], path)


@given(COUNTS, st.data())
def test_a_leaf_is_refused_at_another_place(count: int, data: st.DataObject) -> None:
    index, other = data.draw(st.integers(0, count - 1)), data.draw(st.integers(-1, count))
    path = merkle_path(leaves(count), index)
    good = verify_path(merkle_root(leaves(count)), count, other, leaves(count)[index], path)
    assert good == (index == other)


@given(COUNTS, st.data())
def test_another_leaf_or_path_is_refused(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    root, path = merkle_root(leaves(count)), merkle_path(leaves(count), index)
    assert not verify_path(root, count, index, bytes(32), path)
    assert not verify_path(root, count, index, leaves(count)[index], (*path, bytes(32)))
    for place in range(len(path)):
        changed = (*path[:place], bytes(32), *path[place + 1 :])
        assert not verify_path(root, count, index, leaves(count)[index], changed)


@given(COUNTS, COUNTS)
def test_roots_commit_to_the_number_of_leaves(first: int, second: int) -> None:
    assert (merkle_root(leaves(first)) == merkle_root(leaves(second))) == (first == second)


@given(COUNTS.filter(lambda count: count > 1), st.data())
def test_bytes_that_move_between_neighbouring_nodes_are_refused(count: int, data: st.DataObject) -> None:
    # A node is hashed under fixed lengths, so only nodes of 32 bytes may come in.
    index = data.draw(st.integers(0, count - 1))
    root, path, leaf = merkle_root(leaves(count)), merkle_path(leaves(count), index), leaves(count)[index]
    assert not verify_path(root, count, index, leaf + path[0][:1], (path[0][1:], *path[1:]))
    assert not verify_path(root, count, index, leaf[:-1], (leaf[-1:] + path[0], *path[1:]))


@example(bytes(2047), b"")
@example(bytes(2048), b"")
@given(st.binary(max_size=3000), st.binary(max_size=40))
def test_a_digest_is_that_of_label_and_fields_each_behind_its_length(first: bytes, second: bytes) -> None:
    parts = (b"hw-secagg/1/x", first, second)
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    assert digest("x", first, second) == hashlib.sha256(whole).digest()

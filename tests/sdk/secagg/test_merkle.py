"""Protocol 4.1: the tree over a Deal's leaves."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.secagg.keys import digest, number
from headwater.secagg.merkle import merkle_path, merkle_root, path_length, verify_path

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

"""Protocol 4.4: masks from AES-256-CTR, and the sums in which they cancel."""

import json
import threading
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import InputError, OutOfOrder
from headwater.secagg.crypto.keys import Secret, digest, expand, hkdf, hkdf_expand, label_fields
from headwater.secagg.crypto.masks import LANE_BYTES, SLICE_BYTES, MaskStream, check_values, key_stream, useful_lanes
from headwater.secagg.crypto.ring import RingVector, ring_type
from headwater.secagg.member.masking import masked_parts

VECTORS = Path(__file__).parents[2] / "vectors" / "secagg"


def load(name: str) -> list[dict[str, str]]:
    return list(json.loads((VECTORS / name).read_text())["vectors"])


@pytest.mark.parametrize("vector", load("hkdf_rfc5869.json"), ids=lambda vector: vector["name"])
def test_hkdf_gives_the_published_values(vector: dict[str, str]) -> None:
    key, salt, info, prk, output = (bytes.fromhex(vector[name]) for name in ("ikm", "salt", "info", "prk", "okm"))
    assert hkdf(key, salt, info, len(output)) == output
    assert hkdf_expand(prk, info, len(output)) == output


@pytest.mark.parametrize("vector", load("aes_ctr_sp800_38a.json"), ids=lambda vector: vector["name"])
def test_key_stream_gives_the_published_values(vector: dict[str, str]) -> None:
    key, counter, plain, cipher = (bytes.fromhex(vector[name]) for name in ("key", "counter", "plain", "cipher"))
    assert key_stream(key, counter).update(plain) == cipher


def test_mask_is_the_key_stream_from_counter_zero() -> None:
    # AESAVS KeySbox256, first case: the zero block under this key.
    key = bytes.fromhex("c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558")
    values = np.zeros(4, dtype=np.uint32)
    MaskStream([Secret(key)], []).apply(values)
    assert values.astype("<u4").tobytes().hex() == "46f2fb342d6f0ab477476fc501242c5f"


def slow_mask(key: bytes, count: int, size: int = 4) -> list[int]:
    """One AES block after the other, the counter written out; `size` is the bytes of a value."""
    cipher = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    stream = b"".join(cipher.update(block.to_bytes(16, "big")) for block in range(-(-count * size // 16)))
    return [int.from_bytes(stream[size * i : size * (i + 1)], "little") for i in range(count)]


def masks_of(added: int, subtracted: int, ring_bits: int = 32, lanes: int = 1) -> MaskStream:
    """Masks under keys 1, 2, …"""
    keys = [Secret(bytes([i + 1]) * 32) for i in range(added + subtracted)]
    return MaskStream(keys[:added], keys[added:], ring_bits=ring_bits, lanes=lanes)


@settings(max_examples=40)
@given(
    st.sampled_from([32, 64]),
    st.integers(1, 70),
    st.lists(st.integers(0, 30), max_size=4),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_masks_agree_with_the_slow_way_however_the_vector_is_cut(
    ring_bits: int, count: int, cuts: list[int], added: int, subtracted: int
) -> None:
    stream = masks_of(added, subtracted, ring_bits)
    values = np.full(count, 2**ring_bits - 1, dtype=ring_type(ring_bits))
    # Parts end on a block's border, as chunks do; only the last may be shorter.
    borders = sorted({min(4 * cut, count) for cut in cuts} | {0, count})
    for begin, end in pairwise(borders):
        stream.apply(values[begin:end])
    masks = [slow_mask(bytes([i + 1]) * 32, count, ring_bits // 8) for i in range(added + subtracted)]
    expected = [
        (2**ring_bits - 1 + sum(m[i] for m in masks[:added]) - sum(m[i] for m in masks[added:])) % 2**ring_bits
        for i in range(count)
    ]
    assert values.tolist() == expected


@settings(max_examples=40)
@given(st.sampled_from([32, 64]), st.integers(1, 200), st.permutations(range(4)), st.integers(1, 12))
def test_parts_may_be_masked_in_any_order_and_lane(ring_bits: int, count: int, order: list[int], blocks: int) -> None:
    whole, values = np.zeros((2, count), dtype=ring_type(ring_bits))
    masks_of(2, 1, ring_bits).apply(whole)
    stream, step = masks_of(2, 1, ring_bits, lanes=3), 4 * blocks
    for lane, place in enumerate([*order, *range(4, -(-count // step))]):
        part = values[place * step : (place + 1) * step]
        if part.size:
            stream.apply_at(part, place * step, lane % 3)
    assert values.tolist() == whole.tolist()


@pytest.mark.parametrize("ring_bits", [32, 64])
@pytest.mark.parametrize("count", [1, 7, 4096, 3 * SLICE_BYTES // 4 + 5])
@pytest.mark.parametrize("lanes", [2, 3, 8])
def test_several_threads_give_what_one_gives_bit_by_bit(ring_bits: int, count: int, lanes: int) -> None:
    one, many = np.zeros((2, count), dtype=ring_type(ring_bits))
    masks_of(3, 2, ring_bits).apply_whole(one)
    masks_of(3, 2, ring_bits, lanes).apply_whole(many)
    assert one.any()
    assert one.tobytes() == many.tobytes()


@pytest.mark.parametrize("ring_bits", [32, 64])
@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("megabytes", [0.1, 1, 4.3])
def test_a_masked_vector_is_the_same_however_many_lanes_make_it(ring_bits: int, lanes: int, megabytes: float) -> None:
    kind = ring_type(ring_bits)
    vector = np.arange(int(megabytes * 2**20) // kind.itemsize).astype(kind)
    front = check_values(bytes(32), ring_bits)
    expected = np.concatenate([front, vector])
    masks_of(1, 1, ring_bits).apply(expected)
    parts = [part.tobytes() for part in masked_parts(front, vector, masks_of(1, 1, ring_bits, lanes))]
    assert b"".join(parts) == expected.tobytes()
    assert {len(part) for part in parts[:-1]} <= {2**20}
    assert vector.tolist()[:3] == [0, 1, 2]


def test_an_abandoned_vector_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    parts = masked_parts(check_values(bytes(32)), np.zeros(2**20, np.uint32), masks_of(1, 0, lanes=2))
    assert isinstance(parts, Generator)
    next(parts)
    started = set(threading.enumerate()) - before
    assert started
    parts.close()
    assert not started & set(threading.enumerate())


def test_threads_are_started_for_work_that_is_worth_them() -> None:
    assert useful_lanes(8, masks=10, size=4 * 10**4) == 1
    assert useful_lanes(8, masks=1, size=3 * LANE_BYTES) == 3
    assert useful_lanes(2, masks=10, size=4 * 10**7) == 2


def test_a_part_that_begins_inside_a_block_is_refused() -> None:
    with pytest.raises(InputError, match="inside a cipher block"):
        masks_of(1, 0).apply_at(np.zeros(4, np.uint32), 2)


def test_a_part_of_another_ring_is_refused() -> None:
    values: RingVector = np.zeros(4, np.uint64)
    with pytest.raises(InputError, match="the ring holds uint32"):
        masks_of(1, 0).apply(values)
    assert not values.any()


def test_a_vector_of_several_slices_is_masked_as_one() -> None:
    count = 2 * SLICE_BYTES // 4 + 5
    values = np.zeros(count, dtype=np.uint32)
    MaskStream([Secret(b"k" * 32)], []).apply(values)
    assert values.tolist() == slow_mask(b"k" * 32, count)


def test_one_key_is_refused_for_two_masks() -> None:
    with pytest.raises(InputError, match="used twice"):
        MaskStream([Secret(b"k" * 32)], [Secret(b"k" * 32)])


def test_masks_reach_the_whole_range() -> None:
    values = np.zeros(200_000, dtype=np.uint32)
    MaskStream([Secret(b"r" * 32)], []).apply(values)
    assert values.max() > 2**32 - 2**17
    assert values.min() < 2**17
    bits = (values[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    # 200,000 fair coins for each bit: five standard deviations are 0.0056; false alarm 2e-5 over 32 bits, fixed key.
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.0056


def test_masks_keep_every_bit_of_their_key() -> None:
    # The 28-bit bug of another system: keys that differ in any one bit give different masks.
    masks = set()
    for bit in range(256):
        values = np.zeros(4, dtype=np.uint32)
        MaskStream([Secret((1 << bit).to_bytes(32, "big"))], []).apply(values)
        masks.add(values.tobytes())
    assert len(masks) == 256


def test_check_values_depend_on_rho() -> None:
    assert check_values(bytes(32)).tolist() != check_values(b"\1" * 32).tolist()
    for ring_bits in (32, 64):
        values = check_values(bytes(32), ring_bits)
        assert (values.shape, values.dtype) == ((4,), ring_type(ring_bits))


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_two_lists_of_fields_never_hash_the_same_bytes(first: list[bytes], second: list[bytes]) -> None:
    assert (label_fields("label", *first) == label_fields("label", *second)) == (first == second)


def test_labels_separate_digests_and_keys() -> None:
    assert digest("one", b"x") != digest("two", b"x")
    assert expand(Secret(bytes(32)), "one").value != expand(Secret(bytes(32)), "two").value


def test_a_secret_is_never_shown_and_can_be_erased() -> None:
    secret = Secret(b"very secret bytes of thirty-two!")
    assert repr(secret) == "<hidden>"
    assert "secret bytes" not in f"{secret} {secret!r} {[secret]}"
    assert secret == Secret(b"very secret bytes of thirty-two!")
    secret.erase()
    secret.erase()
    assert secret.erased
    with pytest.raises(OutOfOrder, match="erased"):
        _ = secret.value


def test_fresh_secrets_differ() -> None:
    assert len({Secret.fresh().value for _ in range(64)}) == 64

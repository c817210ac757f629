"""A mixture in fewer bytes and components: what is rounded, what is merged, what is refused."""

import numpy as np
import pytest
from safetensors.numpy import load, save

from headwater.errors import InputError
from headwater.generator.sampler import MixtureSampler, read_sampler
from headwater.mixture import packing
from headwater.mixture.merging import merge_components
from headwater.mixture.packing import Precision, is_packed_mixture, pack_mixture, unpack_mixture
from headwater.mixture.parameters import Mixture
from headwater.model_header import metadata_of
from headwater.schema.table import Table
from support.likeness import column_distances, fitted_mixture

MIXTURE, ENCODING = fitted_mixture()


def copied(times: int) -> Mixture:
    """The mixture with so many copies of each component, of equal weight."""
    places = np.repeat(np.arange(MIXTURE.components), times)
    return Mixture(
        MIXTURE.form, MIXTURE.classes[places], MIXTURE.weights[places] / times, MIXTURE.shares[places],
        MIXTURE.means[places], MIXTURE.factors[places], MIXTURE.span,
    )  # fmt: skip


@pytest.mark.parametrize(("precision", "error"), [("int8", 0.01), ("float16", 0.002)])
def test_parameters_come_back_nearly_as_they_were(precision: Precision, error: float) -> None:
    packed = pack_mixture(MIXTURE, precision)
    assert len(packed) < 0.5 * len(MIXTURE.to_bytes())
    back = unpack_mixture(packed)
    assert np.abs(back.shares - MIXTURE.shares).max() < error
    assert np.abs(back.means - MIXTURE.means).max() < 0.002
    assert np.abs(back.factors - MIXTURE.factors).max() < 0.002
    assert np.abs(back.weights - MIXTURE.weights).max() < 1e-7
    np.testing.assert_array_equal(back.classes, MIXTURE.classes)


def test_a_packed_generator_is_read_and_written_as_it_was() -> None:
    packed = pack_mixture(MIXTURE, "int8")
    assert is_packed_mixture(packed)
    assert not is_packed_mixture(MIXTURE.to_bytes())
    sampler = read_sampler(packed)
    assert isinstance(sampler, MixtureSampler)
    assert sampler.to_bytes() == packed
    made = [Table.concat(list(each.tables(ENCODING, 20_000, 3))) for each in (sampler, MixtureSampler(MIXTURE))]
    # Two samples of 20,000 rows of one mixture stay under .023 in one of 10,000 comparisons (Kolmogorov-Smirnov).
    assert max(column_distances(made[0], made[1]).values()) < 0.023


@pytest.mark.parametrize("place", [9, 40, -1])
def test_altered_bytes_are_refused_or_still_a_distribution(place: int) -> None:
    packed = bytearray(pack_mixture(MIXTURE, "int8"))
    packed[place] ^= 255
    try:
        back = unpack_mixture(bytes(packed))
    except InputError:
        return
    assert back.weights.sum() == pytest.approx(1.0)


PARTS, DOCUMENT = load(pack_mixture(MIXTURE, "int8")), metadata_of(pack_mixture(MIXTURE, "int8"), "mixture")
SCORES = len(MIXTURE.form.scores)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": np.asarray(0, np.int32)},
        {"classes": PARTS["classes"].astype(np.int64)},
        {
            "means": np.zeros((MIXTURE.components, 50), np.float16),
            "factors": np.zeros((MIXTURE.components, 1275), "<f2"),
        },
        {"means": np.zeros(MIXTURE.components, np.float16)},
        {"factors": PARTS["factors"][:, :-1]},
        {"knots": np.full(PARTS["knots"].shape, np.nan)},
        {"knot_shares": PARTS["knot_shares"].astype(np.float64)},
        {"shares": PARTS["shares"].astype(np.float32)},
        {"shares": -PARTS["shares"].astype(np.float16)},
        {"shares": np.full(PARTS["shares"].shape, np.inf, np.float16)},
        {"weights": np.full(MIXTURE.components, np.inf, np.float32)},
        {"weights": -PARTS["weights"]},
        {"tilt": np.zeros(4, np.float16)},
        {"more": np.zeros(4, np.float16)},
    ],
)
def test_parts_of_another_shape_or_type_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError):
        unpack_mixture(save(PARTS | change, metadata=DOCUMENT))


def test_a_packed_mixture_is_no_larger_than_one_may_be_with_all_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of shares in 8 bits takes many times its size to unpack, and could never be written unpacked."""
    many = copied(50)
    data, size = pack_mixture(many, "int8"), 8 * many.components * (2 + many.form.cells + SCORES + SCORES**2)
    assert len(data) < size < len(many.to_bytes())
    monkeypatch.setattr(packing, "MOST_BYTES", size)
    assert unpack_mixture(data).components == many.components
    monkeypatch.setattr(packing, "MOST_BYTES", size - 1)
    with pytest.raises(InputError, match="more components"):
        unpack_mixture(data)


@pytest.mark.parametrize("data", [b"", b"nothing", b"\xff" * 40])
def test_other_bytes_are_no_packed_mixture(data: bytes) -> None:
    assert not is_packed_mixture(data)
    with pytest.raises(InputError, match="fetch it again"):
        unpack_mixture(data)


def test_equal_components_are_merged_first_and_nothing_is_lost() -> None:
    """Every component twice, with half the weight each: merging the copies gives the mixture back."""
    merged = merge_components(copied(2), MIXTURE.components)
    np.testing.assert_allclose(merged.weights, MIXTURE.weights, atol=1e-12)
    np.testing.assert_allclose(merged.shares, MIXTURE.shares, atol=1e-12)
    np.testing.assert_allclose(merged.means, MIXTURE.means, atol=1e-9)
    np.testing.assert_allclose(merged.factors, MIXTURE.factors, atol=1e-6)


def test_merging_keeps_shares_and_moments_of_each_class() -> None:
    merged = merge_components(MIXTURE, 4)
    assert merged.components == 4
    for number in range(MIXTURE.form.classes):
        before, after = (each.class_slices[number] for each in (MIXTURE, merged))
        for name in ("shares", "means"):
            old = MIXTURE.weights[before] @ getattr(MIXTURE, name)[before]
            new = merged.weights[after] @ getattr(merged, name)[after]
            np.testing.assert_allclose(new, old, atol=1e-9)


def test_more_components_are_left_alone_and_fewer_than_classes_refused() -> None:
    assert merge_components(MIXTURE, 1000) is MIXTURE
    with pytest.raises(InputError, match="of 2 classes"):
        merge_components(MIXTURE, 1)

"""Smaller generators: packed, merged or distilled, and how far their rows are from the original's."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import headwater.generator.compression as compression
from headwater.encoding.marginals import Marginal, count
from headwater.errors import InputError
from headwater.generator.bundle import Bundle
from headwater.generator.compression import compress, fidelity
from headwater.generator.fit import initial_model
from headwater.generator.packing import is_packed_network, pack_network, unpack_network
from headwater.generator.sampler import MixtureSampler, NetworkSampler, read_sampler
from headwater.generator.spec import GeneratorSpec
from support.codes import TERMS
from support.likeness import fitted_mixture
from support.recipes import small_table

MIXTURE, ENCODING = fitted_mixture()
SHORT = SimpleNamespace(**(vars(TERMS) | {"steps": 30}))


@pytest.fixture(scope="module")
def network() -> NetworkSampler:
    codes, sizes = ENCODING.encode(small_table(2000)), ENCODING.sizes
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    marginals = [Marginal(p, t.astype(float)) for p, t in zip(pairs, count(codes, sizes, pairs), strict=True)]
    spec = GeneratorSpec(sizes, label=6, latent=8, width=64, blocks=1, critic_width=8)
    return NetworkSampler(initial_model(spec, marginals, 1))


def test_a_mixture_in_eight_bits_draws_rows_as_good(tmp_path_factory: pytest.TempPathFactory) -> None:
    original = MixtureSampler(MIXTURE)
    small = compress(original, precision="int8", terms=SHORT)
    assert len(small.to_bytes()) < 0.5 * len(original.to_bytes())
    assert fidelity(original, small, ENCODING, rows=20_000).excess < 0.002
    folder = tmp_path_factory.mktemp("bundles") / "small"
    digest = Bundle(small, ENCODING).save(folder)
    assert Bundle.load(folder, digest).sampler.to_bytes() == small.to_bytes()


def test_too_few_components_show_in_the_distance() -> None:
    original = MixtureSampler(MIXTURE)
    few = compress(original, precision="float16", components=2, terms=SHORT)
    assert isinstance(few, MixtureSampler)
    assert few.mixture.components == 2
    assert fidelity(original, few, ENCODING, rows=20_000).excess > 0.004


@pytest.mark.parametrize(("precision", "part"), [("int8", 0.35), ("float16", 0.3)])
def test_a_packed_network_is_read_and_draws_rows_as_good(network: NetworkSampler, precision: str, part: float) -> None:
    packed = pack_network(network.model, precision)  # type: ignore[arg-type]
    assert len(packed) < part * len(network.to_bytes())
    assert is_packed_network(packed)
    sampler = read_sampler(packed)
    assert sampler.to_bytes() == packed
    assert fidelity(network, sampler, ENCODING, rows=20_000, device="cpu").excess < 0.002


def test_a_narrower_network_is_distilled_from_draws(network: NetworkSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_LEARNED_FROM", 20_000)
    small = compress(network, precision="int8", width=16, terms=SHORT, device="cpu")
    assert isinstance(small, NetworkSampler)
    assert small.model.spec.width == 16
    assert len(small.to_bytes()) < 0.25 * len(network.to_bytes())
    assert fidelity(network, small, ENCODING, rows=20_000, device="cpu").tvd1 < 0.05


def test_bytes_of_another_shape_are_refused(network: NetworkSampler) -> None:
    packed = pack_network(network.model, "float16")
    for broken in (packed[:-8], packed[:200], packed.replace(b'\\"width\\":64', b'\\"width\\":65')):
        with pytest.raises(InputError):
            unpack_network(broken)


def test_numbers_of_the_wrong_kind_are_refused(network: NetworkSampler) -> None:
    with pytest.raises(InputError, match="no width"):
        compress(MixtureSampler(MIXTURE), precision="int8", width=8, terms=SHORT)
    with pytest.raises(InputError, match="no components"):
        compress(network, precision="int8", components=8, terms=SHORT)


def test_two_samples_of_one_generator_are_at_the_floor() -> None:
    original = MixtureSampler(MIXTURE)
    found = fidelity(original, original, ENCODING, rows=10_000)
    assert found.tvd2 == pytest.approx(found.floor2, abs=0.003)
    assert np.isfinite([found.tvd1, found.floor1]).all()

"""Bundles on disk: exact, digested, and refused when altered."""

import json
from pathlib import Path

import numpy as np
import pytest

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import Marginal, count
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.generator.bundle import Bundle
from headwater.generator.fit import initial_model
from headwater.generator.sampler import MixtureSampler, NetworkSampler
from headwater.generator.sampling import sample_codes
from headwater.generator.spec import GeneratorSpec
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.mixtures import mixture_of, together


@pytest.fixture
def bundle() -> Bundle:
    schema = Schema(
        name="small",
        columns=(
            NumericColumn(name="age", lower=0, upper=99, integer=True),
            CategoricalColumn(name="sort", categories=("a", "b"), role="target"),
        ),
    )
    random = np.random.default_rng(0)
    columns = {"age": np.floor(random.random(500) * 100), "sort": random.integers(0, 2, 500).astype(np.int32)}
    table = Table(schema, columns, 500)
    settings = EncodingSettings()
    encoding = Encoding.fit(schema, Histograms.of(schema, settings).count(table), settings)
    counts = count(encoding.encode(table), encoding.sizes, [(0, 1)])
    spec = GeneratorSpec(encoding.sizes, label=1, latent=4, width=16, blocks=1, critic_width=8)
    model = initial_model(spec, [Marginal((0, 1), counts[0].astype(float))], seed=1).with_critic(2)
    return Bundle(NetworkSampler(model), encoding)


def network(bundle: Bundle) -> NetworkSampler:
    assert isinstance(bundle.sampler, NetworkSampler)
    return bundle.sampler


def test_bundle_comes_back_with_its_digest_and_samples_the_same_rows(bundle: Bundle, tmp_path: Path) -> None:
    digest = bundle.save(tmp_path / "bundle")
    loaded = Bundle.load(tmp_path / "bundle", digest)
    assert loaded.digest == digest == bundle.digest
    rows = [np.concatenate(list(sample_codes(network(each).model, 200, 7, device="cpu"))) for each in (bundle, loaded)]
    np.testing.assert_array_equal(rows[0], rows[1])
    decoded = [each.encoding.decode(rows[0], np.random.default_rng(1)) for each in (bundle, loaded)]
    np.testing.assert_array_equal(decoded[0].columns["age"], decoded[1].columns["age"])


def test_critic_stays_out_of_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "bundle")
    assert len(network(bundle).model.critic) > 0
    assert len(network(Bundle.load(tmp_path / "bundle")).model.critic) == 0


@pytest.mark.parametrize("name", ["bundle.json", "generator.safetensors", "encoding.json"])
def test_altered_or_missing_file_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    digest = bundle.save(tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError):
        Bundle.load(tmp_path / "bundle", digest)
    path.unlink()
    with pytest.raises(InputError, match="there is no"):
        Bundle.load(tmp_path / "bundle")


def test_bundle_of_another_version_or_digest_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "bundle")
    with pytest.raises(InputError, match="was expected"):
        Bundle.load(tmp_path / "bundle", "0" * 64)
    manifest = tmp_path / "bundle" / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with pytest.raises(InputError, match="version"):
        Bundle.load(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["bundle.json", "encoding.json"])
def test_a_text_larger_than_a_bundle_s_is_refused_unread(bundle: Bundle, tmp_path: Path, name: str) -> None:
    bundle.save(tmp_path / "bundle")
    with (tmp_path / "bundle" / name).open("r+b") as file:
        # A hole: it takes no room on the disk.
        file.truncate(2**27)
    with pytest.raises(InputError, match="larger than"):
        Bundle.load(tmp_path / "bundle")


def test_bundle_is_never_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "bundle")
    with pytest.raises(InputError, match="never overwritten"):
        bundle.save(tmp_path / "bundle")


def test_a_mixtures_bundle_comes_back_and_samples_the_same_rows(tmp_path: Path) -> None:
    _, encoding, form, rows = together(200)
    bundle = Bundle(MixtureSampler(mixture_of(form, rows)), encoding)
    loaded = Bundle.load(tmp_path / "bundle", bundle.save(tmp_path / "bundle"))
    assert isinstance(loaded.sampler, MixtureSampler)
    made = [Table.concat(list(each.sampler.tables(each.encoding, 100, 3))) for each in (bundle, loaded)]
    assert made[0].to_arrow().equals(made[1].to_arrow())


def test_a_network_draws_no_rows_of_one_label(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="condition=label"):
        list(bundle.sampler.tables(bundle.encoding, 10, 1, label=0))

"""From a generator to rows: as many as asked for, of the schema, the same for the same seed."""

import numpy as np
import pytest
import torch

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.sampler import NetworkSampler
from headwater.generator.spec import GeneratorSpec
from headwater_server.release import sample_table
from support.releases import make_table


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    table = make_table()
    return Encoding.fit(table.schema, Histograms.of(table.schema, EncodingSettings()).count(table))


@pytest.fixture(scope="module")
def sampler(encoding: Encoding) -> NetworkSampler:
    torch.manual_seed(1)
    return NetworkSampler(Model.of(Generator(GeneratorSpec(encoding.sizes, latent=4, width=8, blocks=1))))


def test_rows_hold_to_the_schema(sampler: NetworkSampler, encoding: Encoding) -> None:
    progress: list[int] = []
    table = sample_table(sampler, encoding, 9000, 5, on_rows=progress.append)
    assert table.rows == 9000
    assert table.schema == encoding.schema
    assert progress == [8192, 9000]
    ages = table.columns["age"]
    assert ages.min() >= 0
    assert ages.max() <= 120
    assert set(np.unique(table.columns["ward"])) <= {0, 1, 2}


def test_seed_decides_every_value(sampler: NetworkSampler, encoding: Encoding) -> None:
    first, second, other = (sample_table(sampler, encoding, 200, seed).to_arrow() for seed in (5, 5, 6))
    assert first.equals(second)
    assert not first.equals(other)


@pytest.mark.parametrize("rows", [0, -1])
def test_no_rows_are_refused(sampler: NetworkSampler, encoding: Encoding, rows: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        sample_table(sampler, encoding, rows, 5)

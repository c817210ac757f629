"""Units and codes, whichever columns share a softmax, against loops over heads."""

import numpy as np
import pytest
import torch
from torch import Tensor

from headwater.encoding.groups import Group
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.sampling import sample_codes
from headwater.generator.spec import GeneratorSpec

SIZES = (3, 2, 2, 4, 2, 3, 3)


def group(*columns: int) -> Group:
    """Every second combination of some columns' codes."""
    shape = [SIZES[column] for column in columns]
    return Group(columns, np.argwhere(np.ones(shape))[::2].astype(np.int32))


GROUPS = {
    "none": (),
    "first and last": (group(0, 6),),
    "neighbours": (group(2, 3),),
    "crossing": (group(1, 4), group(2, 5)),
    "most": (group(0, 1), group(2, 3, 4)),
}


def network(groups: tuple[Group, ...]) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(GeneratorSpec(SIZES, groups=groups, latent=4, width=8, blocks=1))


def slow_codes(generator: Generator, units: Tensor) -> Tensor:
    out = torch.zeros(len(units), sum(SIZES))
    offsets, place = generator.spec.offsets, 0
    for head in generator.heads:
        for combination in head.combinations:
            for column, code in zip(head.columns, combination, strict=True):
                out[:, int(offsets[column]) + int(code)] += units[:, place]
            place += 1
    return out


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_codes_are_the_sums_of_their_units(groups: tuple[Group, ...]) -> None:
    generator = network(groups)
    units = torch.rand(16, sum(generator.units), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(generator.codes(units), slow_codes(generator, units))


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_drawn_units_stand_for_their_codes(groups: tuple[Group, ...]) -> None:
    generator = network(groups)
    drawn = torch.stack([torch.arange(12) % head.units for head in generator.heads], dim=1)
    codes = generator.drawn_codes(drawn).numpy()
    for number, head in enumerate(generator.heads):
        np.testing.assert_array_equal(codes[:, list(head.columns)], head.combinations[drawn[:, number].numpy()])


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_rows_are_drawn_by_the_inverse_of_each_softmax(
    groups: tuple[Group, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.generator.sampling.has_half_precision", lambda device: False)
    generator, random = network(groups), torch.Generator().manual_seed(5)
    with torch.no_grad():
        z = generator.noise(500, random)
        uniform = torch.rand(500, len(generator.heads), generator=random)
        ends = [part.cumsum(dim=1) for part in torch.split(generator.unit_probabilities(z), generator.units, dim=1)]
    units = [
        (end <= uniform[:, number, None]).sum(dim=1).clamp(max=end.shape[1] - 1) for number, end in enumerate(ends)
    ]
    (drawn,) = sample_codes(Model.of(generator), 500, 5, device="cpu")
    expected = generator.drawn_codes(torch.stack(units, dim=1)).numpy()
    # A point within a rounding error of an edge may fall on either side.
    assert (drawn != expected).mean() < 1e-3

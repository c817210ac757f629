"""Local auxiliary losses, with the fit to summed marginals as oracle."""

import numpy as np
import pytest
import torch

from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, count
from headwater.generator import auxiliary
from headwater.generator.auxiliary import RowMoments, condition_loss, information_loss
from headwater.generator.conditions import Wish
from headwater.generator.network import Generator
from headwater.generator.spec import GeneratorSpec
from headwater.generator.targets import Targets
from support.codes import SIZES, dependent_codes, marginals_of, small

CODES = dependent_codes(500)
PAIRS = np.unique(CODES[:, [0, 1]], axis=0)


def generator(*groups: Group) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(small(groups=groups))


def moments(network: Generator, codes: np.ndarray) -> RowMoments:
    return RowMoments(network, torch.from_numpy(codes.astype(np.int64)), torch.Generator().manual_seed(0))


def over_classes(loss: RowMoments, probabilities: torch.Tensor) -> float:
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return float(np.mean([float(loss.loss(probabilities, random)) for _ in range(400)]))


@pytest.mark.parametrize("groups", [(), (Group((0, 1), PAIRS.astype(np.int32)),)])
def test_own_moments_are_a_fit_to_the_rows_own_marginals(groups: tuple[Group, ...]) -> None:
    network = generator(*groups)
    marginals = marginals_of(CODES, (0, 1)) + [
        Marginal(pair, table.astype(float))
        for pair, table in zip([(0, 2), (1, 2)], count(CODES, SIZES, [(0, 2), (1, 2)]), strict=True)
    ]
    targets = Targets.of(network.spec, marginals, torch.device("cpu"))
    with torch.no_grad():
        probabilities = network.unit_probabilities(network.noise(256, torch.Generator().manual_seed(2)))
        expected = float(targets.loss(network, probabilities))
    # One class a step is looked at: four standard errors of 400 steps.
    assert over_classes(moments(network, CODES), probabilities) == pytest.approx(expected, rel=0.02)


def test_moments_are_the_same_however_rows_are_cut_and_take_no_more_memory_than_a_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = generator(Group((0, 1), PAIRS.astype(np.int32)))
    whole = moments(network, CODES)
    monkeypatch.setattr(auxiliary, "_ROWS_AT_ONCE", 37)
    widest: list[int] = []
    one_hot = auxiliary._one_hot

    def watched(rows: torch.Tensor, offsets: np.ndarray) -> torch.Tensor:
        widest.append(len(rows))
        return one_hot(rows, offsets)

    monkeypatch.setattr(auxiliary, "_one_hot", watched)
    cut = moments(network, CODES)
    assert max(widest) == 37
    for first, second in zip(
        (whole._ones, whole._pairs, *(block for _, block in whole._classes)),
        (cut._ones, cut._pairs, *(block for _, block in cut._classes)),
        strict=True,
    ):
        assert torch.equal(first.target, second.target)
        assert torch.equal(first.weight, second.weight)


def test_the_rows_themselves_are_at_no_distance() -> None:
    network = generator()
    units = torch.cat(
        [torch.nn.functional.one_hot(torch.from_numpy(CODES[:, c]).long(), size) for c, size in enumerate(SIZES)], dim=1
    ).float()
    assert over_classes(moments(network, CODES), units) < 1e-5
    other = units[torch.randperm(len(units), generator=torch.Generator().manual_seed(0))[:250]]
    assert over_classes(moments(network, CODES), other) > 0.01


def test_a_wide_table_is_looked_at_through_some_of_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Generator(GeneratorSpec((4,) * 6, label=5, latent=8, width=16, blocks=1))
    codes = np.random.default_rng(0).integers(0, 4, (300, 6))
    monkeypatch.setattr(auxiliary, "_MOST_CODES", 12)
    rows = torch.from_numpy(codes)
    seen = [RowMoments(network, rows, torch.Generator().manual_seed(seed))._paired.tolist() for seed in range(6)]
    # The label is always among them, and which others are is drawn anew.
    assert all(set(range(20, 24)) <= set(places) and len(places) == 12 for places in seen)
    assert len({tuple(places) for places in seen}) > 1
    loss = RowMoments(network, rows, torch.Generator().manual_seed(0)).loss(
        network.unit_probabilities(network.noise(32, torch.Generator().manual_seed(0))), torch.Generator()
    )
    assert bool(torch.isfinite(loss))


def test_condition_loss_is_the_cross_entropy_of_every_wish() -> None:
    codes = torch.tensor([[0.2, 0.8, 0.5, 0.5], [1.0, 0.0, 0.25, 0.75]])
    wish = Wish(torch.tensor([[1, 2], [0, 3]]))
    expected = -(np.log(0.8) + np.log(0.5) + np.log(1.0) + np.log(0.75)) / 2
    assert float(condition_loss(codes, wish)) == pytest.approx(expected)


def test_information_loss_is_the_distance_of_means_and_of_deviations() -> None:
    real, fake = torch.tensor([[0.0, 1], [2, 1]]), torch.tensor([[3.0, 1], [3, 5]])
    means = np.hypot(3 - 1, 3 - 1)
    deviations = np.hypot(np.sqrt(2), np.sqrt(8))
    assert float(information_loss(real, fake)) == pytest.approx(means + deviations)
    assert float(information_loss(real, real)) == 0

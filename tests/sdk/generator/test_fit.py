"""Fitting to marginals, sampling, and what both promise."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, choose_subsets, count
from headwater.errors import InputError
from headwater.generator.fit import fit_to_marginals, initial_model, marginal_loss
from headwater.generator.health import examine
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.sampling import sample_codes
from support.codes import SIZES, TERMS, dependent_codes, marginals_of, small


def joint(codes: np.ndarray) -> np.ndarray:
    return np.asarray(count(codes.astype(np.int32), SIZES, [(0, 1, 2)])[0]) / len(codes)


def test_fit_recovers_dependencies_that_independent_columns_cannot_hold() -> None:
    codes = dependent_codes()
    model = fit_to_marginals(small(), marginals_of(codes), TERMS, seed=1, device="cpu")
    drawn = np.concatenate(list(sample_codes(model, 3000, seed=2, device="cpu")))
    independent = np.stack([np.random.default_rng(c).permutation(codes[:, c]) for c in range(3)], axis=1)
    assert np.abs(joint(drawn) - joint(codes)).sum() < 0.5 * np.abs(joint(independent) - joint(codes)).sum()


def test_fit_lowers_the_marginal_loss_of_its_start() -> None:
    codes = dependent_codes()
    start = initial_model(small(), marginals_of(codes), seed=1)
    fitted = fit_to_marginals(small(), marginals_of(codes), TERMS, seed=1, device="cpu")
    assert marginal_loss(fitted, marginals_of(codes), 3, "cpu") < 0.5 * marginal_loss(
        start, marginals_of(codes), 3, "cpu"
    )


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not() -> None:
    marginals = marginals_of(dependent_codes(500))
    terms = SimpleNamespace(**{**vars(TERMS), "steps": 3})
    models = [fit_to_marginals(small(), marginals, terms, seed, "cpu").to_bytes() for seed in (1, 1, 2)]
    assert models[0] == models[1] != models[2]


def test_super_column_draws_supported_combinations_only() -> None:
    codes = dependent_codes()
    table = count(codes, SIZES, [(0, 1)])[0].reshape(3, 4)
    combinations = np.argwhere(table > 0).astype(np.int32)
    spec = small(groups=(Group((0, 1), combinations),))
    model = fit_to_marginals(spec, marginals_of(codes, (0, 1)), TERMS, seed=1, device="cpu")
    drawn = np.concatenate(list(sample_codes(model, 2000, seed=2, device="cpu")))
    assert {tuple(row) for row in drawn[:, :2]} <= {tuple(row) for row in combinations}


def test_column_probabilities_sum_to_one_and_follow_the_super_column() -> None:
    spec = small(groups=(Group((0, 1), np.array([[0, 0], [1, 1], [2, 3]], np.int32)),))
    generator = Generator(spec)
    units = generator.unit_probabilities(generator.noise(16, torch.Generator().manual_seed(0)))
    codes = generator.codes(units).detach().numpy()
    for start, stop in zip(spec.offsets[:-1], spec.offsets[1:], strict=True):
        np.testing.assert_allclose(codes[:, start:stop].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(codes[:, 0], codes[:, 3], rtol=1e-5)
    np.testing.assert_array_equal(codes[:, 5], 0)


def test_sampling_is_the_same_for_a_seed_and_ends_at_the_number_asked() -> None:
    model = initial_model(small(), marginals_of(dependent_codes(500)), seed=1)
    batches = list(sample_codes(model, 1000, seed=4, batch_size=300, device="cpu"))
    again = list(sample_codes(model, 1000, seed=4, batch_size=300, device="cpu"))
    assert [len(batch) for batch in batches] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(again))


def test_sampling_follows_the_marginals_and_not_the_mode() -> None:
    codes = dependent_codes()
    model = initial_model(small(), marginals_of(codes), seed=1)
    drawn = np.concatenate(list(sample_codes(model, 20_000, seed=4, device="cpu")))
    # 20,000 draws: a share's standard deviation is under .0036; .03 is over eight of them.
    for column, size in enumerate(SIZES):
        shares = [np.bincount(rows[:, column], minlength=size) / len(rows) for rows in (codes, drawn)]
        np.testing.assert_allclose(shares[0], shares[1], atol=0.03)


def test_works_without_a_label() -> None:
    codes = dependent_codes(500)
    subsets = choose_subsets(SIZES, None, 10_000)
    marginals = [Marginal(s, t.astype(float)) for s, t in zip(subsets, count(codes, SIZES, subsets), strict=True)]
    model = fit_to_marginals(small(label=None), marginals, TERMS, seed=1, device="cpu")
    assert examine(model, marginals, seed=1).tvd1 < 0.05


def test_health_sees_a_collapsed_generator() -> None:
    codes = dependent_codes()
    model = initial_model(small(), marginals_of(codes), seed=1)
    network = model.build_generator(torch.device("cpu"), average=True)
    with torch.no_grad():
        network.exit.weight.zero_()
        network.exit.bias.zero_()
        network.exit.bias[0] = 50.0
    broken = Model.of(network)
    assert not examine(model, marginals_of(codes), seed=1).collapsed
    report = examine(broken, marginals_of(codes), seed=1)
    assert report.collapsed
    assert report.latent_sensitivity == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("missing", [[Marginal((0, 1), np.ones(12))], [Marginal((0, 1, 2), np.zeros(24))]])
def test_marginals_that_leave_a_column_out_or_count_nobody_are_refused(missing: list[Marginal]) -> None:
    with pytest.raises(InputError):
        fit_to_marginals(small(), missing, TERMS, seed=1, device="cpu")


def test_cuda_gives_the_same_marginals_as_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device on this machine")
    marginals = marginals_of(dependent_codes())
    losses = [
        marginal_loss(fit_to_marginals(small(), marginals, TERMS, seed=1, device=device), marginals, 3, device)
        for device in ("cpu", "cuda")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.2)


def test_rare_label_of_few_rows_keeps_its_share() -> None:
    # 30 rows leave most cells empty; the L1 distance alone gave the rarer class up.
    codes = dependent_codes(30)
    model = fit_to_marginals(small(), marginals_of(codes), TERMS, seed=1, device="cpu")
    drawn = np.concatenate(list(sample_codes(model, 20_000, seed=2, device="cpu")))
    for column, size in enumerate(SIZES):
        shares = [np.bincount(rows[:, column], minlength=size) / len(rows) for rows in (codes, drawn)]
        np.testing.assert_allclose(shares[0], shares[1], atol=0.03)

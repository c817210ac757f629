"""Conditions: drawn as often as shares say, written where they belong, and obeyed after training."""

import numpy as np
import pytest
import torch

from headwater.encoding.marginals import Marginal, count, with_pairs
from headwater.errors import InputError
from headwater.generator.adversarial import train_locally
from headwater.generator.conditions import Conditions, shares_by_class
from headwater.generator.fit import initial_model
from headwater.generator.local_rows import RowSource
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.sampling import sample_codes
from headwater.generator.spec import GeneratorSpec
from headwater.generator.update import apply_update
from headwater.recipe.settings import UpdateSettings
from support.codes import SIZES, dependent_codes, marginals_of, small

CODES = dependent_codes(2000)
MARGINALS = with_pairs(marginals_of(CODES), SIZES) + [
    Marginal((c,), t.astype(float)) for c, t in enumerate(count(CODES, SIZES, [(0,), (1,), (2,)]))
]
CPU = torch.device("cpu")


def spec(condition: str) -> GeneratorSpec:
    return small(condition=condition, shares=shares_by_class(SIZES, 2, MARGINALS))


def test_shares_are_those_of_each_classs_rows() -> None:
    shares = shares_by_class(SIZES, 2, MARGINALS)
    for label in (0, 1):
        rows = CODES[CODES[:, 2] == label]
        expected = np.concatenate([np.bincount(rows[:, c], minlength=SIZES[c]) / len(rows) for c in (0, 1)])
        np.testing.assert_allclose(shares[label, :7], expected, atol=1e-6)
        np.testing.assert_allclose(shares[label, 7:], np.bincount(CODES[:, 2]) / len(CODES), atol=1e-6)


def test_without_counted_pairs_every_class_has_the_shares_of_all_rows() -> None:
    shares = shares_by_class(SIZES, 2, [marginal for marginal in MARGINALS if len(marginal.columns) == 1])
    np.testing.assert_array_equal(shares[0], shares[1])


def test_wishes_come_as_often_as_rows_do_and_hang_together_as_they_do() -> None:
    wish = Conditions(spec("column"), CPU).draw(40_000, torch.Generator().manual_seed(0))
    labels, places = wish.places[:, 0].numpy() - 7, wish.places[:, 1].numpy()
    # Four standard errors of a share at 10,000 draws.
    assert labels.mean() == pytest.approx(CODES[:, 2].mean(), abs=0.02)
    for label in (0, 1):
        rows = CODES[CODES[:, 2] == label]
        for start, column in ((0, 0), (3, 1)):
            drawn = places[(labels == label) & (places >= start) & (places < start + SIZES[column])] - start
            expected = np.bincount(rows[:, column], minlength=SIZES[column]) / len(rows)
            np.testing.assert_allclose(np.bincount(drawn, minlength=SIZES[column]) / len(drawn), expected, atol=0.025)


@pytest.mark.parametrize(("condition", "width"), [("label", 2), ("column", 9)])
def test_a_wish_is_written_where_its_codes_stand(condition: str, width: int) -> None:
    conditions = Conditions(spec(condition), CPU)
    wish = conditions.draw(50, torch.Generator().manual_seed(1), label=1)
    written = conditions.written(wish)
    assert written.shape == (50, width)
    assert bool((written[:, -1] == 1).all())
    assert bool((written[:, -2] == 0).all())
    assert bool((written.sum(dim=1) == wish.places.shape[1]).all())


def test_a_rows_wish_is_its_label_and_one_of_its_codes() -> None:
    conditions, rows = Conditions(spec("column"), CPU), torch.from_numpy(CODES.astype(np.int64))
    wish = conditions.of_rows(rows, torch.Generator().manual_seed(2)).places
    own = rows + torch.tensor([0, 3, 7])
    assert torch.equal(wish[:, 0], own[:, 2])
    assert bool(((wish[:, 1] == own[:, 0]) | (wish[:, 1] == own[:, 1])).all())
    assert 0.4 < float((wish[:, 1] < 3).float().mean()) < 0.6


def test_logarithmic_frequency_shows_rare_codes_more_often_and_only_rows_that_have_them() -> None:
    skewed = np.zeros((1000, 3), np.int64)
    skewed[:10, 0], skewed[:, 2] = 1, np.arange(1000) % 2
    rows = torch.from_numpy(skewed)
    drawn = RowSource(Generator(spec("column")), rows, "log").real(20_000, torch.Generator().manual_seed(0))
    assert drawn.wish is not None
    assert bool((drawn.one_hot.gather(1, drawn.wish.places) == 1).all())
    wished = drawn.wish.places[:, 1]
    share = float((wished == 1).sum() / (wished < 3).sum())
    assert share == pytest.approx(np.log(11) / (np.log(11) + np.log(991)), abs=0.02)


@pytest.mark.parametrize("condition", ["label", "column"])
def test_a_trained_generator_makes_what_is_wished_for(condition: str) -> None:
    terms = UpdateSettings(
        local_steps=100, batch=32, moments=1.0, moments_batch=64, condition_loss=1.0, adversarial_weight=0.1,
        generator_rate=1e-2, beta1=0.5, ema=0.0, condition_frequency="log",
    )  # fmt: skip
    start = initial_model(spec(condition), MARGINALS, seed=1).with_critic(seed=2)
    trained = apply_update(start, train_locally(start, CODES, terms, 3, "cpu").delta, terms)
    for model, least, most in ((start, 0.0, 0.8), (trained, 0.95, 1.0)):
        generator, random = model.build_generator(CPU, average=True), torch.Generator().manual_seed(4)
        conditions = generator.conditions
        assert conditions is not None
        wish = conditions.draw(2000, random)
        with torch.no_grad():
            codes = generator.codes(generator.unit_probabilities(generator.noise(2000, random, wish=wish)))
        assert least <= float(codes.gather(1, wish.places).mean()) <= most
    for label in (0, 1):
        drawn = np.concatenate(list(sample_codes(trained, 1000, seed=5, device="cpu", label=label)))
        assert (drawn[:, 2] == label).all()


def test_a_condition_without_a_label_or_without_shares_is_refused() -> None:
    with pytest.raises(InputError, match="needs a label"):
        small(condition="label", label=None, shares=np.ones((2, 9), np.float32))
    for shares in (None, np.ones((2, 8), np.float32), np.full((2, 9), np.nan, np.float32)):
        with pytest.raises(InputError, match="shares that conditions"):
            small(condition="label", shares=shares)


def test_conditions_survive_the_models_bytes() -> None:
    start = initial_model(spec("label"), MARGINALS, seed=1)
    again = Model.from_bytes(start.to_bytes())
    assert again.to_bytes() == start.to_bytes()
    first, second = (np.concatenate(list(sample_codes(each, 50, 3, device="cpu"))) for each in (start, again))
    np.testing.assert_array_equal(first, second)

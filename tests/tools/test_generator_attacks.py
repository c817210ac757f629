"""Attacks of the benchmark: each kind of generator is asked all that it tells of a row."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from generator.attacks import likelihood_auc, likelihood_tpr
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.sampler import MixtureSampler, NetworkSampler, RefinedSampler
from headwater.mixture.form import RowFeatures
from headwater.mixture.tilt import Tilt
from support.mixtures import mixture_of, together
from support.refined import refined_model


def by_first_score(_: RefinedDraws, rows: RowFeatures) -> NDArray[np.float64]:
    """A critic that has learned which rows it was trained on: those with much of the first score."""
    return 50.0 * rows.scores[:, 0]


def test_a_critic_that_remembers_rows_is_the_strongest_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    table, encoding, form, features = together(400)
    model = refined_model(mixture_of(form, features))
    order = np.argsort(features.scores[:, 0])
    trained, unseen = table.take(order[200:]), table.take(order[:200])
    base = likelihood_auc(MixtureSampler(model.mixture), encoding, trained, unseen)
    without = likelihood_auc(RefinedSampler(replace(model, critic=model.critic[:0])), encoding, trained, unseen)
    monkeypatch.setattr(RefinedDraws, "logits", by_first_score)

    assert base is not None
    assert base < 0.9
    assert without == base
    assert likelihood_auc(RefinedSampler(model), encoding, trained, unseen) == 1.0
    assert likelihood_tpr(RefinedSampler(model), encoding, trained, unseen) == 1.0
    assert (likelihood_tpr(MixtureSampler(model.mixture), encoding, trained, unseen) or 0.0) < 0.5


def test_a_tilt_counts_in_the_density_that_is_attacked() -> None:
    table, encoding, form, features = together(400)
    mixture = mixture_of(form, features)
    pair, sizes = (0, len(form.sizes) - 1), form.sizes
    favoured = np.where(np.arange(sizes[pair[0]] * sizes[pair[1]]) % sizes[pair[1]] == 0, 0.0, -8.0)
    tilted = replace(mixture, tilt=Tilt((pair,), sizes, favoured.astype(np.float32), 0.0, -1.0))
    labels = encoding.encode(table)[:, pair[1]]
    trained, unseen = table.take(np.flatnonzero(labels == 0)), table.take(np.flatnonzero(labels != 0))
    plain = likelihood_auc(MixtureSampler(mixture), encoding, trained, unseen)

    assert plain is not None
    assert plain < 0.9
    assert (likelihood_auc(MixtureSampler(tilted), encoding, trained, unseen) or 0.0) > plain + 0.1


def test_a_network_has_no_density_to_attack() -> None:
    table, encoding, _, _ = together(50)

    assert likelihood_auc(NetworkSampler.__new__(NetworkSampler), encoding, table, table) is None
    assert likelihood_tpr(NetworkSampler.__new__(NetworkSampler), encoding, table, table) is None


def test_few_unseen_rows_are_taken_for_trained_ones_at_the_rate_that_is_asked_for() -> None:
    table, encoding, form, features = together(400)
    sampler = MixtureSampler(mixture_of(form, features))

    assert likelihood_tpr(sampler, encoding, table, table, rate=0.1) == pytest.approx(0.1, abs=0.02)

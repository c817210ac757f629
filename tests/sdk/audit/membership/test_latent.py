"""The released generator asked about rows: an oracle for each question, and generators that remember or do not."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from headwater.audit.membership.latent import LatentAttack
from headwater.audit.membership.latent_search import latent_opinions
from headwater.audit.membership.opinions import opinions
from headwater.encoding.encoding import Encoding
from headwater.encoding.groups import Group
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.sampler import MixtureSampler, NetworkSampler, RefinedSampler, Sampler
from headwater.generator.spec import GeneratorSpec
from headwater.mixture.expectation import expect
from headwater.mixture.form import RowFeatures
from headwater.mixture.maximisation import maximise
from headwater.schema.table import Table
from support.mixtures import SETTINGS, encoding_of, form_of, mixture_of, part_of, together
from support.recipes import small_table
from support.refined import refined_model


def _read(attack: LatentAttack, train: Table, holdout: Table) -> Measure:
    return attack.read(attack.count(AuditRows(train, holdout), np.random.default_rng(0)))[0]


def _drawn(sampler: Sampler, encoding: Encoding, rows: int) -> Candidate:
    return Candidate(Table.concat(list(sampler.tables(encoding, rows, seed=1))))


def _fitted(table: Table, encoding: Encoding, components: int, steps: int) -> MixtureSampler:
    form = form_of(table, encoding)
    features = form.rows(table, encoding)
    mixture = mixture_of(form, features, components=components)
    for _ in range(steps):
        mixture = maximise(mixture, expect(mixture, features, part_of(features, np.arange(0))), SETTINGS)
    return MixtureSampler(mixture)


def test_a_mixture_with_too_many_components_knows_its_rows_and_a_small_one_does_not() -> None:
    table = small_table(1200)
    train, holdout = table.take(np.arange(400)), table.take(np.arange(400, 1200))
    encoding = encoding_of(table)
    values = {}
    for components in (4, 150):
        sampler = _fitted(train, encoding, components, 12)
        found = _read(LatentAttack(_drawn(sampler, encoding, 400), AuditSettings(), sampler, encoding), train, holdout)
        values[components] = (found.value, found.details["auc"])
    assert values[4][0] is not None
    assert values[4][0] < 0.04
    assert values[150][1] > values[4][1] + 0.05
    assert values[150][1] > 0.6


def test_the_strongest_question_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_first_score(_: RefinedDraws, rows: RowFeatures) -> NDArray[np.float64]:
        return 50.0 * rows.scores[:, 0]

    table, encoding, form, features = together(600)
    order = np.argsort(features.scores[:, 0])
    train, holdout = table.take(order[300:]), table.take(order[:300])
    sampler = RefinedSampler(refined_model(mixture_of(form, features)))
    candidate = Candidate(table)
    monkeypatch.setattr(RefinedDraws, "logits", by_first_score)
    attack = LatentAttack(candidate, AuditSettings(), sampler, encoding)
    found = _read(attack, train, holdout)
    assert set(attack.edges) == {"density", "logit", "both"}
    assert found.value == pytest.approx(1.0)
    assert found.details["tpr_logit"] == pytest.approx(1.0)
    assert found.details["tpr_density"] < 0.5


def test_a_critic_that_is_not_released_is_not_asked() -> None:
    table, encoding, form, features = together(100)
    model = refined_model(mixture_of(form, features))
    assert set(opinions(RefinedSampler(replace(model, critic=model.critic[:0])), encoding, table)) == {"density"}


def _spec(sizes: tuple[int, ...], groups: tuple[Group, ...] = ()) -> GeneratorSpec:
    return GeneratorSpec(sizes, groups=groups, latent=3, width=8, blocks=1)


def _network(spec: GeneratorSpec, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model.of(Generator(spec))


def test_a_network_s_likelihood_is_the_sum_over_heads_at_every_latent_point() -> None:
    listed = np.array([[2, 1], [0, 0], [1, 3]], np.int32)
    model = _network(_spec((3, 4, 5), (Group((0, 1), listed),)))
    codes = np.array([[0, 0, 4], [1, 3, 2], [2, 2, 1]], np.int32)
    found = latent_opinions(model, codes, seed=7, points=50)
    generator = model.build_generator(torch.device("cpu"), average=True).eval()
    with torch.inference_mode():
        known = generator.unit_probabilities(generator.noise(50, torch.Generator().manual_seed(7))).numpy()
    # The third row's combination is none that the super-column knows.
    for row, pair in ((0, 1), (1, 2)):
        likely = known[:, pair] * known[:, 3 + codes[row, 2]]
        assert found["density"][row] == pytest.approx(np.log(likely.mean()), abs=1e-4)
        assert found["inversion"][row] == pytest.approx(np.log(likely.max()), abs=1e-4)
    assert found["density"][2] < -25


def test_a_network_that_never_saw_a_row_tells_nothing() -> None:
    table, encoding, _, _ = together(900)
    sampler = NetworkSampler(_network(_spec(encoding.sizes)))
    attack = LatentAttack(_drawn(sampler, encoding, 300), AuditSettings(), sampler, encoding)
    found = _read(attack, table.take(np.arange(450)), table.take(np.arange(450, 900)))
    assert set(attack.edges) == {"density", "inversion"}
    assert found.low is not None
    assert found.low < 0.03


def test_a_generator_without_likelihood_is_not_applicable_and_counts_nothing() -> None:
    table, encoding, _, _ = together(200)
    sampler = cast(Any, SimpleNamespace(kind="convolution"))
    attack = LatentAttack(Candidate(table), AuditSettings(), sampler, encoding)
    counts = attack.count(AuditRows(table, table), np.random.default_rng(0))
    assert counts.shape == (attack.size,) == (0,)
    (found,) = attack.read(counts)
    assert found.status == "not applicable"
    assert "convolution" in found.reason


def test_rows_that_the_generator_cannot_read_are_left_out() -> None:
    table, encoding, form, features = together(600)
    broken = dict(table.columns)
    name = next(
        column.name
        for column in table.schema.columns
        if column.kind == "numeric" and table.columns[column.name].dtype == np.float64
    )
    values = np.array(broken[name])
    values[:10] = np.inf
    train = Table(table.schema, {**broken, name: values}, 600)
    sampler = MixtureSampler(mixture_of(form, features))
    found = _read(LatentAttack(Candidate(table), AuditSettings(), sampler, encoding), train, table)
    assert found.trials == 590

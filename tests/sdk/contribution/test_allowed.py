"""Tasks that an honest recipe of the plan never asks, and networks that it never sends."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.contribution.allowed import check_task
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import PeerError
from headwater.generator.model import Model
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import RefinerShape
from headwater.recipe import Aggregate, build_recipe
from headwater.recipe.layout import layout_of_update
from support.pictures import picture_plan, picture_table
from support.recipes import small_plan, small_table
from support.refined import HYBRID_PLAN

ROWS = small_table(150)
SHORT = HYBRID_PLAN.recipe.mixture.model_copy(update={"rows_per_component": (100,), "rounds": 2})
REFINED = HYBRID_PLAN.model_copy(update={"recipe": HYBRID_PLAN.recipe.model_copy(update={"mixture": SHORT})})


def asked(plan: Plan, kind: str, rows: object = ROWS) -> Aggregate:
    recipe = build_recipe(plan)
    while not (isinstance(action := recipe.next(), Aggregate) and action.task.kind == kind):
        if isinstance(action, Aggregate):
            recipe.add_sum(contribute(action.task, action.model, rows, plan), 1)  # type: ignore[arg-type]
        else:
            recipe.add_model(*execute(action, device="cpu"))  # type: ignore[arg-type]
    return action


@pytest.mark.parametrize(("kind", "allowed"), [("histograms", {1}), ("marginals", {2, 3})])
def test_rows_are_counted_in_the_first_rounds_alone(kind: str, allowed: set[int]) -> None:
    plan = small_plan(rounds=6)
    task = asked(plan, kind).task
    for step in range(1, 8):
        other = task.model_copy(update={"step": step})
        if step in allowed:
            check_task(other, b"", plan)
            continue
        with pytest.raises(PeerError, match=f"in round {step}"):
            check_task(other, b"", plan)


def test_pictures_are_summed_before_and_their_networks_count_no_tables() -> None:
    table = picture_table(90)
    plan = picture_plan()
    task = asked(plan, "histograms", table).task
    assert task.step == 2
    contribute(task, b"", table, plan)
    with pytest.raises(PeerError, match="in round 3"):
        contribute(task.model_copy(update={"step": 3}), b"", table, plan)
    tables = asked(picture_plan("marginals"), "marginals", table).task
    with pytest.raises(PeerError, match="in 0 rounds"):
        contribute(tables, b"", table, picture_plan("adversarial"))


@pytest.mark.parametrize(
    "change",
    [
        {"latent": 5},
        {"packing": 2},
        {"activation": "relu"},
        {"kind": "attention"},
        {"label": None},
        {"critic_layers": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_networks_of_another_shape_than_the_plans_are_not_trained(change: dict[str, object]) -> None:
    plan = small_plan()
    action = asked(plan, "update")
    spec = replace(Model.from_bytes(action.model).spec, **change)  # type: ignore[arg-type]
    weights = np.zeros(spec.generator_parameters, np.float32)
    model = Model(spec, weights, weights, np.zeros(spec.critic_parameters, np.float32))
    data, length = model.to_bytes(), layout_of_update(len(weights) + len(model.critic)).length
    task = action.task.model_copy(update={"model_digest": sha256_hex(data), "length": length})
    with pytest.raises(PeerError, match="shape that the plan names"):
        contribute(task, data, ROWS, plan)


@pytest.mark.parametrize("kind", ["update", "evaluate"])
def test_refiners_of_another_shape_than_the_plans_are_not_trained_nor_asked(kind: str) -> None:
    action = asked(REFINED, kind)
    other = RefinedMixture.begin(RefinedMixture.from_bytes(action.model).mixture, RefinerShape(3, 16, 16), 0)
    data = other.to_bytes()
    task = action.task.model_copy(update={"model_digest": sha256_hex(data)})
    with pytest.raises(PeerError, match="shape that the plan names"):
        contribute(task, data, ROWS, REFINED)

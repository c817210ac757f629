"""One organisation shares rows out among a mixture's components as no rows do: what shows it, and what does not."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.contribute import contribute
from headwater.errors import InputError
from headwater.mixture.expectation import Statistics, expect
from headwater.mixture.parameters import Mixture
from headwater.mixture.sharing import shared_otherwise
from headwater.mixture.vector import StatisticsCode
from headwater.recipe import Aggregate, Done, Recipe, build_recipe, sums
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from headwater_server.runs.round_words import training_outcome
from support.mixtures import SETTINGS, mixture_of, part_of, together
from support.recipes import SCHEMA, small_plan, small_table


def tied_table(rows: int, seed: int) -> Table:
    """Rows of two kinds, whatever the outcome, that hardly share a value of five columns."""
    plain = small_table(rows, seed)
    random = np.random.default_rng([seed, 1])
    kind = random.integers(0, 2, rows)
    columns = dict(plain.columns)
    columns["age"] = np.clip(np.rint(random.normal(25 + 60 * kind, 6)), 0, 120)
    columns["seen"] = np.rint(np.clip(random.normal(18600 + 1000 * kind, 80), 18262, 20088))
    columns["income"] = np.exp(random.normal(7 + 4 * kind, 0.4))
    columns["smoker"] = np.where(random.random(rows) < 0.97, kind, 1 - kind).astype(np.int32)
    columns["outcome"] = random.integers(0, 2, rows).astype(np.int32)
    return Table(SCHEMA, columns, rows)


PARTS = [tied_table(200, seed) for seed in range(3)]
CLIMB = {**SETTINGS.model_dump(), "rows_per_component": (120, 60), "rounds": 8, "attack_limit": 1.0}
CLIMB |= {"tilt_tolerances": (), "least_gain": 0.0}
PLAN = small_plan("mixture", mixture=CLIMB)
ONE_RUNG = small_plan("mixture", mixture={**CLIMB, "rows_per_component": (60,)})
FREE = PLAN.model_copy(update={"aggregation": AggregationTerms(on_membership_change="continue")})


def honest_sum(action: Aggregate, plan: Plan = PLAN) -> np.ndarray:
    total: np.ndarray = np.add.reduce([to_signed(contribute(action.task, action.model, part, plan)) for part in PARTS])
    return total


def give(recipe: Recipe, total: np.ndarray) -> None:
    recipe.add_sum(total.astype(np.uint32), len(PARTS))


def climbing(plan: Plan = PLAN, *, rung: int = 1, rounds: int = 0) -> tuple[Recipe, Aggregate]:
    """A recipe that waits for a sum on this rung, so many honest ones of the rung behind it."""
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert isinstance(action, Aggregate)
        of_rungs = [record["rung"] for record in recipe.history if record["kind"] == "expectation"]
        begun = action.task.kind == "expectation" and len({*of_rungs}) >= rung - 1
        if begun and of_rungs.count(rung) == rounds and not (rounds == 0 and _unfinished(recipe, rung)):
            return recipe, action
        give(recipe, honest_sum(action, plan))


def _unfinished(recipe: Recipe, rung: int) -> bool:
    passed = [record for record in recipe.history if record.get("passed") is not None]
    return len(passed) < rung - 1


def read(action: Aggregate, total: np.ndarray) -> tuple[Statistics, Mixture, StatisticsCode]:
    mixture = Mixture.from_bytes(action.model)
    code = StatisticsCode(int(action.task.parameters["rows"]), action.task.value_bits)
    return code.statistics(total[:-2], mixture.form, mixture.components), mixture, code


def blurred(action: Aggregate, plan: Plan = PLAN, share: float = 1.0) -> np.ndarray:
    """The sum with components of a class nearer to one another, at 1 copies of one: totals stay as they are."""
    total = honest_sum(action, plan)
    statistics, mixture, code = read(action, total)
    for part in mixture.class_slices:
        statistics.sums[part] += share * (statistics.sums[part].mean(axis=0) - statistics.sums[part])
    return np.concatenate([code.integers(statistics, mixture.form), total[-2:]])


@pytest.mark.parametrize("rounds", [0, 1, 4])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_rows_moved_to_components_that_do_not_fit_them_are_refused_from_the_first_sum_on(
    rounds: int, share: float
) -> None:
    recipe, action = climbing(ONE_RUNG, rounds=rounds)
    seen = recipe.history
    with pytest.raises(InputError, match=r"components that they do not belong to.*look for a faulty") as refused:
        give(recipe, blurred(action, ONE_RUNG, share))
    assert "\n" not in str(refused.value)
    assert recipe.history == seen
    assert recipe.next() is action


def test_once_a_rung_stands_the_climb_ends_on_it() -> None:
    recipe, action = climbing(rung=2, rounds=3)
    standing = next(record for record in reversed(recipe.history) if record.get("passed"))
    give(recipe, blurred(action))
    done = recipe.next()
    assert isinstance(done, Done)
    assert Mixture.from_bytes(done.model).components == standing["components"]
    assert "do not belong to" in str(recipe.history[-2]["reason"])
    assert training_outcome(recipe.history) == {"refused_rounds": 1, "ended_on": "rung"}


def test_what_is_moved_within_the_responsibilities_entropy_shows_in_the_next_sum() -> None:
    recipe, action = climbing(rung=2, rounds=3)
    standing = next(record for record in reversed(recipe.history) if record.get("passed"))
    give(recipe, blurred(action, share=0.1))
    following = recipe.next()
    assert isinstance(following, Aggregate)
    give(recipe, honest_sum(following))
    done = recipe.next()
    assert isinstance(done, Done)
    assert Mixture.from_bytes(done.model).components == standing["components"]
    assert "far less likely" in str(recipe.history[-2]["reason"])


def test_a_rung_that_ends_less_likely_than_the_one_below_does_not_take_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # From its first round on, so that no sum of the rung is less likely than the one before.
    monkeypatch.setattr(sums, "shared_otherwise", lambda *_: False)
    recipe, _ = climbing(rung=2)
    below = [record for record in recipe.history if record["kind"] == "expectation"][-1]
    while isinstance(action := recipe.next(), Aggregate):
        give(recipe, blurred(action))
    assert isinstance(action, Done)
    assert Mixture.from_bytes(action.model).components == below["components"]
    assert training_outcome(recipe.history) == {"refused_rounds": 1, "ended_on": "rung"}


def test_a_little_that_is_moved_in_every_sum_is_not_found() -> None:
    # What honest rows leave open, a liar can use: the threat model says so.
    recipe, _ = climbing(ONE_RUNG)
    while isinstance(action := recipe.next(), Aggregate):
        give(recipe, blurred(action, ONE_RUNG, 0.02))
    assert isinstance(action, Done)
    assert training_outcome(recipe.history) == {"refused_rounds": 0, "ended_on": ""}


@pytest.mark.parametrize("far", [0.0, 4.5])
def test_honest_rows_share_out_as_the_mixture_says_however_far_out_they_lie(far: float) -> None:
    _, _, form, features = together(400)
    mixture = mixture_of(form, features)
    narrow = replace(mixture, factors=mixture.factors * 0.01, span=(-400.0, 20.0))
    for model in (mixture, narrow):
        rows = part_of(features, np.arange(300))
        if far:
            # Log-densities beyond what is summed: the sum says less of them than the statistics do.
            rows.scores[:3] = far
        statistics = expect(model, rows, part_of(features, np.arange(0)))
        assert not shared_otherwise(statistics, model, 300, 0.0)


def test_an_attack_that_is_made_to_look_weak_is_not_found() -> None:
    # How rows lie under a mixture is known to whoever has them alone: the threat model says so.
    plan = small_plan("mixture", mixture={**CLIMB, "attack_limit": 0.501})
    verdicts = []
    for lies in (False, True):
        recipe = build_recipe(plan)
        while isinstance(action := recipe.next(), Aggregate):
            total = honest_sum(action, plan)
            if lies and action.task.kind == "expectation":
                validation = total[-2 - 512 : -2]
                validation[:] = np.eye(512, dtype=np.int64)[-1] * validation.sum()
            give(recipe, total)
        verdicts.append([record["passed"] for record in recipe.history if "passed" in record])
    assert verdicts == [[False], [True, True]]


def one_row_more(total: np.ndarray) -> np.ndarray:
    lying = total.copy()
    # A bin of the training rows' histogram, and the weight.
    lying[[-2 - 1024 + 300, -2]] += 1
    return lying


def test_one_row_more_does_not_switch_the_comparisons_off_where_no_organisation_may_come_or_go() -> None:
    recipe, action = climbing(rounds=1)
    with pytest.raises(InputError, match="more or fewer rows than the rounds before"):
        give(recipe, one_row_more(honest_sum(action)))
    assert recipe.next() is action
    # Under "continue" a sum over other rows is compared with nothing: that is documented with the plan's word.
    recipe, action = climbing(FREE, rounds=1)
    give(recipe, one_row_more(honest_sum(action, FREE)))
    assert recipe.history[-1]["kind"] == "expectation"
    assert recipe.history[-1].get("accepted", True)


def test_tables_of_one_row_more_than_the_histograms_counted_are_refused() -> None:
    recipe = build_recipe(PLAN)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    give(recipe, honest_sum(action))
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.task.kind == "marginals"
    more = [*PARTS[:2], Table.concat([PARTS[2], tied_table(1, 77), tied_table(1, 78), tied_table(1, 79)])]
    vectors = [to_signed(contribute(action.task, b"", part, PLAN)) for part in more]
    with pytest.raises(InputError, match="more or fewer rows than the rounds before"):
        give(recipe, np.add.reduce(vectors))


def test_validation_rows_must_be_as_many_in_every_round() -> None:
    recipe, action = climbing(rounds=1)
    lying = honest_sum(action)
    lying[-2 - 512 + 200] += 40
    with pytest.raises(InputError, match="validation rows are not as many"):
        give(recipe, lying)
    assert recipe.next() is action


@pytest.mark.parametrize("off", [-3.0, 3.0])
def test_log_densities_must_come_to_what_their_histogram_has_room_for(off: float) -> None:
    recipe, action = climbing(rounds=1)
    total = honest_sum(action)
    statistics, mixture, code = read(action, total)
    lying = replace(statistics, density=statistics.density + off * float(statistics.train.sum()))
    with pytest.raises(InputError, match="another sum than their histogram"):
        give(recipe, np.concatenate([code.integers(lying, mixture.form), total[-2:]]))
    assert recipe.next() is action

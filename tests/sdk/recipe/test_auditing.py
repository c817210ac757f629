"""The last stage of a run: a candidate, then counts, and never the end of the run."""

import numpy as np
import pytest

from headwater.agreement.charge import plan_events
from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import OutOfOrder
from headwater.evidence.candidate_file import pack_candidate, read_candidate
from headwater.recipe.actions import Aggregate, Done, ModelReport, Sample
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.vectors import MOST_AUDIT_COUNTS, longest_run, longest_vector
from support.audited import audited_plan
from support.private import clear_sum, driven, private_plan
from support.recipes import small_plan, small_table

PLAN = audited_plan()
ROWS = small_table(300)
CANDIDATE = pack_candidate(small_table(300, seed=1))
SAMPLED = ModelReport(0.0, 0, {}, {"rows": 300, "checks": [["floors", 3], ["others", 2]]})


def at_the_candidate() -> Recipe:
    recipe = build_recipe(PLAN)
    while not isinstance(action := recipe.next(), Sample):
        if isinstance(action, Aggregate):
            recipe.add_sum(contribute(action.task, action.model, ROWS, PLAN), 3)
        else:
            assert not isinstance(action, Done)
            recipe.add_model(*execute(action, device="cpu"))
    return recipe


@pytest.fixture
def recipe() -> Recipe:
    return at_the_candidate()


def counted(recipe: Recipe, counts: list[int], weight: int | None = None) -> Done:
    done_rows = int(str(recipe.history[0]["rows"]))
    recipe.add_sum(np.array([*counts, done_rows if weight is None else weight, 0], np.uint32), 3)
    action = recipe.next()
    assert isinstance(action, Done)
    return action


def test_a_run_ends_with_a_candidate_and_the_organisations_counts(recipe: Recipe) -> None:
    sample = recipe.next()
    assert isinstance(sample, Sample)
    assert PLAN.audit != "none"
    assert (sample.rows, sample.settings) == (recipe.history[0]["rows"], PLAN.audit.settings)
    recipe.add_model(CANDIDATE, SAMPLED)
    asked = recipe.next()
    assert isinstance(asked, Aggregate)
    assert (asked.task.kind, asked.model, asked.task.length) == ("audit", CANDIDATE, 7)
    assert asked.task.parameters == {"checks": [["floors", 3], ["others", 2]]}
    done = counted(recipe, [5, 0, 7, 1, 2])
    assert done.audit is not None
    assert done.audit.counts is not None
    assert done.audit.counts.tolist() == [5, 0, 7, 1, 2]
    assert (done.audit.candidate, done.audit.contributors, done.audit.failed) == (CANDIDATE, 3, "")
    assert [record["kind"] for record in recipe.history[-2:]] == ["candidate", "audit"]


def test_the_model_is_the_one_that_would_be_there_without_an_audit(recipe: Recipe) -> None:
    recipe.add_model(CANDIDATE, SAMPLED)
    done = counted(recipe, [0] * 5)
    plan = small_plan("marginals", 1, fit={"steps": 5, "batch": 16})
    _, bare = driven(plan, lambda asked: contribute(asked.task, asked.model, ROWS, plan), 3)
    assert bare.model == done.model
    assert bare.audit is None
    assert longest_run(PLAN) == longest_run(plan) + 1
    assert PLAN.maximum_rounds == plan.maximum_rounds + 1


def test_a_candidate_that_could_not_be_sampled_is_a_failed_audit_and_no_failed_run(recipe: Recipe) -> None:
    recipe.add_model(b"", ModelReport(0.0, 0, {}, {"failed": "sampling broke (ZeroDivisionError)"}))
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model
    assert done.audit is not None
    assert (done.audit.failed, done.audit.candidate) == ("sampling broke (ZeroDivisionError)", b"")
    assert recipe.history[-1] == {"kind": "candidate", "failed": "sampling broke (ZeroDivisionError)"}


def test_more_counts_than_the_plan_s_sessions_allow_are_not_asked(recipe: Recipe) -> None:
    assert longest_vector(PLAN) == MOST_AUDIT_COUNTS + 2
    recipe.add_model(CANDIDATE, ModelReport(0.0, 0, {}, {"rows": 300, "checks": [["floors", MOST_AUDIT_COUNTS + 1]]}))
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.audit is not None
    assert "4,194,305 counts" in done.audit.failed


@pytest.mark.parametrize(
    ("counts", "weight", "words"),
    [
        ([5, -1, 7, 1, 2], None, "negative"),
        ([5, 2**27, 7, 1, 2], None, "larger than so many contributions"),
        ([5, 0, 7, 1, 2], 0, "no training row"),
        ([5, 0, 7, 1, 2], 1, "more or fewer rows"),
    ],
)
def test_a_sum_that_cannot_be_one_leaves_the_generator_and_no_evidence(
    recipe: Recipe, counts: list[int], weight: int | None, words: str
) -> None:
    recipe.add_model(CANDIDATE, SAMPLED)
    done = counted(recipe, [count % 2**32 for count in counts], weight)
    assert done.audit is not None
    assert done.audit.counts is None
    assert words in done.audit.failed
    assert recipe.history[-1]["accepted"] is False
    assert done.model


def test_answers_out_of_turn_are_refused(recipe: Recipe) -> None:
    with pytest.raises(OutOfOrder, match="the candidate"):
        recipe.add_sum(np.zeros(7, np.uint32), 3)
    recipe.add_model(CANDIDATE, SAMPLED)
    with pytest.raises(OutOfOrder, match="a sum"):
        recipe.add_model(CANDIDATE, SAMPLED)
    counted(recipe, [0] * 5)
    with pytest.raises(OutOfOrder):
        recipe.add_model(CANDIDATE, SAMPLED)


def test_under_a_budget_there_is_a_candidate_and_no_sum_of_it() -> None:
    bare = private_plan()
    document = bare.model_dump(mode="json", by_alias=True) | {"audit": {"policy": "standard"}}
    plan = Plan.from_values(document)
    parts = [small_table(300, seed=seed) for seed in range(3)]
    recipe, done = driven(plan, lambda asked: clear_sum(asked.task, plan, parts, 1, model=asked.model), 3)
    assert done.audit is not None
    assert read_candidate(done.audit.candidate, plan.schema_).rows == done.rows
    assert (done.audit.counts, done.audit.contributors, done.audit.failed) == (None, 0, "")
    assert "audit" not in [record["kind"] for record in recipe.history]
    assert (longest_run(plan), longest_vector(plan)) == (longest_run(bare), longest_vector(bare))
    assert plan_events(plan) == plan_events(bare)

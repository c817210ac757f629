"""What leaves an organisation under a budget: counts with fresh noise, and nothing else (privacy.md 6 to 8, 10, 14)."""

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.contribution.allowed import check_task
from headwater.contribution.contribute import contribute
from headwater.contribution.splits import split_rows
from headwater.encoding.marginals import count
from headwater.encoding.noisy import grid_encoding
from headwater.errors import InputError, PeerError
from headwater.privacy.shares import honest_members, share_of_noise
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.private_steps import private_budget, private_steps
from headwater.recipe.task import TaskNoise
from headwater.secagg.crypto.ring import to_signed
from support.private import Entropy, first_task, private_plan
from support.recipes import small_plan, small_table

PLAN = private_plan(1.0)
TASK = first_task(PLAN)
ROWS = small_table(300)
TRAIN = split_rows(ROWS, PLAN.splits, "train")
CELLS = TASK.length - layout_of_counts(0).length


def counted() -> NDArray[np.int64]:
    """What the task counts, without noise."""
    grid = grid_encoding(PLAN.schema_, PLAN.recipe.encoding)
    subsets = [tuple(subset) for subset in TASK.parameters["subsets"]]
    return np.concatenate(count(grid.encode(TRAIN), grid.sizes, subsets))


def vector(members: int = 5, seed: int | None = None, plan: object = PLAN) -> np.ndarray:
    chance = {} if seed is None else {"entropy": Entropy(seed)}
    return to_signed(contribute(TASK, b"", ROWS, plan, members=members, **chance))  # type: ignore[arg-type]


def test_every_cell_is_noised_and_noise_comes_from_the_operating_system_afresh() -> None:
    first, second = vector(), vector()
    exact = counted()
    noise = np.stack([first[:CELLS], second[:CELLS]]) - exact
    # With a deviation of tens of rows, hardly one cell in fifty is not moved.
    assert (noise != 0).mean() > 0.95
    assert (noise[0] != noise[1]).mean() > 0.95


def test_the_plans_seed_does_not_enter_the_noise() -> None:
    other = PLAN.model_copy(update={"seed": 7})
    assert np.array_equal(vector(seed=3), vector(seed=3, plan=other))


@pytest.mark.parametrize("members", [3, 5, 20])
def test_an_organisations_noise_is_its_share_of_what_the_honest_ones_carry(members: int) -> None:
    honest = honest_members(private_budget(PLAN), members, PLAN.colluders)
    expected = share_of_noise(private_steps(PLAN)[0].event.variance, honest)
    exact = counted()
    noise = np.concatenate([vector(members, seed)[:CELLS] - exact for seed in range(40)])
    # A variance of so many draws errs by √(2 / draws).
    assert noise.var() == pytest.approx(expected, rel=6 * np.sqrt(2 / len(noise)))
    assert abs(noise.mean()) < 6 * np.sqrt(expected / len(noise))


def test_how_many_rows_there_are_or_were_skipped_does_not_leave() -> None:
    summed = layout_of_counts(CELLS).split(contribute(TASK, b"", ROWS, PLAN, members=5))
    assert summed.weight == 0
    assert summed.metrics == {"skipped_rows": 0}


def test_no_row_at_all_still_gives_noise() -> None:
    empty = ROWS.take(np.zeros(ROWS.rows, bool))
    assert (to_signed(contribute(TASK, b"", empty, PLAN, members=5))[:CELLS] != 0).mean() > 0.95


def test_too_few_members_contribute_nothing() -> None:
    for members in (0, 1, 2):
        with pytest.raises(InputError, match="honest"):
            contribute(TASK, b"", ROWS, PLAN, members=members)


def test_a_task_with_less_noise_than_the_plan_is_refused() -> None:
    noise = TASK.noise
    assert isinstance(noise, TaskNoise)
    for other in (
        noise.model_copy(update={"variance": noise.variance - 1}),
        noise.model_copy(update={"variance": noise.variance * 2}),
        noise.model_copy(update={"tables": noise.tables - 1}),
        noise.model_copy(update={"tables": noise.tables + 1}),
        "none",
    ):
        with pytest.raises(PeerError):
            check_task(TASK.model_copy(update={"noise": other}), b"", PLAN)


def test_noise_is_refused_where_the_plan_has_no_budget() -> None:
    plan = small_plan("marginals")
    with pytest.raises(PeerError, match="no privacy budget"):
        check_task(first_task(plan).model_copy(update={"noise": TASK.noise}), b"", plan)


@pytest.mark.parametrize("kind", ["expectation", "update", "evaluate", "pixels"])
def test_no_other_question_is_answered_under_a_budget(kind: str) -> None:
    with pytest.raises(PeerError):
        check_task(TASK.model_copy(update={"kind": kind}), b"", PLAN)


def test_no_round_comes_after_those_that_the_budget_pays_for() -> None:
    rounds = len(private_steps(PLAN))
    late = {"step": rounds + 1, "kind": "marginals", "parameters": {"subsets": [[0, 1]]}}
    with pytest.raises(PeerError, match="round"):
        check_task(TASK.model_copy(update=late), b"", PLAN)


@pytest.mark.parametrize("subsets", [5, None, "all", {}])
def test_column_sets_that_are_no_list_are_refused_by_name(subsets: object) -> None:
    parameters = {**TASK.parameters, "subsets": subsets}
    with pytest.raises(PeerError, match="column sets"):
        check_task(TASK.model_copy(update={"parameters": parameters}), b"", PLAN)

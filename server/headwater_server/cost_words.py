"""What a plan costs in plain words, for whoever drafts, reads or approves it."""

import math
from collections.abc import Iterator

from headwater.agreement.cost import CriticCost, PlanCost, RoundCost
from headwater.agreement.plan import Plan
from headwater.privacy.words import (
    DEVIATIONS,
    NOT_PRIVATE,
    PUBLIC,
    WEAK,
    guarantee_in_words,
    repeats_in_words,
    rounded_up,
    uncovered_in_words,
    weakness_in_words,
)
from headwater.recipe.private_steps import StepName
from headwater.schema import Schema

__all__ = ["STEP_WORDS", "cost_in_words", "guesses_in_words", "no_budget_in_words", "step_in_words"]

STEP_WORDS: dict[StepName, str] = {
    "columns": "every column on its public grid, with the label where that has few classes",
    "label": "every feature with the label, in the codes that follow",
    "pairs": "every two features, with the label where there is one, in coarse bins",
    "critic": "a critic's clipped gradients over a sample of the rows",
}
"""What each private round sums."""

_SHOWN_COLUMNS = 5
_COUNT = 100


def step_in_words(step: object) -> str:
    """What a private round counts, by its name in a run's history; the name itself where it is a newer one."""
    return {str(name): words for name, words in STEP_WORDS.items()}.get(str(step), str(step))


def cost_in_words(cost: PlanCost, repeats: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Everything that a number alone would not tell, as (subject, sentences).

    Args:
        cost: of the plan.
        repeats: aborted sums that may be tried again.
    """
    weak = weakness_in_words(cost.budget.epsilon)
    return (
        *(((WEAK, (weak,)),) if weak else ()),
        ("in all", (_total(cost),)),
        ("a person at several organisations", (_everywhere(cost),)),
        ("what the noise means", tuple(_error(cost))),
        *((("WARNING: mostly noise", (_warning(cost),)),) if _drowned(cost) else ()),
        *((("the critic", tuple(_critic(cost.critic))),) if cost.critic else ()),
        (
            "one more run",
            (
                f"this plan once more on the same rows: {guarantee_in_words(cost.epsilon_twice, cost.budget)}, for "
                "both runs together. Runs that failed count like others",
            ),
        ),
        ("an aborted sum", (_aborted(cost, repeats),)),
        (
            "public, outside ε",
            (
                f"{PUBLIC}, {cost.budget.most_rows:,}",
                "most_rows is somebody's decision, made without looking at rows: a run that counts more ends, and what "
                "it counted is spent",
            ),
        ),
        (
            "ε does not cover",
            uncovered_in_words(cost.budget, disjoint_people=cost.disjoint_people, colluders=cost.colluders),
        ),
    )


def guesses_in_words(schema: Schema) -> str:
    """Which guesses of a schema nobody has confirmed, and what to do; "" where there is none."""
    if not (guesses := schema.unconfirmed):
        return ""
    columns = sorted({column for column, _ in guesses})
    shown = ", ".join(columns[:_SHOWN_COLUMNS])
    if len(columns) > _SHOWN_COLUMNS:
        shown += f" and {len(columns) - _SHOWN_COLUMNS} more"
    counted = "1 guess of the schema is" if len(guesses) == 1 else f"{len(guesses)} guesses of the schema are"
    return (
        f"{counted} not confirmed (columns {shown}); check each in the plan's schema, then delete its entry in the "
        "column's `unconfirmed`"
    )


def no_budget_in_words(plan: Plan) -> tuple[str, ...]:
    """Why a plan without a budget protects nobody in the sense of differential privacy."""
    return (
        f"{NOT_PRIVATE}: the plan has no privacy budget, so its sums are exact and no number bounds what results tell "
        "of one person",
        f"secure aggregation hides each organisation among {plan.aggregation.minimum_cohort} or more; it hides no "
        "person: who knows all rows but one may read that one off a sum, and a generator may repeat a rare row",
        "every further run or release tells more; nobody can say how much",
        "plan draft --epsilon 1 writes a plan in which every sum carries noise; simulate --epsilon 1 shows what that "
        "costs in quality",
    )


def _total(cost: PlanCost) -> str:
    said = f"{guarantee_in_words(cost.epsilon, cost.budget)}; the plan's budget is ε = {cost.budget.epsilon:g}"
    return f"{said}. Fitting and sampling cost nothing more: they see noisy sums alone"


def _everywhere(cost: PlanCost) -> str:
    if cost.disjoint_people:
        return (
            "the charter declares that nobody's records are at more than one organisation, so ε of each person is the "
            "one above and not a sum"
        )
    each = "a record" if cost.budget.records == 1 else f"{cost.budget.records} records"
    return (
        f"no charter declares that nobody's records are at two organisations, so they add up: somebody with {each} at "
        f"each of {cost.organisations} has ε = {rounded_up(cost.epsilon_everywhere):g}"
    )


def _error(cost: PlanCost) -> Iterator[str]:
    for number, each in enumerate(cost.rounds, start=1):
        yield f"round {number}: a count of {_COUNT} rows is off by up to {_off(each):,.0f} in 19 of 20 cases"
    yield (
        "a count of 10 rows is off by as much as one of 10,000: small groups drown in the noise, large ones hardly "
        "notice it"
    )
    number, last = len(cost.rounds), cost.rounds[-1]
    yield (
        f"groups of fewer than {_off(last):,.0f} rows are lost in round {number}. Its tables have "
        f"{_cells(last):,.0f} cells on average: with fewer than {_telling_rows(last):,} training rows in all, the "
        "average cell holds less than its noise"
    )


def _warning(cost: PlanCost) -> str:
    return (
        f"the plan allows at most {cost.budget.most_rows:,} training rows, fewer than round {len(cost.rounds)} needs "
        "for its average cell to hold as much as its noise: expect rows that show single columns and little of how "
        "they hang together. More rows, a larger ε, fewer columns or categories, or fewer bins (recipe.private) help"
    )


def _off(each: RoundCost) -> float:
    """Rows by which a count of a round is off at most in 19 of 20 cases, where all organisations take part."""
    return DEVIATIONS * each.deviation_sum


def _cells(each: RoundCost) -> float:
    return each.cells / each.tables


def _telling_rows(each: RoundCost) -> int:
    """Training rows of which the average cell of a round holds as many as its noise."""
    return math.ceil(_off(each) * _cells(each))


def _drowned(cost: PlanCost) -> bool:
    """Whether the plan's public bound says already that the last round counts little but noise."""
    return cost.budget.most_rows < _telling_rows(cost.rounds[-1])


def _critic(critic: CriticCost) -> Iterator[str]:
    yield (
        f"{critic.sums:,} sums of clipped gradients follow the counts, and ε is {rounded_up(critic.epsilon):g} when "
        f"they are over. Each is over a secret sample, with every row in it by a chance of {critic.share:.3g}, and "
        f"each value has noise of {critic.deviation:,.2f} times what one row may move the whole sum by"
    )
    yield (
        "the sums train a critic, which weighs draws of the fitted generator. Whether it is used is told from these "
        "sums and the counts alone, and costs nothing; the sums are asked for and paid for either way"
    )


def _aborted(cost: PlanCost, repeats: int) -> str:
    said = "what was uploaded counts as released, so a sum that is tried again is paid twice"
    held = f", with {cost.reserve_share:.0%} of the budget held back" if cost.reserve_share else ""
    return (
        f"{said}. Repeats: {repeats_in_words(repeats)}{held}. It would take ε to {rounded_up(cost.epsilon_aborted):g}, "
        "which organisations refuse. privacy.retries in the plan pays for more in advance, by more noise"
    )

"""What a plan costs the people behind the rows, round by round, before anything runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from headwater.agreement.overlap import event_for_person
from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.events import Event, NoisyGradients
from headwater.privacy.shares import carried_variance, honest_members, share_of_noise
from headwater.recipe.private_steps import StepName, critic_event, most_cells, private_steps, reserve_events

__all__ = ["CriticCost", "PlanCost", "RoundCost", "plan_cost"]


@dataclass(frozen=True, slots=True)
class RoundCost:
    """One round of noisy counts. Deviations are in rows.

    Attributes:
        step: what is counted, as `private_steps` names it.
        tables: how many; one record adds 1 to a cell of each.
        cells: of all tables, at most.
        deviation: standard deviation of the noise in each cell of the sum that is certain: ε counts on no more.
        deviation_each: of the noise that each organisation adds.
        deviation_sum: of the noise in a sum in which all organisations take part.
        rho: of zero-concentrated differential privacy.
        share: of the ρ of everything that the budget pays for.
        epsilon: spent when this round is over, with those before it.
    """

    step: StepName
    tables: int
    cells: int
    deviation: float
    deviation_each: float
    deviation_sum: float
    rho: float
    share: float
    epsilon: float


@dataclass(frozen=True, slots=True)
class CriticCost:
    """All noisy sums of a critic's gradients together. Deviations are in clip norms.

    Attributes:
        sums: how many.
        share: chance of each record to be in a sum.
        deviation: standard deviation of the noise on each value of a sum that is certain: ε counts on no more.
        deviation_sum: of the noise in a sum in which all organisations take part.
        epsilon: spent when they are over, with all counts.
    """

    sums: int
    share: float
    deviation: float
    deviation_sum: float
    epsilon: float


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What a run of a plan costs, and what more would.

    Attributes:
        budget: of the plan.
        organisations: for which the noise of each is told.
        colluders: members among them whose noise is not counted on, by the plan.
        rounds: of counts, in order.
        critic: what follows them, where the recipe trains a critic.
        reserve_share: of the ρ of counts, held back for aborted sums that are tried again.
        rho: of counts and reserve.
        epsilon: of everything, by privacy loss distributions: never above the budget's.
        epsilon_aborted: of one run in which one sum more is aborted and tried again than the budget pays for, the
            dearest one.
        epsilon_twice: of two runs of this plan on the same rows.
        disjoint_people: the charter declares that nobody's records are at more than one organisation; its ε is then
            the largest of the organisations', else it is their sum.
        epsilon_everywhere: of a person with as many records as the budget protects at every organisation where one may
            be: at one, or at each of them.
    """

    budget: Budget
    organisations: int
    colluders: int
    rounds: tuple[RoundCost, ...]
    critic: CriticCost | None
    reserve_share: float
    rho: float
    epsilon: float
    epsilon_aborted: float
    epsilon_twice: float
    disjoint_people: bool
    epsilon_everywhere: float

    def to_document(self) -> dict[str, object]:
        """JSON values, for programs."""
        return asdict(self) | {"budget": self.budget.model_dump(mode="json")}


def plan_cost(plan: Plan, organisations: int, *, disjoint_people: bool = False) -> PlanCost:
    """Account for a run of a plan that has a budget, by the accountant that reports what was spent.

    Args:
        plan: with a budget.
        organisations: that share the noise.
        disjoint_people: as the charter declares.

    Raises:
        InputError: the plan has no budget, or so few organisations cannot share the noise.
    """
    budget = plan.privacy
    if budget == "none":
        raise InputError("the plan has no privacy budget, so no number says what it costs; give it one")
    steps, reserve = private_steps(plan), reserve_events(plan)
    events = [step.event for step in steps]
    honest = honest_members(budget, organisations, plan.colluders)
    rho = sum(event.zcdp for event in (*events, *reserve))
    rounds = tuple(
        RoundCost(
            step=step.name,
            tables=step.event.tables,
            cells=most_cells(plan, step.name),
            deviation=step.event.variance**0.5,
            deviation_each=share_of_noise(step.event.variance, honest) ** 0.5,
            deviation_sum=carried_variance(step.event.variance, honest, organisations) ** 0.5,
            rho=step.event.zcdp,
            share=step.event.zcdp / rho,
            epsilon=spent(events[: number + 1], budget.delta).epsilon,
        )
        for number, step in enumerate(steps)
    )
    dearest = max(events, key=lambda event: event.zcdp)
    gradients = critic_event(plan)
    everything: list[Event] = [*events, *reserve, *([] if gradients is None else [gradients])]
    everywhere = [event_for_person(event, 1 if disjoint_people else organisations) for event in everything]
    return PlanCost(
        budget=budget,
        organisations=organisations,
        colluders=plan.colluders,
        rounds=rounds,
        critic=None if gradients is None else _critic(gradients, events, budget, honest, organisations),
        reserve_share=sum(event.zcdp for event in reserve) / rho,
        rho=rho,
        epsilon=spent(everything, budget.delta).epsilon if len(everything) > len(events) else rounds[-1].epsilon,
        epsilon_aborted=spent([*everything, dearest], budget.delta).epsilon,
        epsilon_twice=spent([*everything, *everything], budget.delta).epsilon,
        disjoint_people=disjoint_people,
        epsilon_everywhere=spent(everywhere, budget.delta).epsilon,
    )


def _critic(
    gradients: NoisyGradients, counts: Sequence[Event], budget: Budget, honest: int, organisations: int
) -> CriticCost:
    return CriticCost(
        sums=gradients.steps,
        share=gradients.share,
        deviation=gradients.variance**0.5 / gradients.sensitivity,
        deviation_sum=carried_variance(gradients.variance, honest, organisations) ** 0.5 / gradients.sensitivity,
        epsilon=spent([*counts, gradients], budget.delta).epsilon,
    )

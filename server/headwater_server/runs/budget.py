"""What a run's rounds have cost of its plan's budget, and whether the budget pays for what is still to come."""

from collections.abc import Sequence
from importlib.metadata import version

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import Plan
from headwater.errors import BudgetExceeded
from headwater.privacy.accountant import beyond, spent
from headwater.privacy.words import rounded_up
from headwater.recipe.private_steps import private_rounds
from headwater.recipe.task import Task
from headwater.release.privacy_claim import ChargedRound, Privacy, PrivacyClaim
from headwater_server.runs.replay import RunJournal

__all__ = ["RunBudget"]


class RunBudget:
    """Holds a run to its plan's budget; a run without one passes everything.

    Every round that was begun counts, whatever came of it: an abort cannot prove that nobody had uploaded, and what was
    uploaded counts as released (protocol 4.10 i). Organisations refuse by their own ledgers as well.
    """

    def __init__(self, plan: Plan, journal: RunJournal) -> None:
        """Account for the rounds of a journal under a plan."""
        self._plan = plan
        self._journal = journal

    def admit(self, task: Task) -> None:
        """Record what a round costs, before anything of it is asked.

        Args:
            task: the next round's, or the same again.

        Raises:
            BudgetExceeded: with it and the rounds after it the run would cost more than its budget.
        """
        budget = self._plan.privacy
        if isinstance(budget, str):
            return
        steps, begun = private_rounds(self._plan), self.rounds
        done = task.step - 1
        # As the plan has it: calibration asked the accountant.
        if len(begun) > done or not all(charged.completed for charged in begun):
            events = [*(charged.event for charged in begun), *(step.event for step in steps[done:])]
            if (whole := beyond(events, budget.epsilon, budget.delta)) is not None:
                tried = "1 round was begun" if len(begun) == 1 else f"{len(begun)} rounds were begun"
                raise BudgetExceeded(
                    f"{tried} for {done} {'sum' if done == 1 else 'sums'}, and what was begun counts as released: with "
                    f"the rounds to come ε would be {rounded_up(whole):g}, the budget is {budget.epsilon:g}, so "
                    "nothing more is asked; propose a run whose budget has retries"
                )
        self._journal.add_charge(task.to_bytes(), steps[done].name, charge_of(self._plan, task))

    @property
    def rounds(self) -> Sequence[ChargedRound]:
        """Every round that was begun, in order; empty without a budget."""
        return () if self._plan.privacy == "none" else self._journal.charged_rounds()

    def claim(self, *, disjoint_people: bool = False) -> Privacy:
        """What the run may claim once it is over.

        Args:
            disjoint_people: the charter declares that nobody's records are at more than one member.

        Raises:
            BudgetExceeded: its rounds cost more than the budget.
        """
        budget = self._plan.privacy
        if isinstance(budget, str):
            return budget
        try:
            return PrivacyClaim.of(
                budget,
                self.rounds,
                accountant=f"privacy loss distributions, dp-accounting {version('dp-accounting')}",
                schema_confirmed=not self._plan.schema_.unconfirmed,
                disjoint_people=disjoint_people,
            )
        except ValueError as error:
            raise BudgetExceeded(
                f"the run's rounds allow no claim under its budget ({error}); nothing is released"
            ) from error

    @property
    def spent_in_words(self) -> str:
        """What a run has spent so far; "" where no number bounds it, or where that is nothing."""
        budget = self._plan.privacy
        if isinstance(budget, str) or not (begun := self.rounds):
            return ""
        found = spent([charged.event for charged in begun], budget.delta).epsilon
        return f"of the budget of ε = {budget.epsilon:g}, {rounded_up(found):g} is spent"

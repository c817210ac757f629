"""What a release claims of differential privacy: ε, and the events that anybody can replay it from."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, PlainSerializer, PlainValidator, StringConstraints, Tag, model_validator

from headwater.agreement.documents import Document
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.budget import LARGEST_EPSILON, Budget, PrivacyMode, Unit
from headwater.privacy.calibration import rho_of_budget
from headwater.privacy.events import Event, NoisyCounts, NoisyGradients, event_of
from headwater.privacy.words import rounded_up

__all__ = ["PUBLIC", "ChargedRound", "Privacy", "PrivacyClaim", "PublicFact"]

PublicFact = Literal["bounds and categories", "plan", "organisations", "most rows"]

PUBLIC: tuple[PublicFact, ...] = ("bounds and categories", "plan", "organisations", "most rows")
"""What the accounting takes as known to everybody, in every release of this version."""

# The curve of a Gaussian is that of a discrete one within 1 % above σ = 3 and within 16 % at σ = 1, measured against
# the loss distributions; beyond it no accountant finds so small an ε.
_SLACK = 1.2


def _read(value: object) -> Event:
    if isinstance(value, NoisyCounts | NoisyGradients):
        return value
    if not isinstance(value, dict):
        raise ValueError("an event is an object with kind, records, variance and what its kind has beside them")
    try:
        return event_of(value)
    except InputError as error:
        raise ValueError(str(error)) from error


def _written(event: Event) -> dict[str, object]:
    return event.to_document()


_Event = Annotated[Event, PlainValidator(_read), PlainSerializer(_written)]


class ChargedRound(Document):
    """A round that was begun, whatever came of it: what was uploaded counts as released (protocol 4.10).

    Attributes:
        round: t, counted over the whole run.
        step: what was summed, in the recipe's word.
        completed: it ended in a sum, which its signed receipt shows; else in an abort.
        event: what it cost.
    """

    round: int = Field(ge=1, le=2**53 - 1)
    step: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")]
    completed: bool
    event: _Event


class PrivacyClaim(Document):
    """(ε, δ) of everything that a run released, with what it means nothing without.

    Attributes:
        epsilon: that was spent, rounded up to four significant digits.
        delta: at which it holds.
        unit: whom it protects.
        records: most records of one unit.
        mode: whose noise suffices for it.
        neighbours: the relation: two tables are neighbours if one is the other with one unit more.
        budget_epsilon: that the plan allowed.
        accountant: by which ε was computed, with its version.
        events: every round that was begun, in order.
        public: what the accounting takes as known to everybody.
        most_rows: the public bound on all organisations' training rows together.
        schema_confirmed: people agreed on bounds and categories; else they were read from rows, outside ε.
        disjoint_people: the charter declares that nobody's records are at more than one member.
    """

    epsilon: float = Field(gt=0, le=LARGEST_EPSILON)
    delta: float
    unit: Unit
    records: int
    mode: PrivacyMode
    neighbours: Literal["add or remove one"]
    budget_epsilon: float
    accountant: str = Field(min_length=1, max_length=200, pattern=r"^[ -~]+$")
    events: tuple[ChargedRound, ...] = Field(min_length=1, max_length=1000)
    public: tuple[PublicFact, ...]
    most_rows: int
    schema_confirmed: bool
    disjoint_people: bool

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        # Ranges of δ, unit and records are the budget's.
        self._budget()
        # Rounding up may carry ε over a budget with more digits, which is then what it was rounded up to as well.
        if self.epsilon > rounded_up(self.budget_epsilon):
            raise ValueError(f"ε = {self.epsilon:g} was spent where the plan allowed {self.budget_epsilon:g}")
        if self.public != PUBLIC:
            raise ValueError(f"public is {', '.join(self.public) or 'nothing'}, expected {', '.join(PUBLIC)}")
        numbers = [charged.round for charged in self.events]
        if numbers != sorted(set(numbers)):
            raise ValueError("events must be in the order of their rounds, each once")
        if not any(charged.completed for charged in self.events):
            raise ValueError("no round came to a sum, so there is nothing that could have been released")
        if {charged.event.records for charged in self.events} != {self.records}:
            raise ValueError(f"an event is not for units of {self.records} records, as the claim is")
        return self._possible()

    def _budget(self, retries: int = 0) -> Budget:
        return Budget(
            epsilon=self.budget_epsilon,
            delta=self.delta,
            unit=self.unit,
            records=self.records,
            most_rows=self.most_rows,
            mode=self.mode,
            retries=retries,
        )

    def _possible(self) -> Self:
        # By arithmetic alone, wherever a manifest is read; `headwater.release.replay` asks the accountant.
        rho = sum(event.least_rho for event in self.noisy_sums)
        most = rho_of_budget(self.epsilon, self.delta)
        if rho > most * _SLACK:
            raise ValueError(
                f"ε = {self.epsilon:g} is less than the events can have cost: their ρ is {rho:.4g} at least, at this ε "
                f"and δ it is at most {most:.4g}"
            )
        return self

    @property
    def noisy_sums(self) -> tuple[Event, ...]:
        """The events as an accountant takes them."""
        return tuple(charged.event for charged in self.events)

    @property
    def deviations(self) -> dict[str, float]:
        """By step of counts that came to a sum: standard deviation of the noise that each count has for certain."""
        return {
            charged.step: charged.event.variance**0.5
            for charged in self.events
            if charged.completed and isinstance(charged.event, NoisyCounts)
        }

    @property
    def gradients(self) -> int:
        """Rounds among them that summed clipped gradients."""
        return sum(isinstance(charged.event, NoisyGradients) for charged in self.events)

    @property
    def aborted(self) -> int:
        """Rounds that came to no sum and cost all the same."""
        return sum(not charged.completed for charged in self.events)

    def is_of(self, budget: Budget) -> bool:
        """Whether this is the claim of a run under this budget."""
        return self._budget(budget.retries) == budget

    @classmethod
    def of(
        cls,
        budget: Budget,
        events: Iterable[ChargedRound],
        *,
        accountant: str,
        schema_confirmed: bool,
        disjoint_people: bool = False,
    ) -> "PrivacyClaim":
        """The claim that a run's rounds allow.

        Args:
            budget: of its plan.
            events: every round that was begun, in order.
            accountant: name and version, for who reads it.
            schema_confirmed: as above.
            disjoint_people: as above.

        Raises:
            ValueError: the rounds cost more than the budget allows, or there is none.
        """
        listed = tuple(events)
        return cls(
            epsilon=rounded_up(spent([charged.event for charged in listed], budget.delta).epsilon),
            delta=budget.delta,
            unit=budget.unit,
            records=budget.records,
            mode=budget.mode,
            neighbours="add or remove one",
            budget_epsilon=budget.epsilon,
            accountant=accountant,
            events=listed,
            public=PUBLIC,
            most_rows=budget.most_rows,
            schema_confirmed=schema_confirmed,
            disjoint_people=disjoint_people,
        )


def _kind(value: object) -> str:
    return "none" if isinstance(value, str) else "claim"


# With a discriminator, the line on a claim that does not hold says what is wrong in it, and not that it is no word.
Privacy = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[PrivacyClaim, Tag("claim")], Discriminator(_kind)
]
"""What a run or a release says of differential privacy: the word, or what it claims."""

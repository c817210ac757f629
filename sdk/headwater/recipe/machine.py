"""The recipe: one stage after the other, from the first counts to the generator."""

from collections.abc import Mapping, Sequence

from headwater.encoding.marginals import Marginal
from headwater.errors import InputError, OutOfOrder
from headwater.images.wrapping import wrap
from headwater.recipe.actions import Action, Aggregate, Done, ModelReport
from headwater.recipe.auditing import Auditing
from headwater.recipe.climbing import Climbing
from headwater.recipe.convolving import Convolving, class_shares
from headwater.recipe.counting import Counted, Counting
from headwater.recipe.fitting import Calibrating, Fitting
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.picturing import Picturing
from headwater.recipe.private_counting import PrivateCounting
from headwater.recipe.private_fitting import PrivateFitting
from headwater.recipe.private_steps import critic_event
from headwater.recipe.private_training import PrivateTraining
from headwater.recipe.refining import Base, Judging, Refining
from headwater.recipe.settings import EVALUATIONS, RecipeTerms
from headwater.recipe.stage import Record, Stage, out_of_place
from headwater.recipe.training import Checkpoint, Training
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Recipe", "build_recipe"]

_UNTRAINED = "no training round was taken"
_CUT_SHORT = "training ended early, and of such a training no round is kept"
_TILTED = "a tilted mixture is released as it is: its draws are weighed already"


class Recipe:
    """Says what to do next and takes what came of it. Pure: sums and models in, tasks and requests out.

    Use `build_recipe`. Drive it as::

        while not isinstance(action := recipe.next(), Done):
            ...  # Aggregate: recipe.add_sum(vector, contributors); others: recipe.add_model(model, report)
    """

    def __init__(self, terms: RecipeTerms) -> None:
        """Start before the first round."""
        self._terms = terms
        self._plan_terms = terms
        self._networks = convolution_spec(terms)
        self._private = None if terms.privacy == "none" else PrivateCounting(terms)
        self._picturing = Picturing(terms) if terms.schema_.images else None
        self._counting = None if self._picturing or self._private else Counting(terms)
        self._stage: Stage | None = self._private or self._picturing or self._counting
        self._base: Base | None = None
        self._auditing: Auditing | None = None
        self._model = b""
        self._action: Action | None = None
        self._history: list[Record] = []
        self._rounds = 0

    @property
    def history(self) -> tuple[Mapping[str, object], ...]:
        """One JSON record for each step done, in order."""
        return tuple(self._history)

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Exact counts so far, 1-ways first, so for members and operator only; none under a privacy budget."""
        return self._counting.marginals if self._counting else ()

    def next(self) -> Action:
        """What to do now; the same object until it is answered."""
        if self._action is None:
            action = self._done() if self._stage is None else self._stage.ask(self._rounds + 1)
            if isinstance(action, Aggregate):
                action = self._told(action)
            self._action = action
        return self._action

    def _told(self, action: Aggregate) -> Aggregate:
        """A question over scores with what makes scores of pictures; any other question as it is."""
        if self._picturing is None or not self._picturing.over or isinstance(self._stage, Convolving):
            return action
        return self._picturing.told(action)

    def add_sum(self, vector: RingVector, contributors: int, members: int | None = None) -> None:
        """Answer `Aggregate` with the ring sum.

        Args:
            vector: uint32 or uint64 by the plan's ring, shape (task.length,).
            contributors: organisations in the sum.
            members: of the session that it was made in, dropped ones included, by whose number organisations size
                their noise; None where nobody dropped out.

        Raises:
            OutOfOrder: no sum was asked for.
            InputError: the sum is not of the task's form, or cannot be a sum of contributions. Nothing changed.
        """
        action = self.next()
        if not isinstance(action, Aggregate) or self._stage is None:
            raise out_of_place("a sum", action)
        if contributors < 1:
            raise InputError(f"a sum of {contributors} contributions is none; give the number of organisations in it")
        if isinstance(self._stage, PrivateCounting | PrivateTraining):
            first, *rest = self._stage.add_sum(action.task, vector, contributors, members)
        else:
            first, *rest = self._stage.add_sum(action.task, vector, contributors)
        summed: Record = {"step": action.task.step, "kind": action.task.kind, "contributors": contributors}
        self._rounds += 1
        self._go_on(self._stage, [summed | first, *rest])

    def add_model(self, model: bytes, report: ModelReport) -> None:
        """Answer any other action with the model's bytes and what was measured on it.

        A merged model that is not finite, or worsens the marginal loss by more than the plan allows, is not taken:
        the last one stays, and `history` says so.

        Raises:
            OutOfOrder: no model was asked for.
            InputError: the first model is not finite. Nothing changed.
        """
        action = self.next()
        if isinstance(action, Aggregate | Done) or self._stage is None:
            raise out_of_place("a model", action)
        self._go_on(self._stage, self._stage.add_model(model, report))

    def _go_on(self, stage: Stage, records: list[Record]) -> None:
        self._history += records
        self._action = None
        if stage.over:
            self._stage = None if stage is self._auditing else self._after(stage) or self._audit()

    def _audit(self) -> Stage | None:
        """The stage that attacks what the run made, where the plan has an audit; the last of all."""
        if self._plan_terms.audit != "none":
            self._auditing = Auditing(self._plan_terms, self._done())
        return self._auditing

    def _after(self, stage: Stage) -> Stage | None:
        """The stage that follows one that is over; None after the last, whose model is then the run's."""
        if isinstance(stage, Picturing):
            self._terms = stage.terms
            self._counting = Counting(self._terms, tables=self._networks is None)
            return self._counting
        if isinstance(stage, PrivateCounting):
            return PrivateFitting(self._terms, stage.counted)
        if isinstance(stage, PrivateFitting) and self._private and (event := critic_event(self._terms)) is not None:
            return PrivateTraining(self._terms, self._private.counted, stage.model, event)
        if isinstance(stage, PrivateFitting | PrivateTraining):
            self._model = stage.model
            return None
        terms, counted = self._terms, self._counted
        match stage:
            case Counting() if self._networks is not None:
                return Convolving(self._plan_terms, self._networks, counted, class_shares(terms, counted))
            case Convolving():
                self._model = stage.standing
            case Counting() if terms.recipe.climbs:
                return Climbing(terms, counted.encoding, counted.rows, counted.groups, counted.marginals)
            case Counting():
                return Fitting(terms, counted)
            case Climbing() if terms.recipe.refines and stage.standing.tilt is None:
                self._base = Base(stage.standing.to_bytes(), *stage.seen)
                return Refining(terms, stage.standing)
            case Climbing():
                if terms.recipe.refines:
                    self._history.append({"kind": "judge", "accepted": False, "reason": _TILTED})
                self._model = stage.standing.to_bytes()
            case Refining():
                return Training(terms, counted, stage.model, stage.report)
            case Fitting() if terms.recipe.training_rounds:
                return Training(terms, counted, stage.model, stage.report)
            case Fitting():
                self._model = stage.model
            case Training() if terms.recipe.kind == "adversarial" and terms.recipe.adversarial.calibration:
                return Calibrating(terms, counted, stage.standing, stage.marginal_loss)
            case Training() if self._base is not None:
                if stage.taken:
                    return Judging(terms, counted, _checkpoints(stage.taken), self._base)
                # A critic of no round knows nothing: its opinion of rows, however it turns out, is chance.
                ended = any(record["kind"] == "ended" for record in self._history)
                reason = _CUT_SHORT if ended else _UNTRAINED
                self._history.append({"kind": "judge", "accepted": False, "reason": reason})
                self._model = self._base.model
            case Training() | Judging():
                self._model = stage.standing
            case Calibrating():
                self._model = stage.model
        return None

    def _done(self) -> Done:
        model, audited = self._model, self._auditing.audited if self._auditing else None
        if self._private is not None:
            return Done(model, self._private.counted.encoding, self._private.counted.rows, audited)
        if self._picturing is not None and self._networks is None:
            model = wrap(self._picturing.lifting, model)
        return Done(model, self._counted.encoding, self._counted.rows, audited)

    @property
    def _counted(self) -> Counted:
        if self._counting is None:
            raise OutOfOrder("the counts are asked for before the pixels that they count scores of are summed")
        return self._counting.counted


def _checkpoints(taken: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The last model, and those half as many rounds earlier each: what learned less remembers less."""
    rounds = [len(taken) >> halvings for halvings in range(EVALUATIONS)]
    return [taken[number - 1] for number in rounds if number]


def build_recipe(plan: RecipeTerms) -> Recipe:
    """The recipe of a plan, before its first round.

    Raises:
        InputError: the plan's table is too wide for its budgets.
    """
    return Recipe(plan)

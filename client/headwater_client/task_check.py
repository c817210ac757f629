"""Whether a session's Tasks are what the approved plan asks for: the organisation's own reading, before any row."""

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import Plan
from headwater.contribution.allowed import check_task
from headwater.errors import PeerError
from headwater.recipe.lifted import widest_terms
from headwater.recipe.task import Task, seed_for

__all__ = ["TaskGate"]


class TaskGate:
    """Lets the Tasks of one session through, in order, as far as the plan allows them.

    Guarantee: a Task that is let through is of a kind, step, length, column set, seed, clip and scale that the plan
        names, is charged as the plan says, goes with the model whose digest it states, and comes in order: a step
        never goes back, and a step that is repeated asks for the very same.
    """

    def __init__(self, plan: Plan) -> None:
        """Begin a session of the plan that this organisation approved."""
        self._plan = plan
        self._last: Task | None = None

    def admit(self, task_bytes: bytes, model: bytes, length: int, charge: bytes) -> Task:
        """Read a Task and check it against the plan (protocol 4.2: a Task that the plan does not allow is refused).

        Args:
            task_bytes: exactly as received; they are what the masks are bound to.
            model: the model's bytes, empty if none came.
            length: values that the session asks for.
            charge: what the coordinator says that the round costs.

        Raises:
            PeerError: the Task is malformed or not allowed; nothing changed.
        """
        task = Task.from_bytes(task_bytes)
        check_task(task, model, self._plan)
        problems = (
            self._form_problem(task, length),
            self._charge_problem(task, charge),
            self._column_problem(task),
            self._order_problem(task),
        )
        for problem in problems:
            if problem is not None:
                raise PeerError(f"the coordinator's task of step {task.step} is refused: {problem}")
        self._last = task
        return task

    def _form_problem(self, task: Task, length: int) -> str | None:
        if task.length != length:
            return f"it asks for {task.length} values and the session for {length}"
        # A seed of the coordinator's choice could pick the rows of a batch; this one follows from the plan.
        if task.seed != seed_for(self._plan.seed, task.kind, task.step):
            return "its seed does not follow from the plan's"
        return None

    def _charge_problem(self, task: Task, charge: bytes) -> str | None:
        # protocol 4.7: the receipt carries these bytes, so they are what this organisation's ledger would be charged.
        if not charge:
            return "it names no charge, which plan and task have"
        return None if charge == charge_of(self._plan, task) else "its charge is not what plan and task come to"

    def _column_problem(self, task: Task) -> str | None:
        # Pictures are scores after their first round: each image stands for as many columns as the plan allows.
        columns = range(len(widest_terms(self._plan).schema_.columns))
        subsets = task.parameters.get("subsets", [])
        if not isinstance(subsets, list) or not all(isinstance(subset, list) for subset in subsets):
            return "its column sets are not lists"
        if not all(type(column) is int and column in columns for subset in subsets for column in subset):
            return "it names columns that the plan's schema does not have"
        return None

    def _order_problem(self, task: Task) -> str | None:
        last = self._last
        if last is not None and last.kind == "audit" and task != last:
            # Attacks on candidates of a coordinator's choice, one after the other, would be questions about rows.
            return "the audit was asked, which is the last of a run"
        if last is None or task.step > last.step:
            return None
        if task.step < last.step:
            return f"step {last.step} was asked before"
        # Without noise, a second question on the same step could be subtracted from the first.
        return None if task == last else "the same step was asked for something else before"

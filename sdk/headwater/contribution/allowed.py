"""Whether a task is one that the approved plan can ask for (protocol 4.2)."""

from headwater.canonical import sha256_hex
from headwater.errors import InputError, PeerError
from headwater.recipe.fixed_point import scale_for
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.private_steps import private_steps
from headwater.recipe.remedies import Remedies
from headwater.recipe.settings import RecipeTerms, UpdateSettings
from headwater.recipe.task import Task, TaskNoise
from headwater.recipe.vectors import longest_run, longest_vector

__all__ = ["check_task", "update_settings"]

# Tables, then what proposed super-columns still miss.
_ROUNDS_OF_TABLES = 2


def check_task(task: Task, model: bytes, plan: RecipeTerms) -> None:
    """Refuse a task that departs from the plan, before any row is read for it.

    Raises:
        PeerError: the kind, its round, the number of rounds, the length, the clip, the fixed point or the model is not
            the plan's.
    """
    settings = plan.recipe
    if task.kind == "update" and not settings.training_rounds and convolution_spec(plan) is None:
        raise PeerError(f"the task asks for training, the plan's recipe {settings.kind} has none")
    if task.kind == "expectation" and not settings.climbs:
        raise PeerError(f"the task asks for a mixture's statistics, the plan's recipe {settings.kind} has none")
    if task.kind == "evaluate" and not settings.refines:
        raise PeerError(f"the task asks what a critic says of rows, the plan's recipe {settings.kind} has none")
    if task.kind == "pixels" and (not plan.schema_.images or task.step != 1):
        raise PeerError("the task asks for sums of pixels; only the first round of a plan with images does")
    if plan.privacy == "none":
        _check_exact_counts(task, plan)
    else:
        _check_noisy_counts(task, plan)
    if task.step > (rounds := longest_run(plan)):
        raise PeerError(f"the task is of round {task.step}, the plan's recipe has {rounds}")
    if task.length > longest_vector(plan):
        raise PeerError(f"the task asks for {task.length} values, more than the plan's budgets allow")
    if task.value_bits != settings.value_bits:
        raise PeerError(f"the task has {task.value_bits} value bits, the plan {settings.value_bits}")
    clip = update_settings(task, plan).clip if task.kind == "update" else None
    scale = 1.0 if clip is None else scale_for(clip, settings.value_bits)
    if task.clip != clip or task.scale != scale:
        raise PeerError("the task's clip norm or fixed-point scale is not the plan's")
    if (sha256_hex(model) if model else "") != task.model_digest or bool(model) != (
        task.kind in ("update", "expectation", "evaluate")
    ):
        raise PeerError("the model that came with the task is not the one it names")


def _check_exact_counts(task: Task, plan: RecipeTerms) -> None:
    """Refuse counts in another round than the plan's, without a budget."""
    if task.noise != "none":
        raise PeerError("the task asks for noise, the plan has no privacy budget")
    # Counted once: counts under another encoding of the coordinator's choice could be subtracted from the first.
    first = 2 if plan.schema_.images else 1
    if task.kind == "histograms" and task.step != first:
        raise PeerError(
            f"the task asks for histograms in round {task.step}; the plan counts them once, in round {first}"
        )
    tables = 0 if convolution_spec(plan) is not None else _ROUNDS_OF_TABLES
    if task.kind == "marginals" and not first < task.step <= first + tables:
        raise PeerError(f"the task counts tables in round {task.step}; the plan does in {tables} rounds after {first}")


def _check_noisy_counts(task: Task, plan: RecipeTerms) -> None:
    """Refuse a task that carries other noise than the plan's budget asks for, or is none of the budget's rounds."""
    steps = private_steps(plan)
    if task.step > len(steps) or task.kind != steps[task.step - 1].kind:
        raise PeerError(
            f"the task is round {task.step} of kind {task.kind}; the plan's budget pays for "
            f"{', '.join(step.kind for step in steps)}, in this order"
        )
    event = steps[task.step - 1].event
    if not isinstance(task.noise, TaskNoise) or task.noise.variance != event.variance:
        raise PeerError(f"the task's noise is not the plan's, which has variance {event.variance} in round {task.step}")
    subsets = task.parameters.get("subsets", [])
    if not isinstance(subsets, list):
        raise PeerError("the task's column sets are not a list; compare the versions")
    tables = len(plan.schema_.columns) if task.kind == "histograms" else len(subsets)
    if task.noise.tables != tables or tables > event.tables:
        raise PeerError(
            f"the task counts {tables} tables and says {task.noise.tables}; the plan's budget pays for {event.tables}"
        )


def update_settings(task: Task, plan: RecipeTerms) -> UpdateSettings:
    """The plan's numbers of local training under the remedies that a task of kind "update" names.

    Raises:
        PeerError: the remedies are none, or go further than the plan allows.
    """
    settings = plan.recipe
    try:
        remedies = Remedies.from_document(task.parameters.get("remedies", {}), settings.health.remedies)
    except InputError as error:
        raise PeerError(f"the task's training departs from the plan: {error}") from error
    return remedies.applied(settings.training)

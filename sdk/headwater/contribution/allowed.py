"""Whether a task is one that the approved plan can ask for (protocol 4.2)."""

from headwater.canonical import sha256_hex
from headwater.errors import InputError, PeerError
from headwater.privacy.events import NoisyCounts, NoisyGradients
from headwater.recipe.fixed_point import scale_for
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.private_steps import private_rounds
from headwater.recipe.remedies import Remedies
from headwater.recipe.settings import RecipeTerms, UpdateSettings
from headwater.recipe.task import GradientNoise, Task, TaskNoise
from headwater.recipe.vectors import longest_run, longest_vector

__all__ = ["check_task", "update_settings"]

# Tables, then what proposed super-columns still miss.
_ROUNDS_OF_TABLES = 2
# Nothing can be sampled before anything is counted.
_FIRST_AUDIT = 2


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
    if task.kind == "audit" and (plan.audit == "none" or task.step < _FIRST_AUDIT):
        raise PeerError(f"the task asks for an audit in round {task.step}; the plan has none there")
    if plan.privacy == "none":
        _check_exact_counts(task, plan)
    else:
        _check_noisy(task, plan)
    if task.step > (rounds := longest_run(plan)):
        raise PeerError(f"the task is of round {task.step}, the plan's recipe has {rounds}")
    if task.length > longest_vector(plan):
        raise PeerError(f"the task asks for {task.length} values, more than the plan's budgets allow")
    if task.value_bits != settings.value_bits:
        raise PeerError(f"the task has {task.value_bits} value bits, the plan {settings.value_bits}")
    if (task.clip, task.scale) != _clip_of(task, plan):
        raise PeerError("the task's clip norm or fixed-point scale is not the plan's")
    if (sha256_hex(model) if model else "") != task.model_digest or bool(model) != (
        task.kind in ("update", "expectation", "evaluate", "gradient", "audit")
    ):
        raise PeerError("the model that came with the task is not the one it names")


def _check_exact_counts(task: Task, plan: RecipeTerms) -> None:
    """Refuse counts in another round than the plan's, without a budget."""
    if task.noise != "none" or task.kind == "gradient":
        raise PeerError("the task asks for noise or gradients, the plan has no privacy budget")
    # Counted once: counts under another encoding of the coordinator's choice could be subtracted from the first.
    first = 2 if plan.schema_.images else 1
    if task.kind == "histograms" and task.step != first:
        raise PeerError(
            f"the task asks for histograms in round {task.step}; the plan counts them once, in round {first}"
        )
    tables = 0 if convolution_spec(plan) is not None else _ROUNDS_OF_TABLES
    if task.kind == "marginals" and not first < task.step <= first + tables:
        raise PeerError(f"the task counts tables in round {task.step}; the plan does in {tables} rounds after {first}")


def _clip_of(task: Task, plan: RecipeTerms) -> tuple[float | None, float]:
    """Clip norm and fixed-point scale that the plan gives a task."""
    if task.kind == "update":
        clip = update_settings(task, plan).clip
        return clip, scale_for(clip, plan.recipe.value_bits)
    if isinstance(task.noise, GradientNoise):
        norm = plan.recipe.private.critic.clip
        return norm, task.noise.sensitivity / norm
    return None, 1.0


def _check_noisy(task: Task, plan: RecipeTerms) -> None:
    """Refuse a task that carries other noise than the plan's budget asks for, or is none of the budget's rounds."""
    rounds = private_rounds(plan)
    if task.step > len(rounds) or task.kind != rounds[task.step - 1].kind:
        kinds = dict.fromkeys(each.kind for each in rounds)
        raise PeerError(
            f"the task is round {task.step} of kind {task.kind}; the plan's budget pays for {len(rounds)} rounds of "
            f"{', '.join(kinds)}, in this order"
        )
    asked = rounds[task.step - 1]
    if isinstance(asked.event, NoisyGradients):
        _check_gradients(task, asked.event)
    else:
        _check_noisy_counts(task, plan, asked.event)


def _check_gradients(task: Task, event: NoisyGradients) -> None:
    """Refuse a sum of gradients of another sample, under less noise, or of longer vectors than the plan's."""
    wanted = GradientNoise(variance=event.variance, sensitivity=event.sensitivity, rate=event.rate)
    if task.noise != wanted:
        raise PeerError(
            f"the task's noise or sample is not the plan's, which has variance {event.variance}, sensitivity "
            f"{event.sensitivity} and rate {event.rate} in round {task.step}"
        )


def _check_noisy_counts(task: Task, plan: RecipeTerms, event: NoisyCounts) -> None:
    """Refuse counts under other noise, or of more tables, than the plan's budget pays for."""
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

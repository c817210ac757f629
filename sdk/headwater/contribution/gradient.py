"""The vector of a round of gradients: a critic's, clipped row by row, over a sample, under noise."""

import math
import os

from headwater.contribution.remembered import Remembered
from headwater.contribution.splits import split_rows
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, PeerError
from headwater.generator.private_critic import integer_critic_of
from headwater.generator.private_step.clipped_sum import Clip
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import IntegerCritic
from headwater.generator.private_step.noisy_sum import noisy_sum
from headwater.generator.refiner.features import Features
from headwater.mixture.form import label_of
from headwater.mixture.form_parts import form_digest
from headwater.privacy.discrete_gaussian import Entropy
from headwater.privacy.shares import honest_members, share_of_noise
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.private_critic import PrivateCritic
from headwater.recipe.private_steps import private_budget
from headwater.recipe.settings import RecipeTerms, SplitShares
from headwater.recipe.task import GradientNoise, Task
from headwater.schema.finite import finite_part
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["sum_gradients"]

# A discrete Gaussian is never drawn so many deviations out: a sum is cut so that its noise has this much room.
_ROOM = 32

_PREPARED = Remembered[CodedRows]()


def sum_gradients(
    task: Task,
    model: bytes,
    rows: Table,
    encoding: Encoding,
    plan: RecipeTerms,
    members: int,
    entropy: Entropy = os.urandom,
) -> RingVector:
    """One organisation's part of a critic's private step.

    Args:
        task: of kind "gradient", checked against the plan.
        model: the critic's bytes.
        rows: all of the organisation's rows.
        encoding: of the task.
        plan: as approved.
        members: of the session; this organisation's share of the noise follows from it.
        entropy: of sample and noise; never another than the operating system's outside a test.

    Returns:
        In the plan's ring, shape (task.length,); weight and metrics are zero, as both would say something of rows.

    Raises:
        PeerError: the critic is unusable, or not of the shape that plan and encoding give it.
        InputError: the plan's value bits leave the noise no room, or too few members share it.

    Guarantee: as `headwater.generator.private_step.noisy_sum.noisy_sum`. An empty sample gives noise alone.
    """
    noise = task.noise
    if not isinstance(noise, GradientNoise) or task.clip is None:
        raise PeerError("a task of gradients needs noise and a clip norm; compare the versions")
    features, critic = _critic(model, encoding, plan)
    layout = layout_of_counts(critic.parameters)
    if layout.length != task.length:
        raise PeerError(f"the task names {task.length} values and asks for {layout.length}; it contradicts itself")
    variance = share_of_noise(noise.variance, honest_members(private_budget(plan), members, plan.colluders))
    most = largest_magnitude(task.value_bits)
    largest = most - _ROOM * math.isqrt(variance)
    if largest < noise.sensitivity:
        raise InputError(
            f"values of {task.value_bits} bits leave the noise of a gradient no room; raise recipe.value_bits"
        )
    key = (encoding.digest, form_digest(features.form), plan.splits)
    coded = _PREPARED.get(rows, key, lambda: _prepare(rows, encoding, features, plan.splits))
    total = noisy_sum(
        critic,
        coded,
        Clip(task.clip, noise.sensitivity),
        rate=noise.rate,
        variance=variance,
        largest=largest,
        seed=task.seed,
        entropy=entropy,
    )
    return layout.join(total, 0, {"skipped_rows": 0}, largest=most, ring_bits=plan.ring_bits)


def _critic(model: bytes, encoding: Encoding, plan: RecipeTerms) -> tuple[Features, IntegerCritic]:
    """What rows are to the critic, and its network."""
    try:
        critic = PrivateCritic.from_bytes(model)
        form, label = critic.form, label_of(plan.schema_.target_index, encoding.sizes)
        if (form.sizes, form.label) != (encoding.sizes, label) or form.scores:
            raise InputError("its columns or its label are not those of plan and encoding")
        features = Features(form)
        return features, integer_critic_of(critic, features, plan.recipe.private.critic.width)
    except InputError as error:
        raise PeerError(f"the task's critic is unusable: {error}") from error


def _prepare(rows: Table, encoding: Encoding, features: Features, splits: SplitShares) -> CodedRows:
    used = finite_part(split_rows(rows, splits, "train"))
    return CodedRows.of(features.form.rows(used, encoding), features)

"""What pictures change in a contribution: the sums of their pixels, and scores in their place afterwards."""

from headwater.canonical import canonical_json, sha256_hex
from headwater.contribution.remembered import Remembered
from headwater.contribution.splits import row_positions, split_rows
from headwater.errors import InputError, PeerError
from headwater.images.lifting import LiftedTable, Lifting
from headwater.images.pixels import pixel_cells, pixel_sums
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.lifted import LiftedTerms, lifted_terms
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task
from headwater.schema.finite import finite_part
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["lift_question", "sum_pixels"]

# Scores are the same in all rounds of a run.
_LIFTED = Remembered[LiftedTable]()


def sum_pixels(task: Task, rows: Table, plan: RecipeTerms) -> RingVector:
    """One organisation's sums of pixels.

    Args:
        task: of kind "pixels", checked against the plan.
        rows: all of the organisation's rows.
        plan: as approved.

    Raises:
        PeerError: the task's length is not that of the schema's images.
    """
    layout = layout_of_counts(pixel_cells(plan.schema_.images))
    if layout.length != task.length:
        raise PeerError(f"the task names {task.length} values, the plan's images have {layout.length}")
    part = split_rows(rows, plan.splits, "train")
    used = finite_part(part)
    return layout.join(
        pixel_sums(used, task.value_bits),
        used.rows,
        {"skipped_rows": part.rows - used.rows},
        largest=largest_magnitude(task.value_bits),
        ring_bits=plan.ring_bits,
    )


def lift_question(task: Task, rows: Table, plan: RecipeTerms) -> tuple[Task, LiftedTable, LiftedTerms]:
    """A later round's task, rows and plan, as they would be had the plan named scores instead of pictures.

    Raises:
        PeerError: the task does not say how pictures are scored, or not in this plan's bounds.
    """
    parameters = dict(task.parameters)
    document = parameters.pop("images", None)
    try:
        lifting = Lifting.from_document(plan.schema_, document)
    except InputError as error:
        raise PeerError(f"the task's directions of pictures are unusable: {error}") from error
    if any(part.scores > plan.recipe.images.scores for part in lifting.projections):
        raise PeerError(f"the task scores pictures on more than the plan's {plan.recipe.images.scores} directions")
    if task.step < 2:
        raise PeerError("the task counts scores before the pixels that they come from")
    key = sha256_hex(canonical_json(document))
    # The round of pixels was one more than a run over numbers has.
    question = task.model_copy(update={"parameters": parameters, "step": task.step - 1})
    lifted = _LIFTED.get(rows, key, lambda: lifting.lift(rows, row_positions(rows)))
    return question, lifted, lifted_terms(plan, lifting.lifted_schema)

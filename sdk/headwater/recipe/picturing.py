"""The first round of a run with pictures: sums of pixels, which fix the directions that pictures are scored on."""

from dataclasses import replace

from headwater.errors import OutOfOrder
from headwater.images.lifting import Lifting
from headwater.images.pixels import pixel_cells
from headwater.images.projection import Projection
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.lifted import LiftedTerms, lifted_terms
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, read_pixels
from headwater.recipe.task import Task, seed_for
from headwater.schema import BooleanColumn, CategoricalColumn
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Picturing", "pixels_task"]


def pixels_task(terms: RecipeTerms, step: int) -> Task:
    """Sums of every image's pixels and of the products of their pairs."""
    return Task(
        kind="pixels",
        step=step,
        length=layout_of_counts(pixel_cells(terms.schema_.images)).length,
        value_bits=terms.recipe.value_bits,
        seed=seed_for(terms.seed, "pixels", step),
    )


class Picturing:
    """One round of pixel sums. A `Stage`.

    After it a picture is a few scores, the run goes on as any run over numbers does, and organisations are told the
    directions with every task. Their vectors stay sums; nobody learns anybody's pictures from directions that all
    pictures together fix.
    """

    def __init__(self, terms: RecipeTerms) -> None:
        """Start before the round."""
        self._terms = terms
        self._lifting: Lifting | None = None

    @property
    def over(self) -> bool:
        """Whether the directions are known."""
        return self._lifting is not None

    @property
    def lifting(self) -> Lifting:
        """The directions.

        Raises:
            OutOfOrder: the pixels are not summed yet.
        """
        if self._lifting is None:
            raise OutOfOrder("the directions of pictures are asked for before their pixels are summed")
        return self._lifting

    @property
    def terms(self) -> LiftedTerms:
        """The plan's terms for the rounds to come."""
        return lifted_terms(self._terms, self.lifting.lifted_schema)

    def told(self, action: Aggregate) -> Aggregate:
        """A question over scores, with what organisations need to score their pictures."""
        document = self.lifting.to_document(all_directions=False)
        parameters = {**action.task.parameters, "images": document}
        return replace(action, task=action.task.model_copy(update={"parameters": parameters}))

    def ask(self, step: int) -> Aggregate:
        """The sums of pixels."""
        return Aggregate(pixels_task(self._terms, step))

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`."""
        schema = self._terms.schema_
        sums, summed = read_pixels(vector, schema.images, HeadRoom(contributors, task.value_bits))
        target = schema.target
        classes = len(target.categories) if isinstance(target, CategoricalColumn | BooleanColumn) else 1
        scores = self._terms.recipe.images.scores_for(summed.weight, classes)
        projections = [
            Projection.fit(image, part, summed.weight, scores) for image, part in zip(schema.images, sums, strict=True)
        ]
        self._lifting = Lifting(schema, tuple(projections))
        shares = {
            part.image.name: round(float((part.deviations[: part.scores] ** 2).sum() / (part.deviations**2).sum()), 4)
            for part in projections
        }
        record: Record = {"rows": summed.weight, "scores": [part.scores for part in projections], "variance": shares}
        return [{**record, **summed.metrics}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: pixels ask for no model."""
        del model, report
        raise out_of_place("a model", self.ask(1))

"""What a simulation shows of pictures: right answers, distances to training pictures, a contact sheet."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headwater.evaluation.pictures import nearest_distances, picture_accuracy
from headwater.schema import BooleanColumn, CategoricalColumn
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater_server.figures.contact_sheet import describe_sheet, draw_sheet
from headwater_server.simulation.inputs import SimulationInputs

__all__ = ["draw_pictures", "score_pictures"]

Scores = Mapping[str, dict[str, float] | None]


def score_pictures(inputs: SimulationInputs, synthetic: Table) -> Scores:
    """Scores of a simulation whose schema has an image.

    Returns:
        "together" and "real": right answers of classifiers trained on synthetic and on real rows, None for a target
        of numbers. "nearest": the median distance of synthetic, and of held-out, pictures to the nearest training
        picture, and how many synthetic pictures are copies of one.
    """
    schema = inputs.plan.schema_
    train, test = load_table(inputs.train, schema), load_table(inputs.test, schema)
    distances, expected = nearest_distances(synthetic, train), nearest_distances(test, train)
    nearest = {
        "synthetic": round(float(np.median(distances)), 4),
        "held_out": round(float(np.median(expected)), 4),
        "copies": float((distances == 0).sum()),
    }
    if not isinstance(schema.target, CategoricalColumn | BooleanColumn):
        return {"together": None, "real": None, "nearest": nearest}
    return {
        "together": picture_accuracy(synthetic, test),
        "real": picture_accuracy(train, test),
        "nearest": nearest,
    }


def draw_pictures(synthetic: Table, folder: Path) -> tuple[str, ...]:
    """Write a contact sheet of each image; returns the files' names."""
    names = []
    for number, image in enumerate(synthetic.schema.images, start=1):
        name = f"pictures-{number}.svg"
        (folder / name).write_bytes(draw_sheet(synthetic, image, describe_sheet(synthetic, image), alone=True))
        names.append(name)
    return tuple(names)

"""A simulation's sample-size curve: drawn from its generator, tested on rows that it was not fitted to."""

import json
from pathlib import Path

import pyarrow.compute as pc

from headwater.contribution.splits import split_rows
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.evaluation.curve import SIZES, CurvePoint, enough, usefulness_curve
from headwater.generator.sampler import read_sampler
from headwater.generator.table_generator import RowReader, RowRequest
from headwater.recipe.task import seed_for
from headwater.schema.table import Table
from headwater_server.figures.curve import draw_curve
from headwater_server.simulation.inputs import SimulationInputs

__all__ = ["CURVE", "CURVE_PLOT", "write_curve"]

CURVE, CURVE_PLOT = "curve.json", "curve.svg"
_LEAST_VALIDATION = 500


def write_curve(
    inputs: SimulationInputs, model: bytes, encoding: Encoding, folder: Path, real: float | None
) -> dict[str, object]:
    """Measure and draw the curve.

    The organisations' validation rows test it; where they are under 500 or lack a class, the simulation's held-out
    fifth.

    Args:
        inputs: plan and rows.
        model: the finished generator.
        encoding: of the generator.
        folder: gets curve.json and curve.svg.
        real: AUC on real training rows, for comparison; None where it is not known.

    Returns:
        What stands in curve.json.

    Raises:
        InputError: the target is no column of classes.
    """
    target = inputs.plan.schema_.target
    if target is None:
        raise InputError("the schema has no target; a curve needs one to predict")
    names = list(inputs.plan.schema_.names)
    sampler = read_sampler(model)
    reader = RowReader(sampler, encoding, RowRequest(), device="auto")

    def draw(rows: int) -> Table:
        parts = reader.first(rows, seed_for(inputs.plan.seed, "curve"))
        return Table.concat([part.table for part in parts])

    held, tested = (
        Table.concat([split_rows(part, inputs.plan.splits, "validation") for part in inputs.parts]),
        "validation",
    )
    train = inputs.train.select(names)
    points: tuple[CurvePoint, ...] = ()
    if held.rows >= _LEAST_VALIDATION:
        try:
            points = usefulness_curve(train, held, target.name, draw, SIZES)
        except InputError:
            points = ()
    if not points:
        tested = "held-out fifth"
        points = usefulness_curve(train, inputs.test.select(names), target.name, draw, SIZES)
    # Validation rows are training rows of the simulation: their classes are known. Of others only those that are.
    known = pc.is_in(inputs.test[target.name], value_set=inputs.train[target.name].combine_chunks())
    test_rows = held.rows if tested == "validation" else int(pc.sum(known).as_py())
    document: dict[str, object] = {
        "model": "LightGBM",
        "target": target.name,
        "tested_on": tested,
        "test_rows": test_rows,
        "enough_rows": enough(points),
        "points": [{"rows": point.rows, "gbm": round(point.gbm, 6)} for point in points],
    }
    (folder / CURVE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    # Only the held-out fifth tested a model of the real rows too.
    shown = None if real is None or tested == "validation" else (real, train.num_rows)
    which = f"{test_rows:,} " + ("validation rows" if tested == "validation" else "real rows that were held out")
    subtitle = f"learned from synthetic rows (recipe {inputs.plan.recipe.kind}), tested on {which}"
    draw_curve(points, folder / CURVE_PLOT, target=target.name, subtitle=subtitle, real=shown)
    return document

"""Five organisations with a few kinds of handwritten digits each make pictures of all ten together.

python examples/digits.py [FOLDER]

Takes scikit-learn's digits (no network), shares them out so that each organisation lacks most digits, simulates a run,
asks classifiers that saw synthetic digits only about real ones, and looks for copies. Writes digits.csv, synthetic.csv
and digits.svg, a contact sheet, into FOLDER (default: digits).
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits

from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.evaluation.pictures import nearest_distances, picture_accuracy
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import build_recipe
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.figures.contact_sheet import describe_sheet, draw_sheet
from headwater_server.simulation.inputs import read_inputs


def digits_file(folder: Path) -> Path:
    """scikit-learn's digits as a CSV: a column for each pixel, and the digit."""
    pixels, digits = load_digits(return_X_y=True)
    names = [f"pixel_{row}_{place}" for row in range(8) for place in range(8)]
    columns = {name: pixels[:, place].astype(np.int64) for place, name in enumerate(names)}
    write_csv(pa.table({**columns, "digit": digits.astype(np.int64)}), folder / "digits.csv")
    return folder / "digits.csv"


def say(what: str, train: Table, test: Table) -> None:
    """One line of right answers."""
    scores = picture_accuracy(train, test)
    print(f"{what:>42}: " + ", ".join(f"{name} {share:.3f}" for name, share in scores.items()))


def main() -> None:
    """Make, draw, judge, look."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "digits")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = read_inputs(digits_file(folder), "digit", 5, "label:0.5")
    plan = inputs.plan
    train, test = (load_table(rows, plan.schema_) for rows in (inputs.train, inputs.test))
    for number, part in enumerate(inputs.parts):
        counts = np.bincount(part.columns["digit"], minlength=10)
        print(f"organisation {number}: {part.rows:4} pictures, of the digits 0 to 9: {counts.tolist()}")

    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            vectors = [contribute(action.task, action.model, rows, plan) for rows in inputs.parts]
            recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), contributors=len(vectors))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    synthetic = sample_table(action.model, action.encoding, train.rows, seed=1)

    print("\nRight answers about real digits that nobody trained on, by classifiers that saw")
    say("synthetic digits, made together", synthetic, test)
    say("real digits, pooled", train, test)
    smallest = min(inputs.parts, key=lambda part: part.rows)
    say(f"the {smallest.rows} real digits of one organisation", smallest, test)

    # A generator that remembers draws pictures nearer to training pictures than other real ones are.
    drawn, others = nearest_distances(synthetic, train), nearest_distances(test, train)
    print("\nDistance to the nearest training picture (root mean square, share of the highest level)")
    for what, distances in (("synthetic digits", drawn), ("held-out real digits", others)):
        low, middle = np.quantile(distances, [0.01, 0.5])
        print(f"{what:>42}: median {middle:.3f}, hundredth part below {low:.3f}, copies {int((distances == 0).sum())}")

    image = plan.schema_.images[0]
    write_csv(synthetic, folder / "synthetic.csv")
    sheet = draw_sheet(synthetic, image, describe_sheet(synthetic, image), alone=True)
    (folder / "digits.svg").write_bytes(sheet)
    print(f"\nWrote {folder / 'synthetic.csv'} and {folder / 'digits.svg'}")


if __name__ == "__main__":
    main()

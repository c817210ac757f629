"""Three organisations in one process: the same recipe and integers as a real run, without masks.

python examples/simulate_in_python.py
"""

import numpy as np
import pyarrow as pa

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.flower_bundle import bundle_sha256
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import build_recipe
from headwater.recipe.settings import RecipeSettings
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.conform import load_table


def main() -> None:
    """Make rows, share them out, train together, print a few synthetic rows."""
    schema = Schema(
        name="visits",
        columns=(
            NumericColumn(name="age", lower=0, upper=100, integer=True),
            CategoricalColumn(name="ward", categories=("north", "south")),
            CategoricalColumn(name="back", categories=("no", "yes"), role="target"),
        ),
    )
    plan = Plan(
        name="visits",
        schema=schema,
        recipe=RecipeSettings(rounds=2),
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256=bundle_sha256(),
    )
    random = np.random.default_rng(0)
    age = random.integers(0, 100, 3000)
    rows = pa.table(
        {
            "age": age,
            "ward": random.choice(["north", "south"], 3000),
            "back": np.where(random.random(3000) < age / 120, "yes", "no"),
        }
    )
    organisations = [load_table(rows.slice(start, 1000), schema) for start in (0, 1000, 2000)]

    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            vectors = [contribute(action.task, action.model, table, plan) for table in organisations]
            recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), contributors=len(vectors))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    print(sample_table(action.model, action.encoding, 10, seed=1).to_arrow().to_pandas())


if __name__ == "__main__":
    main()

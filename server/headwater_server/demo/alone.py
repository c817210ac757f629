"""One organisation's own generator: `python -m headwater_server.demo.alone PLAN ROWS OUT ROWS_WANTED`."""

import sys
from pathlib import Path

import pyarrow.parquet

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import build_recipe
from headwater.schema.conform import conform
from headwater.schema.table import Table

__all__ = ["main", "train_alone"]


def train_alone(plan: Plan, rows: Table, wanted: int) -> Table:
    """The same recipe on one organisation's rows only, in the clear, since there is nobody to hide from.

    Args:
        plan: of the consortium's run.
        rows: the organisation's.
        wanted: synthetic rows to sample.
    """
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            recipe.add_sum(contribute(action.task, action.model, rows, plan), contributors=1)
        else:
            recipe.add_model(*execute(action))
    return sample_table(action.model, action.encoding, wanted, plan.seed)


def main(arguments: list[str]) -> None:
    """Read plan and rows, write the synthetic rows as Parquet."""
    plan_file, rows_file, out, wanted = arguments
    plan = Plan.from_toml(Path(plan_file).read_text(encoding="utf-8"))
    rows = conform(pyarrow.parquet.read_table(rows_file), plan.schema_)[0]
    pyarrow.parquet.write_table(train_alone(plan, rows, int(wanted)).to_arrow(), out)


if __name__ == "__main__":
    main(sys.argv[1:])

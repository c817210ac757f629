"""One organisation's own generator: `python -m headwater_server.demo.alone PLAN ROWS OUT ROWS_WANTED`."""

import sys
from pathlib import Path

import pyarrow.parquet

from headwater.agreement.plan import Plan
from headwater.contribution.execution import sample_table
from headwater.recipe.machine import build_recipe
from headwater.schema.conform import conform
from headwater.schema.table import Table
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive

__all__ = ["alone_plan", "main", "train_alone"]


def alone_plan(plan: Plan) -> Plan:
    """The plan as one organisation alone would follow it, for itself: not audited, and under a budget with all noise
    its own, at the same ε.
    """
    plan = plan.model_copy(update={"audit": "none"})
    if plan.privacy == "none":
        return plan
    return plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"mode": "local"})})


def train_alone(plan: Plan, rows: Table, wanted: int) -> Table:
    """The same recipe on one organisation's rows only, in the clear, since no organisation is to be hidden.

    Args:
        plan: of the consortium's run.
        rows: the organisation's.
        wanted: synthetic rows to sample.
    """
    plan = alone_plan(plan)
    done = drive(build_recipe(plan), LocalEngine([rows], plan), Silent(), Cost())
    return sample_table(done.model, done.encoding, wanted, plan.seed)


def main(arguments: list[str]) -> None:
    """Read plan and rows, write the synthetic rows as Parquet."""
    plan_file, rows_file, out, wanted = arguments
    plan = Plan.from_toml(Path(plan_file).read_text(encoding="utf-8"))
    rows = conform(pyarrow.parquet.read_table(rows_file), plan.schema_)[0]
    pyarrow.parquet.write_table(train_alone(plan, rows, int(wanted)).to_arrow(), out)


if __name__ == "__main__":
    main(sys.argv[1:])

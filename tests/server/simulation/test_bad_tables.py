"""What becomes of tables that break generators: a whole table or one clear line, for every recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.evaluation.split import judge_split
from headwater.evaluation.usefulness import Usefulness
from headwater.schema import CategoricalColumn, Column, NumericColumn, Schema
from headwater.schema.conform import conform
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.simulation.driving import Silent
from headwater_server.simulation.inputs import SimulationInputs, read_inputs
from headwater_server.simulation.simulate import simulate
from support.mixtures import SETTINGS
from support.recipes import small_plan

KINDS = ("mixture", "marginals", "hybrid", "adversarial")
ROWS = 300
X = NumericColumn(name="x", lower=0, upper=1)
SITE = CategoricalColumn(name="site", categories=("a", "b", "c"))
LABEL = CategoricalColumn(name="label", categories=("no", "yes"), role="target")

Values = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A table that breaks something, and what comes out of it.

    Attributes:
        columns: beside x, site and label.
        values: of these columns; of x, site and label where they are not the plain ones.
        holds: what is true of the released table.
        partition: as simulate takes it.
        changes: how many kinds of values the schema changes on the way.
    """

    columns: tuple[Column, ...]
    values: Values
    holds: Callable[[Table], bool]
    partition: str = "iid"
    changes: int = 0


RANDOM = np.random.default_rng(0)
PLAIN: Values = {
    "x": RANDOM.random(ROWS),
    "site": RANDOM.integers(0, 3, ROWS).astype(np.int32),
    "label": RANDOM.integers(0, 2, ROWS).astype(np.int32),
}
FEW = np.where(np.arange(ROWS) < 3, 2, np.arange(ROWS) % 2).astype(np.int32)
APART = np.repeat(np.arange(3), ROWS // 3).astype(np.int32)
MANY = CategoricalColumn(name="many", categories=tuple(f"c{number}" for number in range(10_000)))
WILD = NumericColumn(name="wild", lower=-1e6, upper=1e6)
HUGE = NumericColumn(name="huge", lower=-1e100, upper=1e100)


def normal(first: list[float]) -> NDArray[np.float64]:
    """Standard normal values, some others in front."""
    values = np.random.default_rng(1).normal(size=ROWS)
    values[: len(first)] = first
    return values


CASES = {
    "one constant column": Case(
        (NumericColumn(name="same", lower=0, upper=10),),
        {"same": np.full(ROWS, 2.5)},
        # A constant is found to within its cell of the public grid, 64 cells here.
        lambda made: bool((np.abs(made.columns["same"] - 2.5) < 0.5).all()),
    ),
    "one possible value": Case(
        (NumericColumn(name="same", lower=4, upper=4),),
        {"same": np.full(ROWS, 4.0)},
        lambda made: bool((made.columns["same"] == 4).all()),
    ),
    "all missing": Case(
        (NumericColumn(name="lost", lower=0, upper=1, missing=True),),
        {"lost": np.full(ROWS, np.nan)},
        lambda made: bool(np.isnan(made.columns["lost"]).all()),
    ),
    "one category": Case(
        (CategoricalColumn(name="only", categories=("it",)),),
        {"only": np.zeros(ROWS, np.int32)},
        lambda made: bool((made.columns["only"] == 0).all()),
    ),
    "a category and a class that nobody has": Case(
        (CategoricalColumn(name="sort", categories=("a", "b", "never")),),
        {"sort": PLAIN["label"]},
        # A network gives what it never saw a small share, a mixture none.
        lambda made: bool((made.columns["sort"] == 2).mean() < 0.3),
    ),
    "ten thousand categories": Case(
        (MANY,),
        {"many": np.random.default_rng(2).integers(0, 10_000, ROWS).astype(np.int32)},
        lambda made: len(np.unique(made.columns["many"])) > 50,
    ),
    "three rows in one organisation": Case((), {"site": FEW}, lambda made: made.rows > 0, partition="column:site"),
    "an organisation with another distribution entirely": Case(
        (WILD,),
        {"site": APART, "x": np.where(APART == 2, 1.0, 0.05), "wild": np.where(APART == 2, 9e5, 0.0)},
        lambda made: bool((made.columns["wild"] > 8e5).any() and (made.columns["wild"] == 0).any()),
        partition="column:site",
    ),
    "extreme outliers": Case(
        (WILD,),
        {"wild": normal([1e300, -1e300] * 10)},
        lambda made: bool((np.abs(made.columns["wild"]) <= 1e6).all()),
        changes=1,
    ),
    "bounds far beyond all values": Case(
        (HUGE,), {"huge": normal([])}, lambda made: bool(np.isfinite(made.columns["huge"]).all())
    ),
    "bounds that most values are outside of": Case(
        (NumericColumn(name="bounded", lower=5, upper=6),),
        {"bounded": normal([])},
        lambda made: bool((made.columns["bounded"] == 5).mean() > 0.8),
        changes=1,
    ),
}


def plan_of(kind: str, columns: tuple[Column, ...]) -> Plan:
    plan = small_plan(kind, rounds=1, mixture=SETTINGS.model_dump())
    return plan.model_copy(update={"schema_": Schema(name="bad", columns=columns)})


def given(folder: Path, plan: Plan, values: Values, partition: str = "iid") -> SimulationInputs:
    """The table as a file, read as `simulate` reads it."""
    arrays = {
        column.name: pa.array(np.asarray(column.categories)[values[column.name]])
        if isinstance(column, CategoricalColumn)
        else pa.array(values[column.name], from_pandas=True)
        for column in plan.schema_.columns
    }
    write_csv(pa.table(arrays), folder / "bad.csv")
    (folder / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    return read_inputs(folder / "bad.csv", None, 3, partition, plan_file=folder / "plan.toml")


def released(folder: Path, inputs: SimulationInputs) -> Table:
    """The released table; it holds to its schema to the last value: no NaN, nothing out of bounds."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        simulate(inputs, folder / "out", "local", "iid", Silent())
    table, problems = conform(read_arrow(folder / "out" / "synthetic.csv"), inputs.plan.schema_)
    assert problems == ()
    return table


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither judge nor picture: they are not the point."""
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.5, "lr": 0.5})
    monkeypatch.setattr("headwater_server.simulation.simulate.draw_health", lambda *_: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_a_hard_table_gives_a_whole_one(name: str, kind: str, tmp_path: Path) -> None:
    case = CASES[name]
    inputs = given(tmp_path, plan_of(kind, (X, SITE, *case.columns, LABEL)), PLAIN | case.values, case.partition)
    assert len(inputs.changes) == case.changes
    made = released(tmp_path, inputs)
    assert made.rows == int(0.8 * ROWS)
    if kind != "adversarial":
        # Two steps of a GAN from scratch promise a whole table and no more.
        assert case.holds(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_a_label_gives_a_whole_one(kind: str, tmp_path: Path) -> None:
    assert released(tmp_path, given(tmp_path, plan_of(kind, (X, SITE)), PLAIN)).rows == int(0.8 * ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_one_column_gives_a_whole_one(kind: str, tmp_path: Path) -> None:
    assert released(tmp_path, given(tmp_path, plan_of(kind, (X,)), PLAIN)).rows == int(0.8 * ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_that_the_sum_has_no_room_for_never_leave(kind: str, tmp_path: Path) -> None:
    rows = 5000
    plan = plan_of(kind, (X, LABEL))
    plan = plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"value_bits": 10})})
    values: Values = {"x": np.random.default_rng(0).random(rows), "label": np.zeros(rows, np.int32)}
    with pytest.raises(InputError, match=r"raise recipe\.value_bits"):
        simulate(given(tmp_path, plan, values), tmp_path / "out", "local", "iid", Silent())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "says"),
    [(np.inf, "'wild': 1 value is infinite"), (np.nan, "'wild': 1 value is missing")],
)
def test_a_value_that_no_table_may_hold_is_refused_by_column(value: float, says: str, tmp_path: Path) -> None:
    # Whether the row is shared out or held out for the judge.
    for part in judge_split(ROWS):
        wild = normal([])
        wild[part[0]] = value
        with pytest.raises(InputError, match=says):
            given(tmp_path, plan_of("mixture", (X, WILD)), PLAIN | {"wild": wild})


def test_bounds_the_wrong_way_round_are_refused_by_column() -> None:
    with pytest.raises(InputError, match=r"column 'x'.*lower 2 is above upper 1"):
        Schema.from_document({"name": "s", "columns": [{"name": "x", "kind": "numeric", "lower": 2, "upper": 1}]})

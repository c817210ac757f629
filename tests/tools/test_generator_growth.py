"""The measurement of cost against rows and columns: every step is timed, and a process of its own measures alike."""

import pytest

import generator_growth
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings


def test_every_step_is_timed_and_told() -> None:
    measured = generator_growth.steps(400, 5)
    assert set(generator_growth.STEPS) <= set(measured)
    assert all(measured[step] >= 0 for step in generator_growth.STEPS)
    assert measured["sampled_rows"] == 400
    assert measured["peak_bytes"] > measured["table_bytes"] > 400 * 5 * 4
    lines = generator_growth.growth_table({(400, 5): measured}).splitlines()
    assert lines[-1].startswith("| 400 × 5 |")
    assert lines[-1].count("|") == lines[0].count("|")


@pytest.mark.parametrize("columns", [2, 7])
def test_a_grown_table_holds_to_its_schema(columns: int) -> None:
    table = generator_growth.grown_table(50, columns)
    assert len(table.schema.columns) == columns
    assert table.schema.target_index == columns - 1
    assert Histograms.of(table.schema, EncodingSettings()).count(table).sum() == 50 * columns


def test_a_size_is_measured_in_a_process_of_its_own() -> None:
    measured = generator_growth.measure_growth(100, 3)
    assert set(generator_growth.STEPS) <= set(measured)
    with pytest.raises(SystemExit, match="could not be measured"):
        generator_growth.measure_growth(-1, 3)

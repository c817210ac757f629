"""Marginals, combinations, places of rows and the two-sample test, by obvious oracles and by chance."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headwater.errors import InputError
from headwater.evaluation.combinations import Invented
from headwater.evaluation.density import K, balls_around, neighbourhoods
from headwater.evaluation.distinguishable import Distinguishable
from headwater.evaluation.marginals import Marginals, expected_distance
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.evaluated import evaluated, read_alone, reference
from support.reference_generators import SCHEMA, SETTINGS, law

JUDGE = Path(__file__).parents[3] / "tools" / "bench" / "quality.py"


@pytest.mark.parametrize(
    ("rows", "other", "cells", "low"),
    # Where cells are as many as rows the floor is told up to a tenth too low, as its docstring says.
    [(500, 500, 20, 0.05), (2000, 500, 400, 0.05), (400, 3000, 400, 0.11), (60, 60, 200, 0.11)],
)
def test_the_floor_is_what_a_second_sample_shows(rows: int, other: int, cells: int, low: float) -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(cells, 0.5))
    told, seen = [], []
    for _ in range(100):
        first, second = random.multinomial(rows, shares), random.multinomial(other, shares)
        told.append(expected_distance(first, other))
        seen.append(0.5 * np.abs(first / rows - second / other).sum())
    assert -low < np.mean(told) / np.mean(seen) - 1 < 0.05


def test_the_interval_of_a_distance_holds_the_distance_from_all_real_rows() -> None:
    random = np.random.default_rng(1)
    candidate = Candidate(evaluated_table("shifted"))
    check = Marginals(candidate, SETTINGS)
    everything = check.read(check.count(AuditRows(law(30_000, random), law(50, random)), random))[0]
    inside = 0
    for _ in range(12):
        found = check.read(check.count(AuditRows(law(1000, random), law(50, random)), random))[0]
        inside += (found.low or 0.0) <= (everything.value or 0.0) <= (found.high or 0.0)
    # 95 % at least, as the error bounds that of a mean over columns; less three deviations.
    assert inside >= 9


def evaluated_table(name: str) -> Table:
    return reference(name)[0].table


def test_the_worst_columns_are_named() -> None:
    details = evaluated("biased")["marginals.1-way"].details
    assert max((key for key in details if key.startswith("worst")), key=lambda key: details[key]) == "worst: origin"


def test_what_cannot_be_a_sum_of_counts_is_refused() -> None:
    candidate, _ = reference("safe")
    check = Invented(candidate, SETTINGS)
    for counts in (np.zeros(check.size + 1, np.int64), np.full(check.size, -1, np.int64)):
        with pytest.raises(InputError, match="counts from 0 on"):
            check.read(counts)


def test_a_combination_that_no_real_row_has_is_invented() -> None:
    random = np.random.default_rng(0)
    train, holdout, table = law(2000, random), law(2000, random), law(2000, random)
    # Nobody of region hill works at the plant, but for one synthetic row in ten.
    real = [part.take(~((part.columns["work"] == 5) & (part.columns["region"] == 0))) for part in (train, holdout)]
    columns = {name: values.copy() for name, values in table.columns.items()}
    columns["work"][::10], columns["region"][::10] = 5, 0
    made = Candidate(Table(SCHEMA, columns, table.rows))
    before, after = (
        read_alone(Invented(candidate, SETTINGS), AuditRows(real[0], real[1]))[0]
        for candidate in (Candidate(table), made)
    )
    assert (after.value or 0.0) > (before.value or 0.0) + 0.005
    worst = [name for name in after.details if name.startswith("worst")]
    assert all("work × region" in name for name in worst)


def test_places_of_rows_are_those_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    real, others = (random.normal(size=(rows, 3)).astype(np.float32) for rows in (60, 40))

    def radius(points: np.ndarray, place: int) -> float:
        return float(np.sort(np.linalg.norm(points - points[place], axis=1))[K])

    apart = np.linalg.norm(real[:, None] - others[None], axis=2)
    ours = np.array([radius(real, place) for place in range(60)])
    theirs = np.array([radius(others, place) for place in range(40)])
    np.testing.assert_allclose(balls_around(real), ours, rtol=1e-3)
    found = neighbourhoods(real, balls_around(real), others)
    inside = apart <= ours[:, None]
    np.testing.assert_array_equal(found.balls, inside.sum(axis=0))
    assert found.precise == inside.any(axis=0).sum()
    assert found.covered == inside.any(axis=1).sum()
    assert found.recalled == (apart <= theirs).any(axis=1).sum()


def test_telling_rows_apart_comes_to_what_the_judge_finds() -> None:
    specification = importlib.util.spec_from_file_location("quality", JUDGE)
    assert specification is not None
    assert specification.loader is not None
    judge = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(judge)
    rows = reference("shifted")[1]
    weaker = law(1000, np.random.default_rng(9))
    columns = {**weaker.columns, "score": weaker.columns["score"] + 0.4}
    table = Table(SCHEMA, columns, weaker.rows)
    holdout = rows.holdout.take(np.arange(1000))
    frames: list[pd.DataFrame] = [part.to_arrow().to_pandas() for part in (holdout, table)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = judge.Table(frames[0], "approved")
        expected = judge.distinguishable(reader, *(reader.align(frame) for frame in frames))
    found = read_alone(Distinguishable(Candidate(table), AuditSettings()), AuditRows(rows.train, holdout))[0]
    assert found.value == pytest.approx(expected, abs=0.03)
    assert 0.52 < expected < 0.9

"""What attacks on membership share: nothing is its own reference, both sides are treated alike, and it is made once."""

import gc

import numpy as np
import pytest

from headwater.audit.membership.neighbourhood import NEIGHBOURS, Neighbourhood
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.reference_generators import GENERATORS, SETTINGS, fixture


def _near(name: str = "safe", train: int = 900, holdout: int = 600, targets: int = 20_000) -> Neighbourhood:
    table, held, random = fixture(5, train, holdout)
    settings = AuditSettings(targets=targets)
    return Neighbourhood.of(Candidate(GENERATORS[name](table, random)), AuditRows(table, held), settings, random)


def test_no_row_is_its_own_reference() -> None:
    near = _near()
    assert (near.others.reference[:, 0] > 0).all()
    for half, places in enumerate(near.half_places):
        assert not np.isin(near.others.places[near.others.halves == half], places).any()
    assert sorted(np.concatenate(near.half_places)) == list(range(600))


def test_distances_are_those_of_an_obvious_oracle() -> None:
    train, holdout, random = fixture(6, 60, 40)
    candidate = Candidate(GENERATORS["safe"](train, random))
    near = Neighbourhood.of(candidate, AuditRows(train, holdout), SETTINGS, random)
    for side, part in ((near.members, train), (near.others, holdout)):
        points = candidate.space.points(part.take(side.places)).astype(float)
        apart = np.sqrt(np.square(points[:, None] - candidate.points[None].astype(float)).sum(axis=2))
        np.testing.assert_allclose(side.synthetic, np.sort(apart, axis=1)[:, :NEIGHBOURS], atol=1e-5)
        np.testing.assert_array_equal(side.neighbours, np.argsort(apart, axis=1)[:, :NEIGHBOURS])
        for half, rows in enumerate(near.reference):
            known = candidate.space.points(rows).astype(float)
            far = np.sqrt(np.square(points[side.halves == half][:, None] - known[None]).sum(axis=2))
            np.testing.assert_allclose(side.reference[side.halves == half], np.sort(far, axis=1)[:, :5], atol=1e-5)


def test_a_copied_row_is_at_no_distance() -> None:
    near = _near("memoriser")
    copied = near.members.synthetic[:, 0] == 0
    assert copied.mean() == pytest.approx(1 - np.exp(-1), abs=0.05)
    assert not (near.others.synthetic[:, 0] == 0).any()


def test_both_sides_are_thinned_alike() -> None:
    near = _near(train=900, holdout=600, targets=300)
    assert (near.members.table.rows, near.others.table.rows) == (300, 200)
    assert len(np.unique(near.members.places)) == 300
    # The reference stays whole: it costs little and tells more.
    assert near.reference[0].rows + near.reference[1].rows == 600


def test_outliers_are_the_furthest_of_both_sides_together() -> None:
    near = _near(train=4000, holdout=2000)
    far = np.concatenate([near.members.reference[:, -1], near.others.reference[:, -1]])
    worst = np.concatenate([near.members.outlying, near.others.outlying])
    assert worst.sum() == round(6000 * 130 / 2000)
    assert far[worst].min() >= far[~worst].max()
    assert near.others.outlying.sum() == pytest.approx(130, abs=40)


def test_checks_with_the_same_rows_share_one_and_others_do_not() -> None:
    train, holdout, random = fixture(7, 200, 100)
    candidate = Candidate(GENERATORS["safe"](train, random))
    rows = AuditRows(train, holdout)
    first = Neighbourhood.of(candidate, rows, AuditSettings(), random)
    assert Neighbourhood.of(candidate, rows, AuditSettings(seed=9), random) is first
    assert Neighbourhood.of(candidate, rows, AuditSettings(targets=100), random) is not first
    assert Neighbourhood.of(candidate, AuditRows(train, holdout), AuditSettings(), random) is not first


def test_what_is_shared_is_forgotten_with_the_rows() -> None:
    train, holdout, random = fixture(7, 60, 40)
    candidate = Candidate(GENERATORS["safe"](train, random))
    rows = AuditRows(train, holdout)
    Neighbourhood.of(candidate, rows, AuditSettings(), random)
    assert len(candidate._shared) == 1
    del rows
    gc.collect()
    assert len(candidate._shared) == 0


@pytest.mark.parametrize(("train", "holdout"), [(0, 0), (5, 0), (0, 5), (3, 1), (1, 2)])
def test_hardly_any_rows_are_no_error(train: int, holdout: int) -> None:
    table, held, random = fixture(8, 20, 20)
    rows = AuditRows(_first(table, train), _first(held, holdout))
    near = Neighbourhood.of(Candidate(table), rows, AuditSettings(), random)
    assert (near.members.table.rows, near.others.table.rows) == (train, holdout)
    assert near.members.reference.shape == (train, NEIGHBOURS)


def _first(table: Table, rows: int) -> Table:
    return table.take(np.arange(rows))

"""Judging pictures: right answers, and how near they are to others."""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.evaluation.pictures import nearest_distances, picture_accuracy
from headwater.schema.table import Table
from support.pictures import PICTURES, picture_table
from support.recipes import small_table


def test_real_pictures_teach_and_shuffled_labels_do_not() -> None:
    train, test = picture_table(300), picture_table(200, seed=1)
    shuffled = dict(train.columns) | {"shape": np.random.default_rng(0).permutation(train.columns["shape"])}
    right, wrong = picture_accuracy(train, test), picture_accuracy(Table(PICTURES, shuffled, 300), test)
    assert min(right["svc"], right["forest"]) > 0.95
    # Where a bar stands is chance, so that no line separates the shapes.
    assert max(wrong.values()) < 0.7 > right["lr"]


def test_pictures_of_one_class_answer_with_that_class() -> None:
    train = picture_table(100)
    test = picture_table(200, seed=1)
    ones = train.take(train.columns["shape"] == 1)
    assert picture_accuracy(ones, test)["svc"] == pytest.approx(float((test.columns["shape"] == 1).mean()))


def test_a_copy_is_at_distance_0_and_a_changed_pixel_is_not() -> None:
    table = picture_table(50)
    assert nearest_distances(table, table).max() < 1e-7
    assert nearest_distances(table.take(np.arange(0)), table).shape == (0,)
    one = table.take(np.arange(1))
    changed = one.columns["scan"].copy()
    changed[0, 5] = 7 - changed[0, 5]
    step = abs(int(changed[0, 5]) - int(one.columns["scan"][0, 5]))
    found = nearest_distances(Table(PICTURES, {**one.columns, "scan": changed}, 1), one)
    assert found[0] == pytest.approx(step / 7 / 4)


def test_a_table_without_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="no image"):
        picture_accuracy(small_table(20), small_table(20))

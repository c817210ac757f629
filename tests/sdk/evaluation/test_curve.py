"""The sample-size curve and the agreement of views: what a model gains, and when it says the same of two rows."""

import numpy as np
import pandas as pd
import pytest

from headwater.errors import InputError
from headwater.evaluation.agreement import LabelAgreement, widest_agreeing
from headwater.evaluation.curve import CurvePoint, enough, usefulness_curve


def rows(count: int, seed: int, noise: float = 0.5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(count, 3)), columns=["a", "b", "c"])
    score = frame["a"] * frame["b"] + noise * random.normal(size=count)
    return frame.assign(sort=np.where(score > 0, "up", "down"))


def test_more_rows_teach_more_and_each_size_holds_the_smaller_ones() -> None:
    asked = []

    def draw(count: int) -> pd.DataFrame:
        asked.append(count)
        return rows(count, 1)

    points = usefulness_curve(rows(200, 2), rows(1000, 3), "sort", draw, (60, 2000, 400))
    assert asked == [2000]
    assert [point.rows for point in points] == [60, 400, 2000]
    assert points[0].gbm + 0.1 < points[2].gbm
    assert points[0] == usefulness_curve(rows(200, 2), rows(1000, 3), "sort", lambda _: rows(2000, 1), (60,))[0]


def test_the_number_that_is_enough_is_the_smallest_near_the_best() -> None:
    points = [CurvePoint(10, 0.6), CurvePoint(100, 0.8), CurvePoint(1000, 0.801), CurvePoint(10_000, 0.8)]
    assert enough(points) == 100
    assert enough(points, near=0.0) == 1000


def test_rows_of_one_class_teach_nothing() -> None:
    one = rows(500, 1).assign(sort="up")
    assert usefulness_curve(rows(200, 2), rows(300, 3), "sort", lambda _: one, (500,))[0].gbm == 0.5


def test_test_rows_of_one_class_and_no_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="classes"):
        usefulness_curve(rows(200, 2), rows(300, 3).assign(sort="up"), "sort", lambda n: rows(n, 1), (50,))
    with pytest.raises(InputError, match="at least 1"):
        usefulness_curve(rows(200, 2), rows(300, 3), "sort", lambda n: rows(n, 1), ())


def test_labels_agree_on_equal_rows_and_by_chance_on_unrelated_ones() -> None:
    judge = LabelAgreement(rows(2000, 1), "sort")
    anchors = rows(1000, 2)
    assert judge.of(anchors, anchors) == 1.0
    assert judge.of(anchors, rows(1000, 3)) == pytest.approx(0.5, abs=0.08)


def test_the_widest_deviation_is_the_last_before_they_disagree() -> None:
    assert widest_agreeing({0.1: 0.99, 0.2: 0.96, 0.3: 0.94, 0.5: 0.97}) == 0.2
    assert widest_agreeing({0.1: 0.94}) is None

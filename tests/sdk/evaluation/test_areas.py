"""Areas and their errors, by scikit-learn and by resampling; sums over organisations."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from headwater.evaluation.areas import area, area_variance, covariance, placements
from headwater.evaluation.paired import FIELDS, count_pair, read_pairs
from headwater.evaluation.tasks import Task

TWO = Task("ill", ("no", "yes"), (0, 1))
THREE = Task("kind", ("a", "b", "c"), (0, 1, 2))


def scored(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and scores of two models that agree in part."""
    random = np.random.default_rng(seed)
    truth = (random.random(rows) < 0.3).astype(np.int64)
    shared = random.normal(size=rows)
    left = truth + shared + 0.5 * random.normal(size=rows)
    return truth, left, 0.7 * truth + shared + 0.5 * random.normal(size=rows)


def two_sided(scores: np.ndarray) -> np.ndarray:
    return np.stack([-scores, scores], axis=1)


@pytest.mark.parametrize("digits", [1, 8])
def test_an_area_is_scikit_learns_ties_included(digits: int) -> None:
    truth, scores, _ = scored(500, 0)
    scores = scores.round(digits)
    expected = roc_auc_score(truth, scores)
    found = placements(scores, truth == 1)
    assert found.area == pytest.approx(expected)
    assert float(found.negative.mean()) == pytest.approx(expected)
    grid = np.unique(scores)
    counts = [np.array([(scores[truth == side] == cell).sum() for cell in grid]) for side in (1, 0)]
    assert area(*counts) == pytest.approx(expected)
    assert area_variance(*counts) == pytest.approx(covariance(found, found))


def test_errors_are_those_of_repeated_samples() -> None:
    areas = []
    for seed in range(300):
        truth, left, right = scored(300, 100 + seed)
        areas.append([placements(scores, truth == 1).area for scores in (left, right)])
    truth, left, right = scored(3000, 0)
    found = [placements(scores, truth == 1) for scores in (left, right)]
    told = np.array([[covariance(one, other) for other in found] for one in found]) * 10
    np.testing.assert_allclose(told, np.cov(np.array(areas).T), rtol=0.25)


def test_a_pair_is_read_as_it_was_counted() -> None:
    truth, left, right = scored(900, 1)
    pair = read_pairs(count_pair(TWO, truth, two_sided(left), two_sided(right)))
    assert pair is not None
    assert pair.tested == pytest.approx(roc_auc_score(truth, left), abs=1e-5)
    assert pair.yardstick == pytest.approx(roc_auc_score(truth, right), abs=1e-5)
    assert pair.ratio == pytest.approx(pair.tested / pair.yardstick)
    assert pair.scarcest == truth.sum()
    one, other = (placements(scores, truth == 1) for scores in (left, right))
    gap = covariance(one, one) + covariance(other, other) - 2 * covariance(one, other)
    assert pair.gap_variance == pytest.approx(gap, rel=0.05)
    # Models that share their mistakes differ by less than each of them varies.
    assert pair.gap_variance < pair.tested_variance + pair.yardstick_variance


def test_the_ratios_error_is_that_of_repeated_samples() -> None:
    ratios = []
    for seed in range(300):
        truth, left, right = scored(300, 500 + seed)
        pair = read_pairs(count_pair(TWO, truth, two_sided(left), two_sided(right)))
        assert pair is not None
        ratios.append((pair.ratio, pair.ratio_error))
    found = np.array(ratios)
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)


def test_organisations_of_other_usual_labels_do_not_look_like_skill() -> None:
    # Each model knows its organisation's usual label and nothing else: no area but one half within each.
    random = np.random.default_rng(0)
    counts = np.zeros(FIELDS, np.int64)
    for share in (0.1, 0.9):
        truth = (random.random(2000) < share).astype(np.int64)
        noise = random.normal(scale=0.01, size=2000)
        counts += count_pair(TWO, truth, two_sided(share + noise), two_sided(share + noise))
    pair = read_pairs(counts)
    assert pair is not None
    assert pair.tested == pytest.approx(0.5, abs=0.03)


def test_several_classes_are_told_from_the_rest_one_by_one() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 600)
    scores = random.random((600, 3))
    scores[np.arange(600), truth] += 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    pair = read_pairs(count_pair(THREE, truth, scores, scores))
    assert pair is not None
    assert pair.tested == pytest.approx(roc_auc_score(truth, scores, multi_class="ovr"), abs=1e-5)
    assert pair.gap_variance == 0


def test_counts_stay_below_their_limit_and_rows_of_one_class_have_no_area() -> None:
    random = np.random.default_rng(0)
    truth = np.zeros(200_000, np.int64)
    truth[:2] = 1
    counts = count_pair(TWO, truth, two_sided(random.random(200_000)), two_sided(random.random(200_000)))
    assert counts.max() < 2**24
    assert read_pairs(count_pair(TWO, np.zeros(50, np.int64), np.zeros((50, 2)), np.zeros((50, 2)))) is None

"""Views of a mixture's rows: each one a row of the mixture, the closer the smaller their standard deviation."""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.mixture.sampling import sample_tables
from headwater.mixture.views import MixtureViews, correlation
from headwater.schema.table import Table
from support.likeness import column_distances, fitted_mixture

MIXTURE, ENCODING = fitted_mixture()
VIEWS = MixtureViews(MIXTURE, ENCODING)


def equal_values(left: Table, right: Table) -> float:
    """Share of values that two views have in common."""
    pairs = [(left.columns[name], right.columns[name]) for name in left.schema.names]
    return float(np.mean([(a == b) | ((a != a) & (b != b)) for a, b in pairs]))


@pytest.mark.parametrize("view_std", [0.1, 0.5, 3.0])
def test_each_view_alone_is_a_draw_of_the_mixture(view_std: float) -> None:
    """12,000 rows against 100,000: under .021 in one of 10,000 comparisons (Kolmogorov-Smirnov), 42 are made."""
    plain = Table.concat(list(sample_tables(MIXTURE, ENCODING, 100_000, 4, batch_size=50_000)))
    for table in VIEWS.tables(12_000, 2, view_std, (9,)):
        assert max(column_distances(table, plain).values()) < 0.021


def test_views_are_equal_at_zero_and_ever_less_alike() -> None:
    found = []
    for view_std in (0.0, 0.1, 0.3, 1.0, 3.0, 30.0):
        anchor, first, second = VIEWS.tables(4000, 3, view_std, (2,))
        found.append(equal_values(anchor, first))
        # All views of a group are alike in the same measure, a little less than with the anchor.
        assert equal_values(first, second) <= found[-1] + 0.01
    assert found[0] == 1.0
    assert (np.diff(found) < -0.02).all()
    unrelated = equal_values(VIEWS.tables(4000, 1, 0.0, (3,))[0], VIEWS.tables(4000, 1, 0.0, (4,))[0])
    assert found[-1] == pytest.approx(unrelated, abs=0.03)


@pytest.mark.parametrize("view_std", [-0.1, float("nan"), float("inf")])
def test_a_distance_that_is_none_is_refused(view_std: float) -> None:
    with pytest.raises(InputError, match="standard deviation"):
        correlation(view_std)

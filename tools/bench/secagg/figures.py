"""What repeats of a measurement say: medians, or ratios of them."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["median_of", "ratio"]


def median_of(repeats: Sequence[Mapping[str, Any]], name: str) -> float:
    """The median of one figure over the repeats; not a number when there is no repeat, or one has none."""
    values = [float(repeat[name]) for repeat in repeats]
    return math.nan if not values or any(math.isnan(value) for value in values) else statistics.median(values)


def ratio(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], name: str) -> float:
    """The ratio of the two medians of one figure, taken in the same run."""
    return median_of(ours, name) / median_of(theirs, name)

"""One error for many tests: Holm's step-down adjustment of p-values."""

from collections.abc import Sequence

from headwater.errors import InputError

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the order given.

    Rejecting what is at most α after adjustment keeps the chance of rejecting any true hypothesis at most α, however
    the tests depend on each other.

    Args:
        p_values: each from 0 to 1, of a test that is valid by itself.

    Returns:
        As many; each the largest (m − rank + 1) · p of all that rank no higher, at most 1.

    Raises:
        InputError: a value is no probability.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", section 2.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise InputError("a p-value is not between 0 and 1; the check that gave it is broken")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min((len(order) - rank) * p_values[index], 1.0))
        adjusted[index] = largest
    return tuple(adjusted)

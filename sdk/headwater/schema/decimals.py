"""Numbers of so many decimals, as whole numbers of units of 10^-decimals.

A float64 of at most 2^53 units is the one nearest to its decimal writing, so it is written with no more digits.
"""

import numpy as np
from numpy.typing import NDArray

from headwater.schema.columns import MOST_DECIMALS

__all__ = ["decimals_of", "first_unit", "last_unit", "rounded", "units_of"]

F64 = NDArray[np.float64]

_EXACT_INTEGER = 2**53


def decimals_of(values: F64) -> int | None:
    """Fewest decimals that write every value exactly.

    Args:
        values: finite, at least one.

    Returns:
        0 to 15; None where some value needs more, or more digits in all than a float64 holds.
    """
    largest = float(np.abs(values).max())
    rest = values
    for decimals in range(MOST_DECIMALS + 1):
        if largest * 10.0**decimals > _EXACT_INTEGER:
            return None
        rest = rest[rounded(rest, decimals) != rest]
        if not len(rest):
            return decimals
    return None


def units_of(values: F64, decimals: int) -> F64:
    """The nearest whole number of units of each value, as float64; halves go to the even one."""
    units: F64 = np.rint(values * 10.0**decimals)
    return units


def rounded(values: F64, decimals: int) -> F64:
    """The nearest value of so many decimals.

    Args:
        values: at most 2^53 units, or NaN, which stays.
        decimals: 0 to 15.

    Guarantee: order is kept, and a value that has no more decimals is unchanged; so values within bounds of so many
    decimals stay within them.
    """
    return units_of(values, decimals) / 10.0**decimals


def first_unit(values: F64, decimals: int) -> F64:
    """The least whole number of units that is not below each value."""
    units = units_of(values, decimals)
    return units + (units / 10.0**decimals < values)


def last_unit(values: F64, decimals: int) -> F64:
    """The largest whole number of units that is not above each value."""
    units = units_of(values, decimals)
    return units - (units / 10.0**decimals > values)

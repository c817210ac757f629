"""Columns in words, as card and page have them."""

import pytest

from headwater.release.domain import describe_domain
from headwater.schema import NumericColumn


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "0 to 1,500"),
        ({"decimals": 1}, "0 to 1,500, 1 decimal"),
        ({"decimals": 4, "special_values": (-1.0,)}, "0 to 1,500, 4 decimals, special -1"),
        ({"decimals": 0, "missing": True}, "0 to 1,500, 0 decimals; may be missing"),
    ],
)
def test_a_numeric_columns_decimals_are_told(changes: dict[str, object], words: str) -> None:
    column = NumericColumn.model_validate({"name": "x", "lower": 0, "upper": 1500, **changes})
    assert describe_domain(column) == words

"""Conditions as JSON: what is written reads back as the same condition, and what is wrong is told."""

import datetime
import json

import pytest

from headwater.errors import InputError
from headwater.schema.condition import Between, Condition, Where
from headwater.schema.condition_json import condition_as_json, condition_from_json, where_as_json
from support.recipes import SCHEMA


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"ward": "a"},
        {"ward": ["a", None], "outcome": "ill"},
        {"smoker": True},
        {"age": 41, "income": [-1.0, Between(100, None)]},
        {"age": Between(None, 40.5)},
        {"seen": datetime.date(2021, 2, 3)},
        {
            "seen": [
                Between(datetime.date(2021, 1, 1), datetime.date(2021, 12, 31)),
                datetime.datetime(2022, 5, 1, 3, 4),
            ]
        },
    ],
)
def test_what_is_written_reads_back(where: Where) -> None:
    written = json.loads(json.dumps(where_as_json(where)))
    condition = Condition.parse(SCHEMA, where)
    assert condition_from_json(SCHEMA, written) == condition
    # What was read already is written as well.
    assert condition_from_json(SCHEMA, json.loads(json.dumps(condition_as_json(condition)))) == condition


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"age": {}}, "write one of them"),
        ({"age": {"lower": 1, "least": 2}}, "write one of them"),
        ({"age": {"lower": "1"}}, "neither a number, a day nor null"),
        ({"age": {"lower": True}}, "neither a number, a day nor null"),
        ({"age": [[1]]}, "write one of them"),
        ({"age": []}, "allows no value"),
        ({"seen": "tomorrow"}, "YYYY-MM-DD"),
        ({"seen": {"lower": "2021-13-01"}}, "YYYY-MM-DD"),
        ({"seen": 3}, "holds days"),
        ({"ward": {"lower": 1}}, "has no category"),
        ({"none": 1}, "no column 'none'"),
    ],
)
def test_other_forms_are_refused(document: dict[str, object], line: str) -> None:
    with pytest.raises(InputError, match=line):
        condition_from_json(SCHEMA, document)

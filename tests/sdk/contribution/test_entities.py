"""At most so many rows of each person, chosen by that person's rows alone."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.contribution.entities import clip_entities
from headwater.errors import InputError
from support.recipes import small_table

TABLE = small_table(600)
PEOPLE = np.random.default_rng(1).integers(0, 90, TABLE.rows)


def ages(rows: object) -> list[float]:
    return rows.columns["income"].tolist()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("most", [1, 3, 100])
def test_nobody_has_more_rows_than_the_budget_pays_for(most: int) -> None:
    table = TABLE.take(np.arange(TABLE.rows))
    table.columns["age"][:] = PEOPLE
    kept = clip_entities(table, pa.chunked_array([PEOPLE]), most)
    counts = np.bincount(kept.columns["age"].astype(np.int64), minlength=90)
    assert np.array_equal(counts, np.minimum(np.bincount(PEOPLE, minlength=90), most))


def test_a_person_who_goes_takes_no_other_persons_rows_along() -> None:
    table = TABLE.take(np.arange(TABLE.rows))
    table.columns["age"][:] = PEOPLE
    gone = PEOPLE != 17
    whole = clip_entities(table, pa.chunked_array([PEOPLE]), 3)
    without = clip_entities(table.take(gone), pa.chunked_array([PEOPLE[gone]]), 3)
    others = whole.take(whole.columns["age"] != 17)
    assert ages(others) == pytest.approx(ages(without), nan_ok=True)
    assert 0 < whole.rows - without.rows <= 3


def test_rows_that_are_nobodys_do_not_take_part() -> None:
    named = [None if person < 10 else f"p{person}" for person in PEOPLE]
    kept = clip_entities(TABLE, pa.chunked_array([named]), 1000)
    assert kept.rows == int((PEOPLE >= 10).sum())


def test_an_entry_for_each_row_is_asked_for() -> None:
    with pytest.raises(InputError, match="one for each row"):
        clip_entities(TABLE, pa.chunked_array([PEOPLE[:-1]]), 1)


@pytest.mark.parametrize("nobody", [float("nan"), ""])
def test_nobody_has_several_names(nobody: object) -> None:
    named = [
        nobody if person < 10 else (float(person) if isinstance(nobody, float) else f"p{person}") for person in PEOPLE
    ]
    kept = clip_entities(TABLE, pa.chunked_array([pa.array(named, from_pandas=False)]), 1000)
    assert kept.rows == int((PEOPLE >= 10).sum())


def test_a_word_that_stands_in_a_dictionary_twice_is_one_person() -> None:
    indices = pa.array([0, 1, 2, 3] * 150)
    coded = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b", "a", None]))
    assert clip_entities(TABLE, pa.chunked_array([coded]), 5).rows == 2 * 5


def test_a_column_of_lists_names_nobody() -> None:
    with pytest.raises(InputError, match="text, numbers or dates"):
        clip_entities(TABLE, pa.chunked_array([[[1]] * TABLE.rows]), 5)

"""What is kept for a table: worked out once a key, never another table's, gone with the table."""

import gc
import weakref

from headwater.contribution.remembered import Remembered
from support.recipes import small_table


def test_a_value_is_worked_out_once_for_a_key_and_anew_for_another() -> None:
    kept, table, asked = Remembered[str](), small_table(5), list[str]()

    def ask(key: str) -> str:
        def work_out() -> str:
            asked.append(key)
            return key

        return kept.get(table, key, work_out)

    assert [ask(key) for key in ("a", "a", "b", "a")] == ["a", "a", "b", "a"]
    assert asked == ["a", "b", "a"]


def test_another_table_s_value_is_never_given() -> None:
    kept, first, second = Remembered[str](), small_table(5), small_table(5)
    assert kept.get(first, "key", lambda: "first") == "first"
    assert kept.get(second, "key", lambda: "second") == "second"


def test_a_value_goes_with_its_table() -> None:
    class Value:
        pass

    kept, table = Remembered[Value](), small_table(5)
    value = weakref.ref(kept.get(table, "key", Value))
    assert value() is not None
    del table
    gc.collect()
    assert value() is None

"""A run named by the first digits of its id."""

import pytest

from headwater.agreement.run_ids import find_run, read_digits
from headwater.errors import InputError

RUNS = ["4be1c09a" * 4, "4be1ffff" * 4, "0f" * 16]


@pytest.mark.parametrize("text", ["0f0f", " 0F0F0f ", "0f" * 16])
def test_the_beginning_names_the_run_in_either_case(text: str) -> None:
    assert find_run(text, RUNS, "run list") == "0f" * 16


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4be1", "2 runs begin with 4be1; run list shows the runs"),
        ("5a5a", "no run begins with 5a5a"),
        ("0f0", "'0f0' is no run id"),
        ("", "'' is no run id"),
        ("0f" * 17, "is no run id"),
        ("0f0g", "is no run id"),
        ("0f0f\x1b[2J", "is no run id"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        find_run(text, RUNS, "run list")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_digits_alone_need_no_list() -> None:
    assert read_digits("ABCD", "run list") == "abcd"

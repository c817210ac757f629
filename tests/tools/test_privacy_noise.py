"""The error of noisy sums, measured on the path that a run takes."""

import math
import pathlib
from typing import Any

import pytest

from privacy.noise import measure
from privacy.peers import public_domain
from support.magic_table import write_magic


def measured(folder: pathlib.Path, organisations: int, mode: Any) -> dict[str, Any]:
    file = str(write_magic(folder))
    return measure(
        file=file, table="magic", organisations=organisations, mode=mode, epsilon=1.0, delta=1e-6, repeats=3, seed=1
    )


@pytest.mark.parametrize(("mode", "honest"), [("joint", 3), ("local", 1)])
def test_error_is_what_the_members_noise_adds_up_to(tmp_path: pathlib.Path, mode: str, honest: int) -> None:
    figures = measured(tmp_path, 5, mode)

    assert figures["honest"] == honest
    # Of so many cells the root mean square is within 5 % with a chance far above .999.
    assert figures["cells"] * 3 > 2000
    assert figures["error"] == pytest.approx(figures["central"] * math.sqrt(5 / honest), rel=0.05)


def test_bytes_are_those_of_all_organisations(tmp_path: pathlib.Path) -> None:
    few, many = (measured(tmp_path, members, "joint")["bytes_up"] for members in (4, 8))

    assert many == 2 * few


def test_peers_are_told_bounds_and_categories_and_no_row(tmp_path: pathlib.Path) -> None:
    domain = public_domain(write_magic(tmp_path), "class")
    columns = {column["name"]: column for column in domain["columns"]}

    assert (domain["target"], columns["class"]["categories"]) == ("class", ["g", "h"])
    assert columns["a"]["lows"] == sorted(columns["a"]["lows"])
    assert set().union(*columns.values()) == {"name", "missing", "categories", "special", "lows", "highs", "whole"}

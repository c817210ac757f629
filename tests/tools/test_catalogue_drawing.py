"""Rows drawn for the benchmark of the catalogue: by processes that answer, and by the command for very many."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from catalogue.drawers import our_drawer, running
from catalogue.generators import Generators
from catalogue.shards import draw_shards
from harness.memory import family_bytes


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Generators:
    """Of a small table in the place of Adult."""
    data, random = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    lines = [f"{age},{'>50K' if age > 50 else '<=50K'}" for age in random.integers(18, 80, 600)]
    (data / "adult.csv").write_text("\n".join(["age,income", *lines]) + "\n", encoding="utf-8")
    return Generators(data, tmp_path_factory.mktemp("generators"))


def test_a_drawer_says_what_it_is_and_what_rows_took(generators: Generators, tmp_path: pathlib.Path) -> None:
    with running(our_drawer(generators.bundle("mixture")), tmp_path / "mixture.log") as drawer:
        assert drawer.about == {"kind": "mixture", "columns": 2}
        for rows in (1_000, 70_000):
            figures = drawer.draw(rows)
            assert figures["rows"] == rows
            assert figures["bytes"] > 0
            assert figures["cpu_seconds"] > 0
            assert figures["wall_seconds"] > 0


def test_a_drawer_that_ends_says_why(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(ValueError, match=r"none ended: .*nowhere"),
        running(our_drawer(tmp_path / "nowhere"), tmp_path / "none.log"),
    ):
        pass


def test_a_drawer_that_draws_another_number_is_not_believed(tmp_path: pathlib.Path) -> None:
    said = [json.dumps({"kind": "x", "columns": 1}), json.dumps({"rows": 4})]
    program = f"print({said[0]!r}, flush=True); input(); print({said[1]!r}, flush=True)"
    with (
        running([sys.executable, "-c", program], tmp_path / "other.log") as drawer,
        pytest.raises(ValueError, match="other drew 4 rows, not 5"),
    ):
        drawer.draw(5)


def test_very_many_rows_are_the_commands_own(generators: Generators) -> None:
    figures = draw_shards(generators.bundle("mixture"), 300_000, 0)
    assert figures["rows"] == 300_000
    assert figures["peak"] > 50 * 2**20
    assert 300_000 / 10 < figures["size"] < 300_000 * 20
    with pytest.raises(ValueError, match=r"sample ended with [1-9]"):
        draw_shards(generators.train, 10, 0)


def test_training_rows_are_the_judges(generators: Generators) -> None:
    assert len(generators.train.read_text(encoding="utf-8").splitlines()) == 1 + 480


def test_without_a_table_rows_are_made(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match=r"adult\.csv is not there"):
        print(Generators(tmp_path, tmp_path).table)


def test_memory_of_a_family_has_its_children_in_it() -> None:
    alone = family_bytes(os.getpid())
    program = "import sys; held = bytearray(b'x') * 2**26; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert family_bytes(os.getpid()) > alone + 2**26

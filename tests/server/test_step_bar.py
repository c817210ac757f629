"""A command's steps: whole lines in a file, none for a step that broke off."""

import io

import pytest
from rich.console import Console

from headwater.errors import InputError
from headwater_server.step_bar import StepBar


def test_a_file_gets_a_whole_line_for_each_step_and_nothing_of_the_bar() -> None:
    file = io.StringIO()
    label = "Drawing [and comparing] a hundred thousand rows of each of two generators, which is long"
    with StepBar(Console(file=file, width=40)) as bar:
        with bar.step(label):
            bar.advance(1, 2)
        with pytest.raises(InputError), bar.step("Broken"):
            raise InputError("no")
    (line,) = file.getvalue().splitlines()
    assert line.startswith(f"{label}: 0.")
    assert line.endswith(" s")


def test_a_terminal_sees_the_step_while_it_lasts() -> None:
    file = io.StringIO()
    with StepBar(Console(file=file, force_terminal=True, width=80)) as bar:
        bar.begin("Drawing rows")
        bar.advance(1, 2)
    assert "Drawing rows" in file.getvalue()

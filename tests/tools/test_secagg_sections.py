"""Every section of the benchmark runs at tiny sizes, and what it measures is really measured."""

import json
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest

from harness.memory import Memory
from secagg.ceilings import measure_ceilings
from secagg.costs import Cell, measure_cell
from secagg.growth import measure_growth
from secagg.plot import draw
from secagg.process import Clock
from secagg.report import describe

BENCH = pathlib.Path(__file__).parents[2] / "tools" / "bench"


def _burn(seconds: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


def test_clock_counts_what_is_inside_its_blocks_and_nothing_outside() -> None:
    clock = Clock()
    _burn(0.2)
    with clock:
        _burn(0.1)
    _burn(0.2)

    assert 0.09 < clock.seconds < 0.19


def test_memory_sees_a_peak_that_is_gone_and_forgets_it_on_reset() -> None:
    memory = Memory()
    held = bytearray(64 * 2**20)
    del held
    peak = memory.peak_bytes
    memory.reset()

    assert peak > 60 * 2**20
    assert memory.peak_bytes < peak / 2


def test_ceilings_are_rates_of_cipher_masking_and_copy() -> None:
    (once,) = measure_ceilings(masks=3, length=50_000, repeats=1)

    assert set(once) == {"keystream", "masking", "copy"}
    assert min(once.values()) > 0


def test_growth_ends_in_the_exact_sum_of_measured_members_and_stand_ins() -> None:
    row = measure_growth(9, 40)

    assert min(row["member_setup"], row["member_round"], row["server_setup"], row["server_round"]) > 0
    assert row["phases"]["unmasking"] > 0
    assert row["bytes_up"] > 8 * 1088


@pytest.mark.slow
def test_costs_of_both_sides_are_measured_with_and_without_dropouts(tmp_path: pathlib.Path) -> None:
    sections = {}
    for letter, dropped in (("a", 0), ("e", 1)):
        cell = Cell(5, 2000, repeats=1, warm_up=0, dropped=dropped)
        row = measure_cell(cell)
        for side in ("headwater", "flower"):
            (cost,) = row[side]
            assert min(cost["client_seconds"], cost["server_seconds"], cost["bytes_up"]) > 0
            assert 0 < cost["largest_error"] < 1e-3
        settings = {"count": 5, "length": 2000, "stand_ins": False, "dropped": dropped}
        sections[letter] = [{"settings": settings, "row": row}]
    ours, theirs = sections["a"][0]["row"]["headwater"][0], sections["a"][0]["row"]["flower"][0]
    assert ours["bytes_up"] < theirs["bytes_up"]
    assert ours["largest_error"] < 1e-6

    draw(sections, tmp_path / "plot.svg")

    assert xml.etree.ElementTree.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")
    assert "(e) Dropouts" in describe(sections, "a machine")


@pytest.mark.slow
def test_rounds_over_loopback_are_measured() -> None:
    command = [sys.executable, str(BENCH / "secagg_rounds.py"), "--rounds", "1", "--members", "3", "--length", "1000"]
    told = subprocess.run([*command, "--json"], check=True, capture_output=True, timeout=500)
    figures = json.loads(told.stdout)

    assert figures["rounds_per_second"] > 0
    assert figures["bytes_up"] > 4000


@pytest.mark.slow
def test_command_prints_its_table_and_resumes_from_its_rows(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, str(BENCH / "run_secagg.py"), "--only", "c", "--quick", "--out", str(tmp_path)]
    first = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)
    second = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)

    assert "| masking rate, of AES-256-CTR's |" in first.stdout
    assert second.stdout == first.stdout
    missed = "MISSED" in first.stdout
    assert (first.returncode, second.returncode) == (missed, missed)
    assert json.loads((tmp_path / "secagg.json").read_text(encoding="utf-8"))["sections"]["c"]
    assert (tmp_path / "secagg.svg").is_file()


def test_unknown_section_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, str(BENCH / "run_secagg.py"), "--only", "x", "--out", str(tmp_path)]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)

    assert told.returncode == 2
    assert "'x' was given" in told.stderr

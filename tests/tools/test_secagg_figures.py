"""The benchmark of secure aggregation judges its rows: medians, ratios, targets, tables."""

import math
from typing import Any

import pytest

from harness.tables import mebibytes, seconds, values
from secagg.figures import median_of, ratio
from secagg.report import TARGETS, describe, measured_numbers, verdicts


def test_ratio_is_of_medians_so_one_slow_repeat_changes_nothing() -> None:
    ours = [{"seconds": 1.0}, {"seconds": 90.0}, {"seconds": 2.0}]
    theirs = [{"seconds": 10.0}, {"seconds": 8.0}, {"seconds": 900.0}]

    assert ratio(ours, theirs, "seconds") == pytest.approx(0.2)


def test_median_with_a_repeat_that_has_no_figure_is_no_number() -> None:
    assert math.isnan(median_of([{"error": 1.0}, {"error": math.nan}, {"error": 2.0}], "error"))
    assert math.isnan(median_of([], "error"))


def _cost(client: float, server: float, **other: Any) -> dict[str, Any]:
    cost = {
        "client_seconds": client,
        "encoding_seconds": 0.0,
        "server_seconds": server,
        "hashing_seconds": server / 2,
        "phases": {"chunk": server / 2, "upload": server / 4, "unmasking": server / 4},
        "bytes_up": 4_010_000,
        "client_peak_bytes": 2**20,
        "server_peak_bytes": 3 * 2**20,
        "largest_error": 1e-8,
    }
    return cost | other


def test_the_clients_ratio_counts_our_rounding_because_flowers_figure_holds_its_own() -> None:
    numbers = measured_numbers({"a": [_cell(10, 10**6, encoding_seconds=0.02)]})

    assert numbers["client CPU with rounding, of Flower's SecAgg+, 10 × 10^6"] == pytest.approx(0.3)


def _cell(count: int, length: int, **other: Any) -> dict[str, Any]:
    settings = {"count": count, "length": length, "stand_ins": count == 50, "dropped": 0}
    row = {
        "headwater": [_cost(0.01, 0.05, **other)],
        "flower": [_cost(0.1, 0.25, bytes_up=8_000_000)],
        "spool_bytes": 2**20,
    }
    return {"settings": settings, "row": row}


def _sections() -> dict[str, list[dict[str, Any]]]:
    phases = {"begin": 1.0, "capsules": 2.0}
    grown = {"member_setup": 1.0, "member_round": 0.5, "server_setup": 20.0, "server_round": 10.0}
    loopback = {"rounds_per_second": 16.0, "slowest": 15.5, "fastest": 17.0, "coordinator_cpu_ms": 20.0}
    return {
        "a": [_cell(10, 10**6), _cell(10, 10**7, bytes_up=40_100_000), _cell(50, 10**7, bytes_up=40_200_000)],
        "b": [
            {
                "settings": {"members": 10, "length": 10**5},
                "row": loopback | {"member_cpu_ms": 9.0, "journal_ms": 3.0, "bytes_up": 4e5, "bytes_down": 2e4},
            }
        ],
        "c": [{"settings": {}, "row": [{"masking": 6e9, "keystream": 8e9, "copy": 1e10}]}],
        "d": [
            {
                "settings": {"count": 1000, "length": 10**4},
                "row": grown | {"phases": phases, "bytes_up": 10**6},
            }
        ],
        "e": [_cell(10, 10**6)],
    }


def test_every_target_is_read_from_the_rows_of_a_full_run() -> None:
    judged = verdicts(_sections())

    assert [verdict.target for verdict in judged] == list(TARGETS)
    assert {verdict.word for verdict in judged} == {"ok"}


@pytest.mark.parametrize(
    ("letter", "place", "change"),
    [
        ("a", 0, {"headwater": [_cost(0.03, 0.05)]}),
        ("a", 1, {"headwater": [_cost(0.01, 0.07, bytes_up=40_000_000)]}),
        ("a", 0, {"headwater": [_cost(0.01, 0.05, bytes_up=4_200_000)]}),
        ("a", 0, {"headwater": [_cost(0.01, 0.05, largest_error=2e-6)]}),
        ("a", 2, {"headwater": [_cost(0.01, 0.05, bytes_up=40_000_000, server_peak_bytes=2**20 + 121_000_000)]}),
        ("b", 0, {"rounds_per_second": 14.0}),
        ("d", 0, {"member_setup": 2.6}),
        ("d", 0, {"server_setup": 51.0}),
    ],
)
def test_each_number_alone_can_miss_its_target(letter: str, place: int, change: dict[str, Any]) -> None:
    sections = _sections()
    sections[letter][place]["row"] = sections[letter][place]["row"] | change

    assert [verdict.word for verdict in verdicts(sections)].count("MISSED") == 1


def test_masking_is_judged_against_the_cipher_of_the_same_run() -> None:
    sections = _sections()
    sections["c"][0]["row"] = [{"masking": 6e9, "keystream": 9e9, "copy": 1e10}]

    assert [verdict.word for verdict in verdicts(sections)].count("MISSED") == 1


def test_numbers_of_sections_that_were_left_out_are_missing() -> None:
    assert measured_numbers({}) == {}


def test_tables_name_every_section_that_was_measured_and_no_other() -> None:
    text = describe({"c": _sections()["c"]}, "a machine")

    assert "(c) Masking" in text
    assert "75%" in text
    assert "(a)" not in text
    assert "not measured" in text


def test_tables_of_a_full_run_have_as_many_cells_in_each_line() -> None:
    for block in describe(_sections(), "a machine").split("\n\n"):
        lines = [line.count("|") for line in block.splitlines() if line.startswith("|")]
        assert len(set(lines)) <= 1


def test_figures_are_written_with_their_units() -> None:
    assert [seconds(0.0123), seconds(1.5), seconds(math.nan)] == ["12.3 ms", "1.50 s", "–"]
    assert [values(10**6), values(5000)] == ["10^6", "5,000"]
    assert mebibytes(3 * 2**20) == "3 MiB"

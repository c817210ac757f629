"""The benchmark's judgement: medians, ratios, verdicts, tables, and rows that are not measured twice."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from secagg.figures import Target, Verdict, failed, judge, median_of, ratio
from secagg.report import TARGETS, describe, measured_numbers, verdicts
from secagg.rows import Rows, code_digest
from secagg.tables import amount, mebibytes, seconds, table, values

AT_MOST, AT_LEAST = Target("cost", 0.2), Target("rate", 15.0, at_least=True)


def test_ratio_is_of_medians_so_one_slow_repeat_changes_nothing() -> None:
    ours = [{"seconds": 1.0}, {"seconds": 90.0}, {"seconds": 2.0}]
    theirs = [{"seconds": 10.0}, {"seconds": 8.0}, {"seconds": 900.0}]

    assert ratio(ours, theirs, "seconds") == pytest.approx(0.2)


def test_median_with_a_repeat_that_has_no_figure_is_no_number() -> None:
    assert math.isnan(median_of([{"error": 1.0}, {"error": math.nan}, {"error": 2.0}], "error"))
    assert math.isnan(median_of([], "error"))


@pytest.mark.parametrize(
    ("target", "measured", "word"),
    [
        (AT_MOST, 0.2, "ok"),
        (AT_MOST, 0.2001, "MISSED"),
        (AT_LEAST, 15.0, "ok"),
        (AT_LEAST, 14.9, "MISSED"),
        (AT_MOST, None, "not measured"),
        (AT_MOST, math.nan, "MISSED"),
        (AT_LEAST, math.nan, "MISSED"),
    ],
)
def test_verdict_holds_the_bound_itself_for_reached(target: Target, measured: float | None, word: str) -> None:
    assert Verdict(target, measured).word == word


def test_status_fails_for_a_miss_and_not_for_what_was_left_out() -> None:
    assert not failed(judge([AT_MOST, AT_LEAST], {"cost": 0.1}))
    assert failed(judge([AT_MOST, AT_LEAST], {"cost": 0.1, "rate": 3.0}))


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


def test_table_is_markdown_with_figures_to_the_right() -> None:
    assert table(("name", "a"), [("x", "1")]) == "| name | a |\n| --- | ---: |\n| x | 1 |"


def test_figures_are_written_with_their_units() -> None:
    assert [seconds(0.0123), seconds(1.5), seconds(math.nan)] == ["12.3 ms", "1.50 s", "–"]
    assert [values(10**6), values(5000)] == ["10^6", "5,000"]
    assert mebibytes(3 * 2**20) == "3 MiB"
    assert [amount(0.1534), amount(2e-9), amount(0.0)] == ["0.153", "2.0e-09", "0"]


class _Measure:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, int]:
        self.calls += 1
        return {"call": self.calls}


def test_finished_row_is_not_measured_again(tmp_path: Path) -> None:
    measure = _Measure()

    first = Rows(tmp_path, "code").row("costs", {"count": 5}, measure)
    second = Rows(tmp_path, "code").row("costs", {"count": 5}, measure)

    assert first == second == {"call": 1}


@pytest.mark.parametrize(
    ("code", "name", "settings"),
    [("other", "costs", {"count": 5}), ("code", "growth", {"count": 5}), ("code", "costs", {"count": 6})],
)
def test_other_code_section_or_settings_are_measured(
    tmp_path: Path, code: str, name: str, settings: dict[str, int]
) -> None:
    measure = _Measure()
    Rows(tmp_path, "code").row("costs", {"count": 5}, measure)

    assert Rows(tmp_path, code).row(name, settings, measure) == {"call": 2}


def test_rows_can_be_measured_again_on_demand(tmp_path: Path) -> None:
    measure = _Measure()
    Rows(tmp_path, "code").row("costs", {}, measure)

    assert Rows(tmp_path, "code", again=True).row("costs", {}, measure) == {"call": 2}


def test_row_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> None:
        raise SystemExit("the sum is wrong")

    with pytest.raises(SystemExit):
        Rows(tmp_path, "code").row("costs", {}, broken)

    assert list(tmp_path.iterdir()) == []


def test_row_on_the_disk_says_its_settings(tmp_path: Path) -> None:
    Rows(tmp_path, "code").row("costs", {"count": 5}, _Measure())

    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text(encoding="utf-8"))["settings"] == {"count": 5}


def test_code_digest_changes_with_content_and_with_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1", encoding="utf-8")
    digests = {code_digest([tmp_path])}
    (tmp_path / "a.py").write_text("2", encoding="utf-8")
    digests.add(code_digest([tmp_path]))
    (tmp_path / "b.py").write_text("2", encoding="utf-8")
    digests.add(code_digest([tmp_path]))

    assert len(digests) == 3

"""What benchmarks share: verdicts, tables, rows that are not measured twice."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import cache
from harness.cache import Rows, code_digest
from harness.command import Benchmark, Figures, run
from harness.peer_environment import PACKAGES, make_environment, peer_python
from harness.tables import amount, table, verdict_table
from harness.verdicts import Target, Verdict, failed, judge

AT_MOST, AT_LEAST = Target("cost", 0.2), Target("rate", 15.0, at_least=True)


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


def test_table_is_markdown_with_figures_to_the_right() -> None:
    assert table(("name", "a"), [("x", "1")]) == "| name | a |\n| --- | ---: |\n| x | 1 |"


def test_amounts_have_three_digits_that_say_something() -> None:
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


def test_code_digest_is_the_same_in_another_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.py").write_text("1", encoding="utf-8")
        monkeypatch.setattr(cache, "_ROOT", folder)
        digests.append(code_digest([folder]))

    assert digests[0] == digests[1]


def test_environments_of_peers_lie_apart_and_none_is_used_before_it_is_made(tmp_path: Path) -> None:
    folders = set()
    for peer, packages in PACKAGES.items():
        with pytest.raises(SystemExit, match=f"no environment for {peer}"):
            peer_python(peer, tmp_path)
        folder = tmp_path / f"peer-{peer}"
        folder.mkdir()
        (folder / "made").write_text("\n".join(packages), encoding="utf-8")
        assert make_environment(peer, tmp_path) is None
        folders.add(peer_python(peer, tmp_path))

    assert len(folders) == len(PACKAGES)


def test_a_miss_by_a_trifle_is_written_with_the_digits_that_show_it() -> None:
    attack, rate = Target("attack", 0.56), Target("rate", 15, at_least=True)
    lines = verdict_table(
        [Verdict(attack, 0.5605), Verdict(attack, 0.5591), Verdict(rate, 14.9996), Verdict(rate, None)]
    )

    assert "| attack | ≤ 0.56 | 0.5605 | MISSED |" in lines
    assert "| attack | ≤ 0.56 | 0.559 | ok |" in lines
    assert "| rate | ≥ 15 | 14.9996 | MISSED |" in lines
    assert "| rate | ≥ 15 | – | not measured |" in lines


@dataclass(frozen=True)
class _Row:
    name: str
    peer: str | None = None


def _command(monkeypatch: pytest.MonkeyPatch, out: Path, *options: str, **figures: float | str) -> list[str]:
    """Run a benchmark's command over three rows, one of a peer without an environment; the rows that it measures."""
    asked: list[str] = []

    def measure(_: object, rows: Sequence[_Row]) -> Figures:
        asked.extend(row.name for row in rows)
        return {row.name: [figures or {"cost": 0.1}] for row in rows}

    monkeypatch.setattr("harness.command.make_environment", lambda peer: f"{peer} is not to be had")
    monkeypatch.setattr(sys, "argv", ["run", "--out", str(out), *options])
    run(
        Benchmark(
            name="tests",
            about="Measure nothing.",
            rows=lambda quick: [_Row("own-1")] if quick else [_Row("own-1"), _Row("own-2"), _Row("peer-1", "sdv")],
            peer=lambda row: row.peer,
            measure=measure,
            verdicts=lambda measured: judge([AT_MOST], {"cost": float(measured["own-1"][0].get("cost", 0.0))}),
            describe=lambda document: f"{len(document['rows'])} rows",
        )
    )
    return asked


def test_a_benchmarks_command_measures_what_can_be_measured_and_writes_it_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(monkeypatch, tmp_path) == ["own-1", "own-2"]
    told = capsys.readouterr()
    assert told.err == "sdv: left out, sdv is not to be had\n"
    assert told.out == (tmp_path / "tests.md").read_text(encoding="utf-8") == "2 rows\n"
    document = json.loads((tmp_path / "tests.json").read_text(encoding="utf-8"))
    assert [verdict["verdict"] for verdict in document["verdicts"]] == ["ok"]
    assert _command(monkeypatch, tmp_path, "--quick") == ["own-1"]
    assert _command(monkeypatch, tmp_path, "--only", "peer", "own-1") == ["own-1"]


@pytest.mark.parametrize(
    ("options", "figures", "status"),
    [(["--only", "none"], {}, 2), ([], {"cost": 0.3}, 1), ([], {"failed": "killed"}, 1)],
)
def test_a_benchmarks_command_fails_for_a_miss_a_broken_row_and_a_wrong_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], figures: dict[str, float | str], status: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        _command(monkeypatch, tmp_path, *options, **figures)
    assert ended.value.code == status

"""What the benchmark of the catalogue makes of its rows: medians, ratios, numbers to reach; and of wrk's words."""

import os
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from catalogue import clients
from catalogue.generators import GENERATORS
from catalogue.numbers import verdicts
from catalogue.pictures import SHARDS, draw
from catalogue.report import describe
from catalogue.rows import WORKERS, catalogue_rows, quick_rows
from harness.verdicts import failed

WRK = """Running 1s test @ https://127.0.0.1:1/
  1 threads and 8 connections
  Latency Distribution
     50%   24.91ms
     75%   30.00ms
     90%   40.00ms
     99%    1.05s
  281 requests in 1.00s, 4.00MB read
Requests/sec:    280.98
Transfer/sec:      4.00MB
"""


def measured(nginx: float = 2.0, sdk: float = 1.2) -> Mapping[str, list[Mapping[str, Any]]]:
    page = {"rate": 250.0, "median": 0.02, "slowest": 0.05, "cpu": 0.002}
    file = {"ours_seconds": 2.5, "nginx_seconds": nginx, "tuned_seconds": 2.4, "bytes": 2**30}
    file |= {"ours_cpu": 1.2, "nginx_cpu": 1.0, "tuned_cpu": 1.0}
    return {
        "page-index": [page, {**page, "rate": 150.0}, page],
        "page-dataset": [page],
        "while-file": [page],
        # One take that something else slowed down does not count.
        "file": [file, {**file, "ours_seconds": 60.0}, file],
        "slow-readers": [{"readers": 100, "held": 100 * 2**20, "each": 2**20}],
        "sdk": [{"ours_seconds": sdk, "curl_seconds": 1.0}],
        "sampling-mixture": [drawn(20.0), drawn(30.0), drawn(20.0)],
        "sampling-hybrid": [drawn(5.0)],
        "shards-local-100000": [shards(100_000, 3.0, 0.5)],
        "shards-local-1000000": [shards(1_000_000, 12.0, 0.55)],
        "shards-ray2-1000000": [shards(1_000_000, 10.0, 1.0)],
        "shards-ray2-10000000": [shards(10_000_000, 55.0, 1.2)],
    }


def drawn(times: float) -> Mapping[str, Any]:
    """A take in which ours is so many times as fast as the peer's 20,000 rows a second."""
    peer = {"peer_cpu_rate": 20e3, "peer_wall_rate": 19e3}
    return {"table": "Adult", "rows": 10**6, "cpu_rate": times * 20e3, "wall_rate": times * 19e3, **peer}


def shards(rows: int, seconds: float, gib: float) -> Mapping[str, Any]:
    return {"rows": rows, "seconds": seconds, "peak": round(gib * 2**30), "size": rows * 9}


def test_numbers_are_medians_of_one_run_and_the_faster_nginx_counts() -> None:
    found = {verdict.target.name: verdict.measured for verdict in verdicts(measured())}
    drawing = [20.0, 5.0, pytest.approx(1.2)]
    assert list(found.values()) == [*drawing, 250.0, 250.0, pytest.approx(0.8), pytest.approx(1.2)]
    assert not failed(verdicts(measured()))
    assert failed(verdicts(measured(nginx=1.0)))
    assert failed(verdicts(measured(sdk=1.5)))


def test_rows_that_failed_or_were_left_out_are_no_numbers() -> None:
    assert [verdict.word for verdict in verdicts({})] == ["not measured"] * 7
    broken: dict[str, list[Mapping[str, Any]]] = {**measured(), "file": [{"failed": "ValueError: curl: (7)"}]}
    assert failed(verdicts(broken))
    assert "A file of" not in describe({"machine": "two cores", "rows": broken})
    broken = {"sampling-hybrid": [{"failed": "ValueError: ctgan ended"}], "shards-ray1-100000": [{"failed": "x"}]}
    text = describe({"machine": "two cores", "rows": broken})
    assert "CTGAN's `sample` beside" not in text
    assert "Very many rows" not in text


def test_the_tables_show_every_row() -> None:
    text = describe({"machine": "two cores", "rows": measured()})
    assert "| list of 21 datasets, eight connections | 250 (150 to 250) | 20.0 (20.0 to 20.0) |" in text
    assert "| the coordinator | 2.50 (2.50 to 60.00) | 429 | 1.20 s |" in text
    assert "| coordinator's memory for 100 readers who take nothing | 100 MiB |" in text
    assert "#### 1,000,000 rows of Adult on one core" in text
    assert "| mixture, rows written as Parquet | 400,000 (400,000 to 600,000) |" in text
    assert "| CTGAN's `sample` beside it, nothing written | 20,000 (20,000 to 20,000) |" in text
    assert "| Ray, two workers | 10,000,000 | 55.0 | 1,229 MiB | 9.0 |" in text
    # 45 s for nine million rows: 5 s before the first, 500 s for 10^8.
    assert "- Ray, two workers: 5.0 s before the first row, 200,000 rows a second from there on. 10^8" in text
    assert "not measured: 8.4 minutes, 0.84 GiB of files." in text


def test_rows_of_both_kinds_have_one_name_each() -> None:
    assert len({row.name for row in catalogue_rows()}) == len(catalogue_rows())
    names = {row.name for row in catalogue_rows()}
    assert {row.name for row in quick_rows()} <= names
    assert names - {row.name for row in quick_rows()} == {f"shards-{engine}-10000000" for engine in WORKERS}
    assert all(row.takes <= 3 for row in quick_rows())
    assert all(row.generator in GENERATORS for row in (*catalogue_rows(), *quick_rows()) if row.rows)
    assert {row.peer for row in catalogue_rows() if row.kind == "sampling"} == {"ctgan"}


def test_the_picture_is_drawn_where_there_is_a_line_to_draw(tmp_path: pathlib.Path) -> None:
    assert draw({name: takes for name, takes in measured().items() if name.endswith("-1000000")}, tmp_path) == []
    assert draw(measured(), tmp_path) == [tmp_path / SHARDS]
    assert "dashed: not measured" in (tmp_path / SHARDS).read_text(encoding="utf-8")
    text = describe({"machine": "two cores", "rows": measured()})
    assert f"]({SHARDS})" in text


def _told(monkeypatch: pytest.MonkeyPatch, stdout: str) -> None:
    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 0, stdout, "")

    monkeypatch.setattr(subprocess, "run", run)


def test_wrk_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    _told(monkeypatch, WRK)
    assert clients.load("https://x/", seconds=1, connections=8) == clients.Load(280.98, 0.02491, 1.05)


def test_answers_that_are_no_success_are_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    _told(monkeypatch, WRK + "  Non-2xx or 3xx responses: 3\n")
    with pytest.raises(ValueError, match="Non-2xx"):
        clients.load("https://x/", seconds=1, connections=8)


def test_a_file_that_is_cut_off_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    _told(monkeypatch, '{"size_download": 10, "time_total": 0.5}')
    assert clients.fetch("https://x/", pathlib.Path("ca"), 10) == 0.5
    with pytest.raises(ValueError, match="read 10 bytes, not 11"):
        clients.fetch("https://x/", pathlib.Path("ca"), 11)


def test_costs_of_a_process_are_read() -> None:
    assert clients.process_cpu(os.getpid()) > 0
    assert clients.process_cpu(os.getpid(), children=True) >= clients.process_cpu(os.getpid()) - 0.05
    assert clients.resident_bytes(os.getpid()) > 2**20

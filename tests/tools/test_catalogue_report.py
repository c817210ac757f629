"""What the benchmark of the catalogue makes of its rows: medians, ratios, numbers to reach; and of wrk's words."""

import os
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from catalogue import clients
from catalogue.numbers import verdicts
from catalogue.report import describe
from catalogue.rows import catalogue_rows, quick_rows
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
    }


def test_numbers_are_medians_of_one_run_and_the_faster_nginx_counts() -> None:
    found = {verdict.target.name: verdict.measured for verdict in verdicts(measured())}
    assert list(found.values()) == [250.0, 250.0, pytest.approx(0.8), pytest.approx(1.2)]
    assert not failed(verdicts(measured()))
    assert failed(verdicts(measured(nginx=1.0)))
    assert failed(verdicts(measured(sdk=1.5)))


def test_rows_that_failed_or_were_left_out_are_no_numbers() -> None:
    assert [verdict.word for verdict in verdicts({})] == ["not measured"] * 4
    broken: dict[str, list[Mapping[str, Any]]] = {**measured(), "file": [{"failed": "ValueError: curl: (7)"}]}
    assert failed(verdicts(broken))
    assert "A file of" not in describe({"machine": "two cores", "rows": broken})


def test_the_tables_show_every_row() -> None:
    text = describe({"machine": "two cores", "rows": measured()})
    assert "| list of 21 datasets, eight connections | 250 (150 to 250) | 20.0 (20.0 to 20.0) |" in text
    assert "| the coordinator | 2.50 (2.50 to 60.00) | 429 | 1.20 s |" in text
    assert "| coordinator's memory for 100 readers who take nothing | 100 MiB |" in text


def test_rows_of_both_kinds_have_one_name_each() -> None:
    assert len({row.name for row in catalogue_rows()}) == len(catalogue_rows())
    assert [row.name for row in quick_rows()] == [row.name for row in catalogue_rows()]
    assert all(row.takes <= 3 for row in quick_rows())


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

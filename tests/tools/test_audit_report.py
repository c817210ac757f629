"""What the benchmark of audits makes of its rows: counts, means, worst seeds, numbers to reach."""

import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from audit.numbers import verdicts
from audit.report import describe
from audit.rows import audit_rows, name_of, peer_rows, quick_rows
from audit.targets import target_of
from harness.verdicts import failed


def seed(verdict: str, cpu: float, **changed: Any) -> Mapping[str, Any]:
    passed = verdict in ("pass", "pass with warnings")
    return {
        "verdict": verdict,
        "bad": [] if passed else ["G6: fail"],
        "failed_it": float(verdict == "fail"),
        "passed_it": float(passed),
        "copying": float(verdict == "fail"),
        "cpu_seconds": cpu,
        "wall_seconds": 2 * cpu,
        "peak": 2**30,
        "checks": {"controls": cpu / 4, "inference": cpu / 2},
        "figures": {"linkability": 0.02 if passed else 0.04},
        **changed,
    }


def measured() -> dict[str, list[Mapping[str, Any]]]:
    copier, drawn = name_of("mixture", "copier"), name_of("drawn", "fresh")
    return {
        copier: [seed("fail", 20.0)] * 8 + [seed("fail", 40.0), seed("inconclusive", 20.0)],
        drawn: [seed("pass", 20.0)] * 9 + [seed("pass with warnings", 20.0)],
        name_of("rows", "fresh"): [seed("pass", 10.0), seed("fail", 10.0)],
        "adult-audit-1000000": [seed("pass", 400.0, peak=5 * 2**30)],
        name_of("mixture", "copier", "anonymeter"): [{"risk": 0.05, "low": 0.04, "high": 0.06, "seconds": 80.0}],
        name_of("mixture", "copier", "sdmetrics"): [{"score": 1.0, "nearer": 0.51, "seconds": 10.0}],
    }


def test_numbers_are_the_worst_seeds_costs_and_the_shares_of_seeds() -> None:
    by_name = {verdict.target.name: verdict for verdict in verdicts(measured())}
    values = [verdict.measured for verdict in by_name.values()]
    assert values == pytest.approx([40.0, 10.0, 400.0, 5.0, 0.9, 0.9, 1.0, 0.5])
    missed = [name for name, verdict in by_name.items() if failed([verdict])]
    assert missed == [
        "10^6 synthetic rows: peak memory, GiB",
        "honest sample of the same law, real rows of neither part: share of seeds that pass",
    ]


def test_what_was_not_measured_is_no_number() -> None:
    assert all(verdict.measured is None for verdict in verdicts({}))


def test_tables_are_even_and_count_verdicts_and_gates() -> None:
    text = describe({"machine": "a machine", "rows": measured()})
    tables = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("\n\n")]
    assert all(len({line.count("|") for line in lines}) <= 1 for lines in tables)
    assert "9 fail, 1 inconclusive" in text
    assert "G6: fail (10)" in text
    assert "1 pass with warnings, 9 pass" in text or "9 pass, 1 pass with warnings" in text


def test_a_peers_time_is_told_as_a_ratio_to_the_check_of_the_same_kind() -> None:
    checks = {"controls": 5.0, "linkability": 0.5, "copies.near": 0.5, "membership.nearest": 4.5}
    rows = measured() | {name_of("mixture", "copier"): [seed("fail", 20.0, checks=checks)]}
    line = next(
        line
        for line in describe({"machine": "a machine", "rows": rows}).split("#### Peers")[1].splitlines()
        if "5% copied" in line
    )
    assert "160" in line
    assert "| 2.0 |" in line


def test_a_row_that_failed_is_told_and_not_averaged() -> None:
    rows = measured()
    rows[name_of("drawn", "fresh")] = [seed("pass", 20.0), {"failed": "no memory"}]
    text = describe({"machine": "a machine", "rows": rows})
    assert "no memory" in text
    assert "1 pass |" in text


def test_a_quick_run_measures_a_part_of_what_the_whole_run_does() -> None:
    names = {row.name for row in audit_rows()}
    assert {row.name for row in quick_rows()} < names
    assert len(names) + len(peer_rows()) == len({row.name for row in (*audit_rows(), *peer_rows())})


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("adult.csv", None, "income"),
        ("adult.csv", "age", "age"),
        ("other.csv", None, "kind"),
        ("plain.csv", None, None),
    ],
)
def test_the_target_is_that_of_a_known_table_or_the_last_column(
    tmp_path: pathlib.Path, name: str, given: str | None, found: str | None
) -> None:
    head, row = {
        "adult.csv": ("income,age", "low,{}"),
        "other.csv": ("age,kind", "{},a"),
        "plain.csv": ("kind,age", "a,{}"),
    }[name]
    lines = [head, *(row.format(number) for number in range(40))]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    target, why = target_of(tmp_path / name, given)
    assert target == found
    assert why

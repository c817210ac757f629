"""What very many rows cost: seconds, memory and bytes against rows, with each engine, plotted.

    python tools/bench/run_shards.py BUNDLE --rows 100000 300000 1000000 3000000 --workers 1 2

Each measurement is a fresh `headwater-coordinator sample --engine`, which writes to a folder that is removed.
Memory is the sum of the resident sets, without pages shared between processes counted twice (Pss), of the command and
everything that it started, sampled four times a second.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np

TARGET = 10**8


def main() -> None:
    """Measure, extrapolate and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", help="folder of a generator")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000, 3_000_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="processes of Ray; 0 adds engine local")
    parser.add_argument("--shard-rows", type=int, default=262_144)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path, help="JSON of all measurements")
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for workers in given.workers:
        name = f"Ray, {workers} workers" if workers else "local"
        for rows in given.rows:
            measured = measure(given.bundle, rows, workers, given.shard_rows)
            found.setdefault(name, []).append(measured)
            print(name, json.dumps(measured), flush=True)
        fitted = extrapolate(found[name])
        print(
            f"{name}: {fitted['start_seconds']:.1f} s and {fitted['rows_per_second']:,.0f} rows a second after that; "
            f"10^8 rows by this line in {fitted['seconds'] / 60:,.0f} min, {fitted['gib']:.1f} GiB of files",
            flush=True,
        )
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    if given.plot:
        draw(found, given.plot)


def measure(bundle: str, rows: int, workers: int, shard_rows: int) -> dict[str, float]:
    """One command, from its start to its end."""
    folder = Path(tempfile.mkdtemp(prefix="hw-rows-"))
    command = [
        sys.executable,
        "-m",
        "headwater_server.cli",
        "sample",
        bundle,
        "--rows",
        str(rows),
        "--out",
        str(folder / "rows"),
        "--shard-rows",
        str(shard_rows),
        "--engine",
        "ray" if workers else "local",
    ]
    try:
        started, peak, store = time.perf_counter(), 0, 0
        process = subprocess.Popen([*command, "--workers", str(max(workers, 1))], stdout=subprocess.DEVNULL)
        while process.poll() is None:
            used, shared = memory_of(process.pid)
            peak, store = max(peak, used), max(store, shared)
            time.sleep(0.25)
        seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"the command failed: {' '.join(command)}")
        size = sum(file.stat().st_size for file in (folder / "rows").glob("*.parquet"))
        return {"rows": rows, "seconds": seconds, "peak_mib": peak / 2**20, "bytes": size}
    finally:
        shutil.rmtree(folder)


def memory_of(root: int) -> tuple[int, int]:
    """Proportional set size, in bytes, of a process and all below it; and how much of it is shared memory."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    used = shared = 0
    for pid in family:
        try:
            lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        except (OSError, ValueError):
            continue
        used += int(lines["Pss"].split()[0]) * 1024
        shared += int(lines.get("Pss_Shmem", "0 kB").split()[0]) * 1024
    return used, shared


def extrapolate(measured: list[dict[str, float]]) -> dict[str, float]:
    """A line through seconds against rows, read at 10^8; bytes a row from the largest run."""
    rows, seconds = (np.array([each[name] for each in measured]) for name in ("rows", "seconds"))
    slope, start = np.polyfit(rows, seconds, 1)
    largest = measured[-1]
    return {
        "start_seconds": float(start),
        "rows_per_second": float(1 / slope),
        "seconds": float(start + slope * TARGET),
        "gib": largest["bytes"] / largest["rows"] * TARGET / 2**30,
    }


def draw(found: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Seconds and peak memory against rows; the line beyond what was measured is dashed."""
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "headwater", "font.size": 10})
    figure, (time_axis, memory_axis) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for number, (name, measured) in enumerate(found.items()):
        rows = [each["rows"] for each in measured]
        line = extrapolate(measured)
        beyond = np.geomspace(rows[-1], TARGET, 20)
        time_axis.plot(rows, [each["seconds"] for each in measured], "o-", color=f"C{number}", label=name)
        time_axis.plot(beyond, line["start_seconds"] + beyond / line["rows_per_second"], "--", color=f"C{number}")
        memory_axis.plot(rows, [each["peak_mib"] for each in measured], "o-", color=f"C{number}", label=name)
    time_axis.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds", title="Time (dashed: not measured)")
    memory_axis.set(xscale="log", xlabel="rows", ylabel="MiB", title="Peak memory of all processes", ylim=(0, None))
    for axis in (time_axis, memory_axis):
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()

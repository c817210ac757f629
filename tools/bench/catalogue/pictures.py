"""The cost of very many rows as a picture."""

import pathlib

import numpy as np

from catalogue.shards import TARGET, line_of, runs_of
from generator.figures import Measured
from harness.drawing import OURS, SECOND, THEIRS, panels

__all__ = ["ENGINES", "SHARDS", "draw"]

SHARDS = "shards.svg"
ENGINES = {"local": "one process", "ray1": "Ray, one worker", "ray2": "Ray, two workers"}
"""Engine, as rows are named → in words."""
_COLOURS = {"local": SECOND, "ray1": THEIRS, "ray2": OURS}


def draw(measured: Measured, folder: pathlib.Path) -> list[pathlib.Path]:
    """Write the picture, where more than one size was measured; returns the files."""
    found = {engine: (runs, line_of(runs)) for engine, runs in runs_of(measured).items()}
    if not any(line for _, line in found.values()):
        return []
    path = folder / SHARDS
    with panels(path, "Seconds and memory of very many rows", 2, height=3.2) as axes:
        time_axis, memory_axis = axes.flat
        for engine, (runs, line) in found.items():
            rows, style = [run.rows for run in runs], {"color": _COLOURS[engine], "markersize": 4}
            time_axis.plot(rows, [run.seconds for run in runs], "o-", label=ENGINES[engine], **style)
            memory_axis.plot(rows, [run.peak / 2**30 for run in runs], "o-", label=ENGINES[engine], **style)
            if line is not None:
                beyond = np.geomspace(rows[-1], TARGET, 20)
                time_axis.plot(beyond, [line.seconds(each) for each in beyond], "--", **style)
        time_axis.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds; dashed: not measured")
        memory_axis.set(xscale="log", xlabel="rows", ylabel="GiB held at most, all processes")
        memory_axis.set_ylim(bottom=0)
        for axis in axes.flat:
            axis.grid()
        time_axis.legend(frameon=False, fontsize=7)
    return [path]

"""The benchmark's figures as one picture."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from harness.tables import values
from secagg.figures import median_of
from secagg.report import Rows

__all__ = ["draw"]

_OURS, _THEIRS, _MUTED = "#1f6f8b", "#d1663f", "#8a8f94"


def draw(sections: Mapping[str, Rows], path: pathlib.Path) -> None:
    """Write one SVG with a panel for each thing that was measured."""
    panels = [
        (build, sections[letter]) for letter, builds in _PANELS.items() if sections.get(letter) for build in builds
    ]
    if not panels:
        return
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    settings: dict[str, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with pyplot.rc_context(settings):
        figure, axes = pyplot.subplots(rows, columns, figsize=(4.4 * columns, 3.3 * rows), squeeze=False)
        for axis, (build, entries) in zip(axes.flat, panels, strict=False):
            build(axis, entries)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _against_flower(axis: Axes, rows: Rows, name: str, title: str) -> None:
    for count, style in ((5, ":"), (10, "-"), (50, "--")):
        cells = sorted((entry for entry in rows if entry["settings"]["count"] == count), key=_size)
        lengths = [entry["settings"]["length"] for entry in cells]
        if not lengths:
            continue
        for side, colour in (("headwater", _OURS), ("flower", _THEIRS)):
            figures = [median_of(entry["row"][side], name) for entry in cells]
            label = {"headwater": "Headwater", "flower": "Flower SecAgg+"}[side]
            axis.plot(lengths, figures, style, color=colour, marker="o", markersize=3, label=f"{label}, {count}")
    axis.set(xscale="log", yscale="log", xlabel="values in a vector", ylabel="CPU seconds a round", title=title)
    axis.legend(frameon=False, fontsize=7)


def _size(entry: Mapping[str, Any]) -> tuple[int, int]:
    return entry["settings"]["length"], entry["settings"]["count"]


def _client(axis: Axes, rows: Rows) -> None:
    _against_flower(axis, rows, "client_seconds", "client")


def _server(axis: Axes, rows: Rows) -> None:
    _against_flower(axis, rows, "server_seconds", "server")


def _memory(axis: Axes, rows: Rows) -> None:
    largest = max(entry["settings"]["length"] for entry in rows)
    cells = sorted((entry for entry in rows if entry["settings"]["length"] == largest), key=_size)
    counts = [str(entry["settings"]["count"]) for entry in cells]
    for shift, (side, colour, label) in enumerate(
        (("headwater", _OURS, "Headwater"), ("flower", _THEIRS, "Flower SecAgg+"))
    ):
        figures = [median_of(entry["row"][side], "server_peak_bytes") / 2**20 for entry in cells]
        # What was not measured has no bar.
        there = [(place + 0.38 * shift, figure) for place, figure in enumerate(figures) if not math.isnan(figure)]
        bars = axis.bar([at for at, _ in there], [figure for _, figure in there], 0.36, color=colour, label=label)
        axis.bar_label(bars, fmt="%.0f", fontsize=7)
    axis.set_xticks([place + 0.19 for place in range(len(counts))], counts)
    axis.set(
        yscale="log", xlabel="organisations", ylabel="MiB", title=f"server's peak memory, {values(largest)} values"
    )
    axis.legend(frameon=False, fontsize=7)


def _ceilings(axis: Axes, rows: Rows) -> None:
    names = {"masking": "masks made\nand added", "keystream": "AES-256-CTR", "copy": "memory copy"}
    rates = [median_of(rows[0]["row"], name) / 1e9 for name in names]
    bars = axis.bar(list(names.values()), rates, color=[_OURS, _MUTED, _MUTED], width=0.6)
    axis.bar_label(bars, fmt="%.1f")
    axis.set(ylabel="GB a CPU second", title="masking, one thread")


def _growth(axis: Axes, rows: Rows) -> None:
    for length, style in ((10**4, "-"), (10**6, "--")):
        cells = [entry for entry in rows if entry["settings"]["length"] == length]
        counts = [entry["settings"]["count"] for entry in cells]
        if not cells:
            continue
        for role, colour, label in (("member", _OURS, "member"), ("server", _MUTED, "coordinator")):
            figures = [entry["row"][f"{role}_setup"] + entry["row"][f"{role}_round"] for entry in cells]
            axis.plot(
                counts,
                figures,
                style,
                color=colour,
                marker="o",
                markersize=3,
                label=f"{label}, {values(length)} values",
            )
    axis.set(xscale="log", yscale="log", xlabel="organisations", ylabel="CPU seconds", title="setup and first round")
    axis.legend(frameon=False, fontsize=7)


def _dropouts(axis: Axes, rows: Rows) -> None:
    labels, parts = [], {"hashing": [], "receiving, summing": [], "unmasking": [], "the rest": []}  # type: ignore[var-annotated]
    largest = max(entry["settings"]["length"] for entry in rows)
    for entry in (entry for entry in rows if entry["settings"]["length"] == largest):
        ours = entry["row"]["headwater"]
        phases = [cost["phases"] for cost in ours]
        hashing, unmasking = median_of(ours, "hashing_seconds"), median_of(phases, "unmasking")
        taking = median_of(phases, "chunk") + median_of(phases, "upload") - hashing
        rest = median_of(ours, "server_seconds") - hashing - unmasking - taking
        labels.append(f"{entry['settings']['dropped']} of {entry['settings']['count']} dropped")
        for name, figure in zip(parts, (hashing, taking, unmasking, rest), strict=True):
            parts[name].append(max(figure, 0.0))
    bottom = [0.0] * len(labels)
    for (name, figures), colour in zip(parts.items(), (_MUTED, _OURS, _THEIRS, "#d9dcdf"), strict=True):
        axis.bar(labels, figures, 0.5, bottom=bottom, color=colour, label=name)
        bottom = [low + figure for low, figure in zip(bottom, figures, strict=True)]
    axis.margins(y=0.3)
    axis.set(ylabel="CPU seconds", title=f"server, 10 organisations × {values(largest)}")
    axis.legend(frameon=False, fontsize=7)


_PANELS = {"a": (_client, _server, _memory), "c": (_ceilings,), "d": (_growth,), "e": (_dropouts,)}

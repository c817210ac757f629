"""The benchmark's figures as pictures."""

import math
import pathlib
from collections.abc import Sequence

from generator.anchors import ADULT
from generator.datasets import DATASETS
from generator.figures import Measured, grown, mean_of, values_of
from generator.rows import GROWN
from harness.drawing import GREY, OURS, SECOND, THEIRS, panels

__all__ = ["GROWTH", "HYBRID", "QUALITY", "draw"]

QUALITY, HYBRID, GROWTH = "generator-quality.svg", "generator-hybrid.svg", "generator-growth.svg"

_LEAST_REACH = 0.02

_SHOWN = {
    "gbm": "GBM AUC, trained on synthetic →",
    "lr": "LR AUC, trained on synthetic →",
    "tvd2": "← distance of pairs (TVD-2)",
    "c2st": "← told from real rows (C2ST AUC)",
}


def draw(measured: Measured, folder: pathlib.Path) -> list[pathlib.Path]:
    """Write what the rows allow; returns the files."""
    written = []
    for name, build in ((QUALITY, _quality), (HYBRID, _hybrid), (GROWTH, _growth)):
        if build(measured, folder / name):
            written.append(folder / name)
    return written


def _quality(measured: Measured, path: pathlib.Path) -> bool:
    ours = [(kind, f"adult-{kind}-iid") for kind in ("hybrid", "mixture", "adversarial") if _there(measured, kind)]
    if not ours:
        return False
    names = [*(f"{kind}, five organisations" for kind, _ in ours), *(f"{peer.name}, pooled" for peer in ADULT)]
    title = "Synthetic rows of Adult: five organisations that pool nothing, beside peers with all rows"
    with panels(path, title, len(_SHOWN), height=3.0) as axes:
        for axis, (figure, label) in zip(axes.flat, _SHOWN.items(), strict=True):
            for place, (_, row) in enumerate(ours):
                values = values_of(measured, row, figure)
                axis.plot(values, [place] * len(values), "o", color=OURS, markersize=5, alpha=0.8)
            peers = [getattr(peer, figure) for peer in ADULT]
            axis.plot(peers, range(len(ours), len(names)), "s", color=THEIRS, markersize=5)
            real = mean_of(measured, "adult-real", figure)
            if real is not None and not math.isnan(real):
                axis.axvline(real, color=GREY, linestyle="--", linewidth=1)
                axis.annotate("real rows", (real, 1.0), xycoords=("data", "axes fraction"), fontsize=7, ha="center")
            first = axis is axes.flat[0]
            axis.set_yticks(range(len(names)), names if first else [""] * len(names))
            axis.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
            axis.grid(axis="y")
    return True


def _there(measured: Measured, kind: str) -> bool:
    value = mean_of(measured, f"adult-{kind}-iid", "gbm")
    return value is not None and not math.isnan(value)


def _hybrid(measured: Measured, path: pathlib.Path) -> bool:
    # Where less than the asked gain is released too, that row shows what training does.
    trained = {
        name: next((row for row in (f"{name}-refined-iid", f"{name}-hybrid-iid") if row in measured), "")
        for name in DATASETS
    }
    tables = [name for name, row in trained.items() if row and f"{name}-mixture-iid" in measured]
    if not tables:
        return False
    title = "Hybrid beside its base, seed by seed"
    with panels(path, title, len(_SHOWN), len(tables), height=1.7) as axes:
        for across, name in zip(axes, tables, strict=True):
            for axis, (figure, label) in zip(across, _SHOWN.items(), strict=True):
                found = []
                for place, (row, colour) in enumerate(((f"{name}-mixture-iid", SECOND), (trained[name], OURS))):
                    values = values_of(measured, row, figure)
                    axis.plot(values, [place] * len(values), "o", color=colour, markersize=5, alpha=0.8)
                    found += values
                named = axis is across[0]
                axis.set_yticks([0, 1], ["base", "hybrid"] if named else ["", ""])
                axis.set(ylim=(1.6, -0.6), xlim=_reach(found))
                axis.set_title(f"{DATASETS[name].title}", loc="left") if named else None
                axis.locator_params(axis="x", nbins=4)
                axis.ticklabel_format(axis="x", style="plain", useOffset=False)
                axis.grid(axis="y")
                if name == tables[-1]:
                    axis.set_xlabel(label)
    return True


def _reach(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis on which chance does not look like a difference: _LEAST_REACH wide at least."""
    low, high = min(values), max(values)
    margin = max(0.1 * (high - low), (_LEAST_REACH - (high - low)) / 2)
    return low - margin, high + margin


_STEPS = {
    "histograms": (GREY, ":"),
    "encode": (OURS, "-"),
    "decode": (OURS, "--"),
    "marginals": (SECOND, "-"),
    "expectation": (THEIRS, "-"),
    "sample": (THEIRS, "--"),
}


def _growth(measured: Measured, path: pathlib.Path) -> bool:
    sizes = {size: figures for size in GROWN if (figures := grown(measured, *size))}
    by_rows = {rows: figures for (rows, columns), figures in sizes.items() if columns == GROWN[0][1]}
    by_columns = {columns: figures for (rows, columns), figures in sizes.items() if rows == GROWN[-1][0]}
    if len(by_rows) < 2:
        return False
    with panels(path, "What the steps of a run cost as rows and columns grow", 3, height=3.2) as axes:
        across = axes.flat
        for axis, found, label in (
            (across[0], by_rows, f"rows, of {GROWN[0][1]} columns"),
            (across[1], by_columns, f"columns, of {GROWN[-1][0]:,} rows"),
        ):
            for step, (colour, style) in _STEPS.items():
                seconds = [figures[step] for figures in found.values()]
                axis.plot(list(found), seconds, style, color=colour, marker="o", markersize=3, label=step)
            axis.set(xscale="log", yscale="log", xlabel=label, ylabel="CPU seconds")
            axis.grid()
        across[1].set_xticks(list(by_columns), [str(columns) for columns in by_columns])
        across[1].minorticks_off()
        across[0].legend(frameon=False, fontsize=7)
        peaks = [figures["peak_bytes"] / 1e9 for figures in by_rows.values()]
        across[2].plot(list(by_rows), peaks, color=OURS, marker="o", markersize=3, label="peak of the process")
        tables = [figures["table_bytes"] / 1e9 for figures in by_rows.values()]
        across[2].plot(list(by_rows), tables, ":", color=GREY, marker="o", markersize=3, label="the table itself")
        across[2].set(xscale="log", yscale="log", xlabel=f"rows, of {GROWN[0][1]} columns", ylabel="GB")
        across[2].grid()
        across[2].legend(frameon=False, fontsize=7)
    return True

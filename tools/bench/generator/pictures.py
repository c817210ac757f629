"""The benchmark's figures as pictures."""

import math
import pathlib

from generator.anchors import ADULT
from generator.datasets import DATASETS
from generator.figures import Measured, mean_of, values_of
from harness.drawing import GREY, OURS, SECOND, THEIRS, panels

__all__ = ["GROWTH", "HYBRID", "QUALITY", "draw"]

QUALITY, HYBRID, GROWTH = "generator-quality.svg", "generator-hybrid.svg", "generator-growth.svg"

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
    tables = [
        name for name in DATASETS if all(f"{name}-{kind}-iid" in measured for kind in ("mixture", "hybrid"))
    ]  # fmt: skip
    if not tables:
        return False
    title = "Hybrid beside its base, seed by seed"
    with panels(path, title, len(_SHOWN), len(tables), height=1.7) as axes:
        for across, name in zip(axes, tables, strict=True):
            for axis, (figure, label) in zip(across, _SHOWN.items(), strict=True):
                for place, (kind, colour) in enumerate((("mixture", SECOND), ("hybrid", OURS))):
                    values = values_of(measured, f"{name}-{kind}-iid", figure)
                    axis.plot(values, [place] * len(values), "o", color=colour, markersize=5, alpha=0.8)
                named = axis is across[0]
                axis.set_yticks([0, 1], ["base", "hybrid"] if named else ["", ""])
                axis.set(ylim=(1.6, -0.6))
                axis.set_title(f"{DATASETS[name].title}", loc="left") if named else None
                axis.locator_params(axis="x", nbins=4)
                axis.grid(axis="y")
                if name == tables[-1]:
                    axis.set_xlabel(label)
    return True


def _growth(measured: Measured, path: pathlib.Path) -> bool:
    del measured, path
    return False

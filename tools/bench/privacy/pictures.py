"""The benchmark's figures as pictures."""

import math
import pathlib

from generator.figures import Measured, mean_of, values_of
from harness.drawing import GREY, OURS, SECOND, THEIRS, panels
from privacy.numbers import scaled_error
from privacy.rows import EPSILONS, MEMBERS, PEERS

__all__ = ["MEMBERS_PICTURE", "UTILITY", "draw"]

UTILITY, MEMBERS_PICTURE = "privacy-utility.svg", "privacy-organisations.svg"

_SHOWN = {
    "gbm": "GBM AUC, trained on synthetic →",
    "lr": "LR AUC, trained on synthetic →",
    "tvd2": "← distance of pairs (TVD-2)",
    "contingency": "contingency similarity →",
}
_STYLES = {
    "ours": ("ours, five organisations", OURS, "o"),
    "aim": ("AIM, pooled", THEIRS, "s"),
    "mst": ("MST, pooled", SECOND, "^"),
}


def draw(measured: Measured, folder: pathlib.Path) -> list[pathlib.Path]:
    """Write what the rows allow; returns the files."""
    written = []
    for name, build in ((UTILITY, _utility), (MEMBERS_PICTURE, _members)):
        if build(measured, folder / name):
            written.append(folder / name)
    return written


def _utility(measured: Measured, path: pathlib.Path) -> bool:
    makers = [maker for maker in ("ours", *PEERS) if _known(measured, maker, "gbm")]
    if not makers:
        return False
    with panels(path, "What synthetic rows of Adult are worth, by ε, beside peers", len(_SHOWN), height=3.0) as axes:
        for axis, (figure, label) in zip(axes.flat, _SHOWN.items(), strict=True):
            for maker in makers:
                words, colour, mark = _STYLES[maker]
                known = _known(measured, maker, figure)
                axis.plot(list(known), list(known.values()), color=colour, marker=mark, markersize=4, label=words)
                for epsilon in known:
                    seeds = values_of(measured, f"adult-{maker}-{epsilon:g}", figure)
                    axis.plot([epsilon] * len(seeds), seeds, mark, color=colour, markersize=2, alpha=0.5)
            for row, words, side in (("adult-real", "real rows", "bottom"), ("adult-none", "no privacy", "top")):
                value = mean_of(measured, row, figure)
                if value is not None and not math.isnan(value):
                    axis.axhline(value, color=GREY, linestyle="--" if row == "adult-real" else ":", linewidth=1)
                    at = (0.3 if side == "top" else 1.0, value)
                    axis.annotate(words, at, xycoords=("axes fraction", "data"), fontsize=7, ha="right", va=side)
            axis.set(xscale="log", xlabel="ε at δ = 1e-6", ylabel=label)
            axis.set_xticks(EPSILONS, [f"{epsilon:g}" for epsilon in EPSILONS])
            axis.minorticks_off()
            axis.grid()
        axes.flat[0].legend(frameon=False, fontsize=7)
    return True


def _known(measured: Measured, maker: str, figure: str) -> dict[float, float]:
    """ε → mean of the seeds, where it is a number."""
    means = {epsilon: mean_of(measured, f"adult-{maker}-{epsilon:g}", figure) for epsilon in EPSILONS}
    return {epsilon: mean for epsilon, mean in means.items() if mean is not None and not math.isnan(mean)}


def _members(measured: Measured, path: pathlib.Path) -> bool:
    curves = {
        "local": {n: mean_of(measured, f"noise-local-{n}", "error") for n in MEMBERS},
        "joint": {n: mean_of(measured, f"noise-joint-{n}", "error") for n in MEMBERS},
        "scaled": {n: scaled_error(measured, n) for n in MEMBERS},
    }
    known = {name: {n: error for n, error in curve.items() if error is not None} for name, curve in curves.items()}
    if any(len(curve) < 2 for curve in known.values()):
        return False
    styles = {
        "local": ("each organisation's own noise", THEIRS, "-"),
        "joint": ("shared noise", OURS, "-"),
        "scaled": ("shared noise over √(n / (T − c))", OURS, ":"),
    }
    with panels(path, "Error of noisy counts, by the number of organisations", 1, height=3.2) as axes:
        axis = axes.flat[0]
        for name, (words, colour, style) in styles.items():
            curve = known[name]
            axis.plot(list(curve), list(curve.values()), style, color=colour, marker="o", markersize=4, label=words)
        least = min(known["local"])
        root = {n: known["local"][least] * math.sqrt(n / least) for n in known["local"]}
        axis.plot(list(root), list(root.values()), ":", color=GREY, label="as √K")
        axis.set(xscale="log", yscale="log", xlabel="organisations, the same rows", ylabel="RMS error, rows")
        axis.set_xticks(list(known["joint"]), [str(n) for n in known["joint"]])
        axis.set_yticks([50, 100, 200, 400], ["50", "100", "200", "400"])
        axis.minorticks_off()
        axis.grid()
        axis.legend(frameon=False, fontsize=7)
    return True

"""Charts of measures: values with their intervals beside null and threshold, as SVG inside a page."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.audit.report.page import Picture
from headwater.evidence.measure import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GROUPS", "Group", "pictures_of"]

INK, GREY, DOT, BAD = "#3d4f58", "#8a979d", "#12738a", "#b4381c"
_CLASSES = {INK: "ink", GREY: "grey", DOT: "dot", BAD: "bad"}
_MOST_LINES = 16
_WIDTH, _LINE, _MARGIN = 8.0, 0.27, 1.0
_LONGEST_LABEL = 44

Ends = Sequence[tuple[float | None, float | None]]
"""Thresholds of a measure: lower or only one, and the other end of a range."""


@dataclass(frozen=True, slots=True)
class Group:
    """Measures that share a chart.

    Attributes:
        title: of the chart.
        axis: what is drawn, with its unit.
        checks: names of checks; a name stands for all that begin with it and a point.
        words: what to look for.
        left_out: checks among them that have another unit.
    """

    title: str
    axis: str
    checks: tuple[str, ...]
    words: str
    left_out: tuple[str, ...] = ()


GROUPS: tuple[Group, ...] = (
    Group(
        "Membership",
        "share of members found, at 1 % of others accused",
        ("membership",),
        "A table that leaks nothing lies on the dashed line, at .01; further right, more members are found.",
    ),
    Group(
        "Linkage and inference",
        "risk beyond that of holdout rows",
        ("linkability", "inference"),
        "A table that leaks nothing lies on the dashed line, at 0. A value surely beyond the first red line fails, and "
        "so does an interval that reaches the second.",
    ),
    Group(
        "Near copies and rare values",
        "share beyond what holdout rows show",
        ("copies",),
        "The dashed line is what chance alone gives; an interval that lies right of it is no accident.",
    ),
    Group(
        "Distance from the real rows",
        "total variation distance",
        ("marginals",),
        "Of single columns, pairs and triples; less is better.",
    ),
    Group(
        "Telling rows apart",
        "area under the ROC curve of a classifier",
        ("distinguishable",),
        "At .5 nobody tells synthetic rows from real ones, at 1 everybody does.",
    ),
    Group(
        "Coverage",
        "share",
        ("coverage", "density"),
        "How much of the real rows is reached; more is better.",
        ("coverage.invented-3-way",),
    ),
    Group(
        "Combinations invented",
        "share of the synthetic rows' combinations",
        ("coverage.invented-3-way",),
        "Three values that no real row joins; less is better.",
    ),
    Group(
        "Usefulness",
        "score of a model of synthetic rows over that of one of real rows",
        ("usefulness",),
        "At 1 a model loses nothing; more is better.",
        ("usefulness.curve",),
    ),
    Group(
        "Sizes of groups",
        "synthetic share over real share",
        ("bias.ratio", "bias.intersections"),
        "At 1 a group is as large as it should be.",
    ),
    Group(
        "Treatment of groups",
        "difference beyond that in the real rows",
        ("bias.parity", "bias.odds", "bias.usefulness", "bias.privacy"),
        "Left of the dashed line nothing is worse than chance makes it; a value surely beyond the red one fails.",
    ),
)


_CURVE = Group(
    "What more synthetic rows give",
    "area under the ROC curve of a model of so many synthetic rows",
    (),
    "Where it no longer moves right, further rows give nothing.",
)
_COLUMNS = Group("Columns that differ most", "total variation distance", (), "Less is better.")
_WORST = "worst: "
_SIZE = re.compile(r"auc at ([0-9.e+]+) rows")


def pictures_of(measures: Sequence[Measure], thresholds: Mapping[str, Ends]) -> tuple[Picture, ...]:
    """One chart for each group of which something was measured.

    Args:
        measures: all figures.
        thresholds: what a policy asks of a measure, by its name.
    """
    found = []
    for group in GROUPS:
        own = [measure for measure in measures if measure.value is not None and _belongs(measure.check, group)]
        if own:
            found.append(_picture(group, own, thresholds))
    for group, of_details in ((_CURVE, _curve(measures)), (_COLUMNS, _worst_columns(measures))):
        if of_details:
            found.append(_picture(group, of_details, {}))
    return tuple(found)


def _curve(measures: Sequence[Measure]) -> list[Measure]:
    """Scores by the number of synthetic rows, as the sample-size curve has them among its details."""
    return [
        Measure(
            check=measure.check, subject=f"{measure.subject}: {float(size[1]):,.0f} rows", value=value, better="higher"
        )
        for measure in measures
        if measure.check == "usefulness.curve"
        for name, value in measure.details.items()
        if (size := _SIZE.fullmatch(name))
    ]


def _worst_columns(measures: Sequence[Measure]) -> list[Measure]:
    """Columns and pairs of columns that differ most, as the measures of marginals name them among their details."""
    return [
        Measure(check=measure.check, subject=name.removeprefix(_WORST), value=value)
        for measure in measures
        if measure.check in ("marginals.1-way", "marginals.2-way")
        for name, value in measure.details.items()
        if name.startswith(_WORST)
    ]


def _belongs(check: str, group: Group) -> bool:
    return check not in group.left_out and any(check == name or check.startswith(name + ".") for name in group.checks)


def _picture(group: Group, own: Sequence[Measure], thresholds: Mapping[str, Ends]) -> Picture:
    worst = sorted(own, key=_goodness)[:_MOST_LINES]
    shown = [measure for measure in own if measure in worst]
    left = len(own) - len(shown)
    words = "; ".join(_in_words(measure) for measure in shown)
    words += f"; {left} more, none of them worse" if left else ""
    return Picture(_drawn(group, shown, thresholds), group.title, group.words, words + ".")


def _goodness(measure: Measure) -> float:
    value, null = measure.value or 0.0, measure.null or 0.0
    return {"lower": null - value, "higher": value - null, "null": -abs(value - null)}[measure.better]


def _in_words(measure: Measure) -> str:
    ends = "" if measure.low is None or measure.high is None else f", {measure.low:.3f} to {measure.high:.3f}"
    return f"{measure.name} {measure.value:.3f}{ends}"


def _drawn(group: Group, shown: Sequence[Measure], thresholds: Mapping[str, Ends]) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "font.size": 10,
        "svg.fonttype": "none",
        "svg.hashsalt": group.title,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, _MARGIN + _LINE * len(shown)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        _draw_lines(axes, shown, thresholds)
        axes.set_xlabel(group.axis)
        axes.set_yticks(range(len(shown)), [_label(measure.name) for measure in shown])
        for label in axes.get_yticklabels():
            # A name of a column may hold signs that would be read as mathematics.
            label.set_parse_math(False)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inside(text.getvalue(), re.sub(r"[^a-z]+", "-", group.title.lower()))


def _draw_lines(axes: "Axes", shown: Sequence[Measure], thresholds: Mapping[str, Ends]) -> None:
    for place, measure in enumerate(shown):
        ends = [end for pair in thresholds.get(measure.name, ()) for end in pair if end is not None]
        for end in sorted(set(ends)):
            axes.plot([end, end], [place - 0.42, place + 0.42], color=BAD, linewidth=1.6, solid_capstyle="butt")
        if measure.null is not None:
            span = [place - 0.42, place + 0.42]
            axes.plot([measure.null] * 2, span, color=GREY, linewidth=1.4, linestyle=(0, (2, 1.5)))
        if measure.low is not None and measure.high is not None:
            axes.plot([measure.low, measure.high], [place, place], color=DOT, linewidth=2.2, solid_capstyle="round")
        axes.plot([measure.value or 0.0], [place], marker="o", markersize=6, color=DOT)


def _label(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _inside(svg: str, prefix: str) -> str:
    """An SVG document as an element of a page: no header, ids of its own, colours by the page's style."""
    element = svg[svg.index("<svg") :]
    # The page's own style rules; names of namespaces are for documents of their own.
    element = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", element, flags=re.DOTALL)
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href", "href")
    element = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', element)
    element = re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", element)
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 aria-hidden="true"', element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = re.sub(r"font-family: [^;\"]*", "font-family: inherit", element)
    for colour, name in _CLASSES.items():
        element = element.replace(colour, f"var(--chart-{name})")
    return re.sub(r"\n\s*", " ", element)

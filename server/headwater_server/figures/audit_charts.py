"""What audit.json tells of bias and coverage, as plots of ranges: never more than what is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headwater.release import DrawnChart
from headwater.release.audit_file import LADDER, PublicFigure, PublishedAudit
from headwater.release.layout import BIAS, COVERAGE
from headwater.release.manifest import Chart
from headwater_server.figures.static import BAR, NOTE, OTHER, heading, static_svg
from headwater_server.figures.texts import plain, shorten

if TYPE_CHECKING:
    import altair as alt

__all__ = ["draw_bias", "draw_coverage"]

_MOST = 14
_TOLD = 12
_WIDTH, _LABELS, _ROW = 330, 190, 20


@dataclass(frozen=True)
class _Panel:
    """Figures of one check on one axis: its name in audit.json, its heading, the range shown and what is ideal."""

    check: str
    title: str
    span: tuple[float, float]
    ideal: float | None = None


_BIAS = (
    _Panel("bias.ratio", "Share of a group, over its share in the real rows", (0.5, 1.5), 1.0),
    _Panel(
        "bias.parity", "How much further apart groups' rates of the outcome are than in the real rows", (-0.1, 0.3), 0.0
    ),
    _Panel("bias.odds", "How much less fair a model is that learned from synthetic rows", (-0.1, 0.3), 0.0),
    _Panel("bias.usefulness", "AUC that a group loses beyond what all lose", (-0.1, 0.3), 0.0),
)
_COVERAGE = (
    _Panel("coverage", "Share of what is frequent in the real rows that the synthetic rows reach", (0.5, 1.0), 1.0),
    _Panel("marginals", "Distance of columns, pairs and triples from the real rows", (0.0, 0.4), 0.0),
)
_WORDS = {
    "coverage.modes": "modes",
    "coverage.2-way": "pairs of values",
    "marginals.1-way": "columns",
    "marginals.2-way": "pairs of columns",
    "marginals.3-way": "triples of columns",
}


def draw_bias(audit: PublishedAudit) -> DrawnChart | None:
    """Draw what is told of groups; None where nothing is."""
    return _draw(audit, _BIAS, "bias", BIAS, "Bias by group")


def draw_coverage(audit: PublishedAudit) -> DrawnChart | None:
    """Draw what is told of coverage and of distances; None where nothing is."""
    return _draw(audit, _COVERAGE, "coverage", COVERAGE, "Closeness to the real rows")


@dataclass(frozen=True)
class _Range:
    """What is told of one figure: ends of the value's bucket and of its interval's, within the axis."""

    label: str
    value: tuple[float, float]
    interval: tuple[float, float] | None
    words: str


def _draw(
    audit: PublishedAudit, panels: Sequence[_Panel], kind: Literal["bias", "coverage"], path: str, name: str
) -> DrawnChart | None:
    found = [(panel, _ranges(audit, panel)) for panel in panels]
    found = [(panel, ranges) for panel, ranges in found if ranges]
    if not found:
        return None
    import altair as alt

    parts = [_panel(panel, ranges[:_MOST]) for panel, ranges in found]
    note = "ranges as audit.json tells them: wide bars hold the value, thin ones its 95 % interval"
    chart = alt.vconcat(*parts, spacing=18).properties(title=heading(name, note))
    told = " ".join(f"{panel.title}: {_listed(ranges)}." for panel, ranges in found)
    description = f"{name}, in the ranges that audit.json tells. {told}"[:2000]
    return DrawnChart(Chart(kind=kind, path=path, description=description), static_svg(chart, name, description))


def _ranges(audit: PublishedAudit, panel: _Panel) -> list[_Range]:
    own = [figure for figure in audit.figures if figure.check == panel.check or figure.check in _of(panel)]
    return [found for figure in own if (found := _range(figure, panel)) is not None]


def _of(panel: _Panel) -> set[str]:
    return {check for check in _WORDS if check.split(".")[0] == panel.check}


def _range(figure: PublicFigure, panel: _Panel) -> _Range | None:
    told, interval = figure.between, figure.interval_between
    if figure.value is not None:
        told, interval = (figure.value, figure.value), figure.interval
    if told is None:
        return None
    label = " ".join(filter(None, (_WORDS.get(figure.check, ""), figure.subject))) or figure.check
    return _Range(label, _within(told, panel.span), _within(interval, panel.span) if interval else None, _said(told))


def _within(ends: tuple[float | None, float | None], span: tuple[float, float]) -> tuple[float, float]:
    low, high = (LADDER[0] if ends[0] is None else ends[0]), (LADDER[-1] if ends[1] is None else ends[1])
    return min(max(low, span[0]), span[1]), min(max(high, span[0]), span[1])


def _said(ends: tuple[float | None, float | None]) -> str:
    low, high = ends
    if low is None or high is None:
        return f"below {high:g}" if high is not None else f"above {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _listed(ranges: Sequence[_Range]) -> str:
    told = ", ".join(f"{shorten(each.label, 60)} {each.words}" for each in ranges[:_TOLD])
    more = len(ranges) - _TOLD
    return told + (f", and {more} more" if more > 0 else "")


def _panel(panel: _Panel, ranges: Sequence[_Range]) -> "alt.LayerChart":
    import altair as alt

    rows = [
        {"place": place, "label": plain(shorten(each.label, 34)), "words": each.words}
        | {"low": each.value[0], "high": each.value[1]}
        | dict(zip(("from", "to"), each.interval or each.value, strict=True))
        for place, each in enumerate(ranges)
    ]
    across = alt.Scale(domain=list(panel.span), nice=False, zero=False)
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("place:O", axis=None))
    axis = alt.Axis(title=None, tickCount=5)
    layers = [
        base.mark_bar(fill=BAR, fillOpacity=0.35, height=4).encode(x=alt.X("from:Q", scale=across, axis=axis), x2="to"),
        # A value on a step of the ladder has no width; it is seen all the same.
        base.mark_bar(fill=BAR, height=11, cornerRadius=2, stroke=BAR, strokeWidth=3).encode(
            x=alt.X("low:Q", scale=across), x2="high"
        ),
        base.mark_text(align="right", baseline="middle", limit=_LABELS - 10).encode(x=alt.value(-10), text="label:N"),
        base.mark_text(align="left", baseline="middle").encode(x=alt.value(_WIDTH + 10), text="words:N"),
    ]
    if panel.ideal is not None:
        ideal = alt.Chart(alt.Data(values=[{"at": panel.ideal}]))
        layers.insert(0, ideal.mark_rule(stroke=OTHER, strokeDash=[4, 3]).encode(x=alt.X("at:Q", scale=across)))
    title = alt.TitleParams(
        panel.title, fontSize=11, fontWeight="normal", color=NOTE, anchor="start", frame="group", dx=-_LABELS, offset=6
    )
    return alt.layer(*layers).properties(width=_WIDTH, height=_ROW * len(rows), title=title)

"""What a model is worth that learned from so many synthetic rows, as far as audit.json tells it."""

from typing import TYPE_CHECKING

from headwater.release import DrawnChart
from headwater.release.audit_file import CURVE, PublicFigure, PublishedAudit
from headwater.release.layout import USEFULNESS
from headwater.release.manifest import Chart
from headwater_server.figures.static import BAR, NOTE, heading, static_svg
from headwater_server.figures.texts import plain, shorten

if TYPE_CHECKING:
    import altair as alt

__all__ = ["draw_usefulness"]

_NAME = "Usefulness against sample size"
_MOST = 4
_WIDTH, _HEIGHT = 380, 150
_CHANCE = 0.5


def draw_usefulness(audit: PublishedAudit) -> DrawnChart | None:
    """Draw the range of the AUC on real rows for each number of synthetic rows; None where none may be told."""
    found = [figure for figure in audit.figures if figure.check == CURVE and figure.curve]
    if not found:
        return None
    import altair as alt

    note = "LightGBM learned from so many synthetic rows; its ROC AUC on real rows lies in the bar"
    chart = alt.vconcat(*map(_panel, found[:_MOST]), spacing=18).properties(title=heading(_NAME, note))
    told = " ".join(f"Predicting {shorten(figure.subject, 80)}: {_listed(figure)}." for figure in found)
    description = (
        f"{_NAME}: the range that audit.json tells of the ROC AUC on real rows of LightGBM that learned from synthetic "
        f"rows; 0.5 is chance. {told}"
    )[:2000]
    content = static_svg(chart, _NAME, description)
    return DrawnChart(Chart(kind="usefulness", path=USEFULNESS, description=description), content)


def _ends(between: tuple[float | None, float | None]) -> tuple[float, float]:
    low, high = (_CHANCE if between[0] is None else between[0]), (1.0 if between[1] is None else between[1])
    return min(max(low, _CHANCE), 1.0), min(max(high, _CHANCE), 1.0)


def _words(between: tuple[float | None, float | None]) -> str:
    low, high = between
    if low is None or high is None:
        return f"below {high:g}" if high is not None else f"above {low:g}"
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _listed(figure: PublicFigure) -> str:
    return ", ".join(f"{_words(step.between)} from {step.rows:,} rows" for step in figure.curve)


def _panel(figure: PublicFigure) -> "alt.LayerChart":
    import altair as alt

    values = [
        {"rows": f"{step.rows:,}", "words": _words(step.between)}
        | dict(zip(("low", "high"), _ends(step.between), strict=True))
        for step in figure.curve
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("rows:N", sort=None, axis=alt.Axis(title="synthetic rows", labelAngle=0, ticks=False))
    )
    scale = alt.Scale(domain=[_CHANCE, 1.0], nice=False)
    height = alt.Y("low:Q", scale=scale, axis=alt.Axis(title=None, tickCount=5, domain=False, ticks=False))
    layers = alt.layer(
        # A value on a step of the ladder has no height; it is seen all the same.
        base.mark_bar(fill=BAR, stroke=BAR, strokeWidth=3, cornerRadius=2, width=26).encode(y=height, y2="high"),
        base.mark_text(baseline="bottom", dy=-6, fontSize=11).encode(y=alt.Y("high:Q", scale=scale), text="words:N"),
    )
    title = alt.TitleParams(
        f"predicting {plain(shorten(figure.subject, 48))}",
        fontSize=11,
        fontWeight="normal",
        color=NOTE,
        anchor="start",
        offset=10,
    )
    return layers.properties(width=_WIDTH, height=_HEIGHT, title=title)

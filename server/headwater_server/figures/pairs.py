"""How strongly pairs of columns hang together, as a heat map."""

import json
from typing import TYPE_CHECKING

from headwater.release import DrawnChart
from headwater.release.layout import PAIRS
from headwater.release.manifest import Chart
from headwater.release.statistics import PairTrends
from headwater_server.figures.static import BAR, ON_FULL, OTHER, TRACK, heading, static_svg
from headwater_server.figures.texts import plain, shorten

if TYPE_CHECKING:
    import altair as alt

__all__ = ["draw_pairs"]

_TOLD = 5
_WRITTEN = 12
_NAME = "How columns hang together"


def draw_pairs(pairs: PairTrends) -> DrawnChart:
    """Draw the association of every pair of columns, each once."""
    cells = [
        (pairs.columns[row], pairs.columns[column], value)
        for row, values in enumerate(pairs.matrix)
        for column, value in enumerate(values[:row])
        if value is not None
    ]
    description = _describe(pairs, cells)
    content = static_svg(_chart(pairs), _NAME, description)
    return DrawnChart(Chart(kind="pairs", path=PAIRS, description=description), content)


def _describe(pairs: PairTrends, cells: list[tuple[str, str, float]]) -> str:
    strongest = sorted(cells, key=lambda cell: (-abs(cell[2]), cell[:2]))[:_TOLD]
    told = "; ".join(f"{shorten(one, 60)} with {shorten(other, 60)} {value:.2f}" for one, other, value in strongest)
    start = (
        f"Association of each pair of {len(pairs.columns)} columns in {pairs.rows:,} synthetic rows, from 0 for none"
    )
    return (
        f"{start} to 1 for the strongest, below 0 where one number falls as the other rises. Strongest: {told or '-'}."
    )


def _chart(pairs: PairTrends) -> "alt.LayerChart":
    import altair as alt

    names, size = pairs.columns, len(pairs.columns)
    side = max(14, min(38, 480 // size))
    labels = [plain(shorten(name, 20)) for name in names]
    values = [
        {
            "row": row,
            "column": column,
            "strength": abs(pairs.matrix[row][column] or 0.0),
            "way": "falls" if (pairs.matrix[row][column] or 0.0) < 0 else "rises",
            "words": "" if pairs.matrix[row][column] is None else f"{pairs.matrix[row][column]:.2f}".replace("-", "−"),
            "strong": abs(pairs.matrix[row][column] or 0.0) > 0.55,
        }
        for row in range(1, size)
        for column in range(row)
    ]
    # Places, not names, are the axes' values: two long names may begin alike.
    rows, columns = list(range(1, size)), list(range(size - 1))
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("column:O", scale=alt.Scale(domain=columns), axis=_axis(labels, angle=-45)),
        y=alt.Y("row:O", scale=alt.Scale(domain=rows), axis=_axis(labels, angle=0)),
    )
    shade = base.mark_rect().encode(
        fill=alt.Fill("way:N", scale=alt.Scale(domain=["rises", "falls"], range=[BAR, OTHER]), legend=None),
        opacity=alt.Opacity(
            "strength:Q",
            scale=alt.Scale(domain=[0, 1], range=[0, 1]),
            legend=None,
        ),
    )
    layers = [base.mark_rect(fill=TRACK, stroke=None), shade]
    if size <= _WRITTEN:
        layers += [
            base.transform_filter("!datum.strong").mark_text(fontSize=10).encode(text="words:N"),
            base.transform_filter("datum.strong").mark_text(fontSize=10, fill=ON_FULL).encode(text="words:N"),
        ]
    note = "synthetic rows; the fuller its colour the stronger a pair, orange where one falls as the other rises"
    return alt.layer(*layers).properties(width=side * (size - 1), height=side * (size - 1), title=heading(_NAME, note))


def _axis(labels: list[str], angle: int) -> "alt.Axis":
    # The texts are data of an expression, written as JSON, so that none of them is read as one.
    import altair as alt

    more = {"labelAngle": angle, "labelAlign": "right", "labelBaseline": "middle"} if angle else {}
    return alt.Axis(
        title=None, labelExpr=f"{json.dumps(labels)}[datum.value]", labelLimit=150, ticks=False, domain=False, **more
    )

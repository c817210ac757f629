"""A column's distribution as a plot, with the same in words."""

from typing import TYPE_CHECKING

from headwater.release.distribution import Bars, Histogram
from headwater.release.statistics import ColumnStatistics
from headwater_server.figures.static import BAR, NOTE, OTHER, TRACK, heading, static_svg
from headwater_server.figures.texts import percent, plain, shorten

if TYPE_CHECKING:
    import altair as alt

__all__ = ["SIZE", "describe", "draw"]

SIZE = (420, 272)
"""Of every column's plot, in pixels."""

_SHOWN_BARS = 8
_WIDTH, _HEIGHT = 392, 198
# Room for labels left of bars, for figures right of them, for the vertical axis and for the horizontal one.
_LABELS, _VALUES, _SIDE, _FOOT = 160, 58, 34, 34
_ATOM, _GAP = 40, 12
_DAY = 86_400_000


def describe(column: ColumnStatistics, rows: int) -> str:
    """The plot in words, for those who do not see it: at most 1,000 letters."""
    start = f"{column.name}: {rows:,} synthetic values"
    missing = f" {percent(column.missing / rows)} missing." if column.missing else ""
    match column.distribution:
        case None:
            return f"{start}. No value present.{missing}"
        case Bars() as shown:
            bars = ", ".join(f"{label} {percent(share)}" for label, share in _bars_of(shown, rows))
            return f"{start}. {bars}.{missing}"[:1000]
        case Histogram() as shown:
            atoms = "".join(f" {percent(atom.count / rows)} are exactly {atom.label}." for atom in shown.atoms)
            places = column.quantiles
            said = "" if places is None else (
                f" from {_said(places.least)} to {_said(places.largest)}; median {_said(places.median)}, middle half "
                f"from {_said(places.p25)} to {_said(places.p75)}"
            )  # fmt: skip
            return f"{start}{said}.{atoms}{missing}"[:1000]


def draw(column: ColumnStatistics, rows: int, description: str) -> bytes:
    """Draw a column.

    Args:
        column: counted; no image.
        rows: that were counted.
        description: the same in words, kept in the drawing for screen readers.

    Returns:
        As `headwater_server.figures.static.static_svg`.
    """
    import altair as alt

    shown = column.distribution
    notes = [column.kind]
    if column.missing:
        notes.append(f"missing {percent(column.missing / rows)}")
    if isinstance(shown, Histogram) and shown.beyond:
        notes.append(f"{percent(shown.beyond / rows)} beyond the axis")
    title = heading(shorten(column.name, 48), " · ".join(notes))
    match shown:
        case Histogram():
            chart = _histogram(shown, rows, date=column.kind == "date")
        case _:
            chart = _bars(_bars_of(shown, rows) if shown else [])
    placed: alt.TopLevelMixin = chart.properties(title=title)
    return static_svg(placed, column.name, description, size=SIZE)


def _bars_of(shown: Bars, rows: int) -> list[tuple[str, float]]:
    """Labels with shares; many categories but the first ones together."""
    more = shown.other_values or len(shown.labels) > _SHOWN_BARS + 1
    kept = _SHOWN_BARS if more else len(shown.labels)
    found = [(label, count / rows) for label, count in zip(shown.labels, shown.counts, strict=True)][:kept]
    if more:
        rest = sum(shown.counts[kept:]) + shown.others
        found.append((f"{len(shown.labels) - kept + shown.other_values} others", rest / rows))
    return found


def _bars(bars: list[tuple[str, float]]) -> "alt.LayerChart":
    import altair as alt

    rows = [
        {"place": place, "label": plain(shorten(label)), "share": share, "words": percent(share), "all": 1}
        for place, (label, share) in enumerate(bars)
    ]
    thick = min(18, int(_HEIGHT / max(len(rows), 1) * 0.66))
    # Bars of a few values are not spread over the whole height.
    places = alt.Scale(domain=list(range(max(len(rows), 6))), paddingInner=0.3)
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("place:O", axis=None, scale=places))
    room = alt.Scale(domain=[0, 1], range=[_LABELS, _WIDTH - _VALUES])

    def along(field: str) -> "alt.X":
        return alt.X(field, axis=None, scale=room)

    layers = alt.layer(
        base.mark_bar(fill=TRACK, cornerRadius=2, height=thick).encode(x=along("all:Q"), x2=alt.datum(0)),
        base.mark_bar(fill=BAR, cornerRadius=2, height=thick).encode(x=along("share:Q"), x2=alt.datum(0)),
        base.mark_text(align="right", baseline="middle", limit=_LABELS - 8).encode(
            x=alt.value(_LABELS - 8), text="label:N"
        ),
        base.mark_text(align="left", baseline="middle").encode(x=alt.value(_WIDTH - _VALUES + 8), text="words:N"),
    )
    return layers.properties(width=_WIDTH, height=_HEIGHT)


def _histogram(shown: Histogram, rows: int, *, date: bool) -> "alt.TopLevelMixin":
    import altair as alt

    scale, kind = (_DAY, "T") if date else (1, "Q")
    bins = [
        {"low": low * scale, "high": high * scale, "share": count / rows}
        for low, high, count in zip(shown.edges, shown.edges[1:], shown.counts, strict=False)
    ]
    across = alt.Scale(nice=False, zero=False, domain=[bins[0]["low"], bins[-1]["high"]])
    if date:
        across = alt.Scale(nice=False, type="utc", domain=[bins[0]["low"], bins[-1]["high"]])
    far = max(abs(shown.edges[0]), abs(shown.edges[-1]))
    numbers = {} if date else {"format": "~s" if far >= 1e4 else ",~r" if far >= 1 else "~g"}
    axis = alt.Axis(title=None, grid=False, tickCount=5, labelFlush=True, **numbers)
    shares = alt.Axis(
        title=None, format=".2~%", tickCount=4, domain=False, ticks=False, minExtent=_SIDE, maxExtent=_SIDE
    )
    atoms = _atoms(shown, rows) if shown.atoms else None
    left = _SIDE + (0 if atoms is None else _ATOM * len(shown.atoms) + _GAP)
    values = (
        alt.Chart(alt.Data(values=bins))
        .mark_bar(fill=BAR, binSpacing=1)
        .encode(
            x=alt.X(f"low:{kind}", scale=across, axis=axis),
            x2="high",
            y=alt.Y("share:Q", axis=shares),
            y2=alt.datum(0),
        )
        .properties(width=_WIDTH - left, height=_HEIGHT - _FOOT)
    )
    return values if atoms is None else alt.hconcat(atoms, values, spacing=_GAP)


def _atoms(shown: Histogram, rows: int) -> "alt.LayerChart":
    """Single values on a scale of their own, where 100 % is the full height: colour and gap keep them apart."""
    import altair as alt

    values = [
        {"place": place, "share": atom.count / rows, "all": 1, "label": f"= {plain(shorten(atom.label, 6))}"}
        | {"words": f"{atom.count / rows:.0%}"}
        for place, atom in enumerate(shown.atoms)
    ]
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("place:O", axis=None))

    def whole(field: str) -> "alt.Y":
        return alt.Y(field, axis=None, scale=alt.Scale(domain=[0, 1]))

    layers = alt.layer(
        base.mark_bar(fill=TRACK, width=_ATOM - 6).encode(y=whole("all:Q"), y2=alt.datum(0)),
        base.mark_bar(fill=OTHER, width=_ATOM - 6).encode(y=whole("share:Q"), y2=alt.datum(0)),
        base.mark_text(fill=NOTE, fontSize=11, dy=14).encode(y=alt.value(_HEIGHT - _FOOT), text="label:N"),
        base.mark_text(fill=NOTE, fontSize=11, dy=28).encode(y=alt.value(_HEIGHT - _FOOT), text="words:N"),
    )
    return layers.properties(width=_ATOM * len(values), height=_HEIGHT - _FOOT)


def _said(value: float | str) -> str:
    from headwater.release.distribution import number_in_words

    return value if isinstance(value, str) else number_in_words(value)

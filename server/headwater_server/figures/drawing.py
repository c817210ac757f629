"""Drawing a column's distribution as one self-contained SVG, readable in light and dark."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from headwater_server.figures.distribution import Bars, Histogram

__all__ = ["draw", "safe", "shorten"]

WIDTH = 420
HEIGHT = 272
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 54, 40
_ATOM_WIDTH = 34
_LABEL_LENGTH = 21

_STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#3d4f58}
.name{font-size:14px;font-weight:600;fill:#13252d}
.note{font-size:11px;fill:#5b6c74}
.bar{fill:#12738a}
.atom{fill:#b4581c}
.track{fill:#eef3f4}
.line{stroke:#d5dee1;stroke-width:1}
.axis{stroke:#8fa1a8;stroke-width:1}
@media (prefers-color-scheme:dark){
text{fill:#b7c6cc}.name{fill:#eef4f6}.note{fill:#93a5ac}
.bar{fill:#4fb3c9}.atom{fill:#e89a5b}.track{fill:#1d2c33}.line{stroke:#2b3d45}.axis{stroke:#5c7079}
}"""


def draw(name: str, kind: str, shown: Bars | Histogram, description: str) -> bytes:
    """Draw a column.

    Args:
        name: of the column, the heading.
        kind: one word for its kind, beside the heading.
        shown: what to draw.
        description: the same in words, kept in the drawing for screen readers.

    Returns:
        SVG 1.1, UTF-8, without script, link or external reference; every text is escaped.
    """
    body = _bars(shown) if isinstance(shown, Bars) else _histogram(shown)
    notes = []
    if shown.missing > 0:
        notes.append(f"missing {_words(shown.missing)}")
    if isinstance(shown, Histogram) and shown.beyond > 0:
        notes.append(f"{_words(shown.beyond)} beyond the axis")
    note = f'<text class="note" x="14" y="41">{safe(" · ".join([kind, *notes]))}</text>'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="t d">',
        f'<title id="t">{safe(name)}</title><desc id="d">{safe(description)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="name" x="14" y="24">{safe(shorten(name, 48))}</text>',
        note,
        *body,
        "</svg>",
    ]
    return "\n".join(parts).encode("utf-8")


def _bars(shown: Bars) -> Iterator[str]:
    label_width = 160
    room = WIDTH - label_width - 72
    count = max(len(shown.labels), 1)
    step = min(34.0, (HEIGHT - _TOP - 12) / count)
    thickness = min(18.0, step * 0.66)
    for index, (label, share) in enumerate(zip(shown.labels, shown.shares, strict=True)):
        y = _TOP + 6 + step * index
        middle = y + thickness / 2 + 4
        length = room * share
        yield f'<text x="{label_width - 8}" y="{middle:.1f}" text-anchor="end">{safe(shorten(label))}</text>'
        yield f'<rect class="track" x="{label_width}" y="{y:.1f}" width="{room}" height="{thickness:.1f}" rx="2"/>'
        yield (
            f'<rect class="bar" x="{label_width}" y="{y:.1f}" width="{max(length, 1 if share else 0):.1f}" '
            f'height="{thickness:.1f}" rx="2"/>'
        )
        yield f'<text x="{label_width + room + 8}" y="{middle:.1f}">{safe(_words(share))}</text>'


def _histogram(shown: Histogram) -> Iterator[str]:
    bottom = HEIGHT - _BOTTOM
    room = bottom - _TOP - 8
    left = _LEFT + (_ATOM_WIDTH + 6) * len(shown.atoms) + (10 if shown.atoms else 0)
    width = WIDTH - _RIGHT - left
    top_share = max(shown.shares, default=0.0) or 1.0
    step = _nice_step(top_share)
    highest = step * -(-top_share // step)
    for index in range(round(highest / step) + 1):
        y = bottom - room * (index * step / highest)
        yield f'<line class="line" x1="{left}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        percent = f"{index * step * 100:g} %"
        yield f'<text class="note" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>'
    yield from _atoms(shown, bottom, room)
    span = shown.edges[-1] - shown.edges[0]
    for low, high, share in zip(shown.edges, shown.edges[1:], shown.shares, strict=False):
        x = left + width * (low - shown.edges[0]) / span
        bar = width * (high - low) / span
        tall = room * share / highest
        yield (
            f'<rect class="bar" x="{x + 0.5:.1f}" y="{bottom - tall:.1f}" width="{max(bar - 1, 0.5):.1f}" '
            f'height="{tall:.1f}"/>'
        )
    yield f'<line class="axis" x1="{left}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    for place, label in shown.ticks:
        x = left + width * (place - shown.edges[0]) / span
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
        yield f'<text class="note" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{safe(label)}</text>'


def _atoms(shown: Histogram, bottom: int, room: int) -> Iterator[str]:
    # On a scale of their own, 100 % is the full height: colour and gap keep them apart from the bins.
    for index, (label, share) in enumerate(shown.atoms):
        x = 14 + (_ATOM_WIDTH + 6) * index
        tall = room * share
        middle = x + _ATOM_WIDTH / 2
        yield f'<rect class="track" x="{x}" y="{bottom - room}" width="{_ATOM_WIDTH}" height="{room}"/>'
        yield f'<rect class="atom" x="{x}" y="{bottom - tall:.1f}" width="{_ATOM_WIDTH}" height="{tall:.1f}"/>'
        value = safe(shorten(label, 6))
        yield f'<text class="note" x="{middle}" y="{bottom + 16}" text-anchor="middle">= {value}</text>'
        yield f'<text class="note" x="{middle}" y="{bottom + 31}" text-anchor="middle">{share:.0%}</text>'


def _nice_step(top: float) -> float:
    steps = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    return next((step for step in steps if top / step <= 4), 0.25)


def _words(share: float) -> str:
    return "< 0.1 %" if 0 < share < 0.001 else f"{share * 100:.1f} %"


def shorten(text: str, length: int = _LABEL_LENGTH) -> str:
    """The text, cut to a length with an ellipsis where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def safe(text: str) -> str:
    """The text as it may stand in XML."""
    # XML has no way to write control characters, not even escaped.
    return escape("".join(letter if letter.isprintable() else "�" for letter in text))

"""Draws one sequence diagram as an SVG that needs no script and follows the reader's light or dark scheme."""

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Diagram", "Lost", "Message", "Note", "Step", "draw"]

WIDTH = 880
MARGIN = 30
HEAD = 34
LINE = 17
GAP = 16
CHARACTER = 6.6

STYLE = """
  svg { --paper: #ffffff; --ink: #1f2933; --soft: #5f6b76; --line: #9aa5b1; --accent: #00695c; --note: #eef4f3; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #1e2129; --ink: #e4e7eb; --soft: #a9b4c0; --line: #6b7785; --accent: #4db6ac; --note: #2a323c; }
  }
  .paper { fill: var(--paper); } .life { stroke: var(--line); stroke-dasharray: 3 4; }
  .head { fill: var(--note); stroke: var(--line); } .note { fill: var(--note); stroke: none; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
  .name { font-weight: 600; fill: var(--accent); } .lane { font-weight: 600; } .soft { fill: var(--soft); }
  .arrow { stroke: var(--accent); stroke-width: 1.6; fill: none; } .tip { fill: var(--accent); }
  .lost { stroke: var(--soft); stroke-width: 1.6; fill: none; }
"""


@dataclass(frozen=True, slots=True)
class Message:
    """Arrows between two lanes, all on one level.

    Attributes:
        name: type of the message.
        text: what it carries.
        ends: (from, to) lanes of each arrow.
    """

    name: str
    text: str
    ends: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """An arrow that never arrives."""

    name: str
    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Note:
    """What a party does by itself; over one lane, or from the first to the last."""

    text: str
    first: int
    last: int


Step = Message | Lost | Note


@dataclass(frozen=True, slots=True)
class Diagram:
    """One diagram.

    Attributes:
        title: for readers who do not see it, as is `description`.
        description: what happens, in a sentence or two.
        lanes: the parties, from left to right.
        steps: from top to bottom.
    """

    title: str
    description: str
    lanes: tuple[str, ...]
    steps: tuple[Step, ...]


def draw(diagram: Diagram) -> str:
    """The diagram as the text of an SVG file."""
    top, parts = float(MARGIN + HEAD + GAP), list[str]()
    for step in diagram.steps:
        height, drawn = _step(step, top, len(diagram.lanes))
        parts.extend(drawn)
        top += height + GAP
    bottom = round(top + GAP)
    lanes = [part for index, name in enumerate(diagram.lanes) for part in _lane(diagram, index, name, bottom)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + GAP}" width="{WIDTH}" '
        f'height="{bottom + GAP}" role="img" aria-labelledby="title description">'
    )
    lines = [
        head,
        f'<title id="title">{html.escape(diagram.title)}</title>',
        f'<desc id="description">{html.escape(diagram.description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{bottom + GAP}" rx="8"/>',
        *lanes,
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _x(lane: int, lanes: int) -> float:
    side = MARGIN + 110
    return side + lane * (WIDTH - 2 * side) / (lanes - 1)


def _lane(diagram: Diagram, index: int, name: str, bottom: float) -> list[str]:
    x, half = _x(index, len(diagram.lanes)), max(62.0, len(name) * 7.6 / 2 + 14)
    return [
        f'<line class="life" x1="{x:.0f}" y1="{MARGIN + HEAD}" x2="{x:.0f}" y2="{bottom}"/>',
        f'<rect class="head" x="{x - half:.0f}" y="{MARGIN}" width="{2 * half:.0f}" height="{HEAD}" rx="5"/>',
        f'<text class="lane" x="{x:.0f}" y="{MARGIN + 22}" text-anchor="middle">{html.escape(name)}</text>',
    ]


def _step(step: Step, top: float, lanes: int) -> tuple[float, list[str]]:
    match step:
        case Note(text, first, last):
            return _note(text, _x(first, lanes), _x(last, lanes), top)
        case Message(name, text, ends):
            spans = [(_x(begin, lanes), _x(end, lanes)) for begin, end in ends]
            height, drawn = _label(name, text, *spans[0], top)
            for begin, end in spans:
                drawn.extend(_arrow(begin, end, top + height))
            # Arrows on the other side repeat the name alone, close above the line.
            for begin, end in spans[1:]:
                if {begin, end} != set(spans[0]):
                    drawn.extend(_label(name, "", begin, end, top + height - LINE - 2)[1])
            return height, drawn
        case Lost(name, text, begin, end):
            x, to = _x(begin, lanes), (_x(begin, lanes) + _x(end, lanes)) / 2
            height, labels = _label(name, text, x, _x(end, lanes), top)
            y = top + height
            cross = f"M{to - 5:.0f} {y - 5:.0f} l10 10 m0 -10 l-10 10"
            line = f'<path class="lost" d="M{x:.0f} {y:.0f} H{to:.0f}"/><path class="lost" d="{cross}"/>'
            return height + 6, [*labels, line]


def _note(text: str, left: float, right: float, top: float) -> tuple[float, list[str]]:
    span = max(right - left + 180, 236)
    x = (left + right) / 2
    lines = textwrap.wrap(text, int((span - 20) / CHARACTER))
    height = len(lines) * LINE + 12
    box = f'<rect class="note" x="{x - span / 2:.0f}" y="{top:.0f}" width="{span:.0f}" height="{height}" rx="5"/>'
    return height, [box, *_lines(lines, x, top + 20, "note-text")]


def _arrow(begin: float, end: float, y: float) -> list[str]:
    tip = 8 if begin < end else -8
    line = f'<path class="arrow" d="M{begin:.0f} {y:.0f} H{end - tip:.0f}"/>'
    return [line, f'<path class="tip" d="M{end:.0f} {y:.0f} l{-tip - tip / 4:.0f} -5 v10 z"/>']


def _label(name: str, text: str, begin: float, end: float, top: float) -> tuple[float, list[str]]:
    middle, room = (begin + end) / 2, int((abs(end - begin) - 24) / CHARACTER)
    lines = textwrap.wrap(text, room) if text else []
    title = f'<text class="name" x="{middle:.0f}" y="{top + 11:.0f}" text-anchor="middle">{html.escape(name)}</text>'
    return (1 + len(lines)) * LINE + 2, [title, *_lines(lines, middle, top + 11 + LINE, "soft")]


def _lines(lines: Sequence[str], x: float, y: float, kind: str) -> list[str]:
    return [
        f'<text class="{kind}" x="{x:.0f}" y="{y + place * LINE:.0f}" text-anchor="middle">{html.escape(line)}</text>'
        for place, line in enumerate(lines)
    ]

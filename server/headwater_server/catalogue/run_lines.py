"""A run's records as lines of text with a colour, the same words as in the operator's terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headwater_server.cli.watching import Lines

__all__ = ["Line", "lines_after", "plain_line"]

Tone = Literal["", "good", "warn", "bad"]
# Words of the log that need an explanation; the page has one for those that are left.
_PLAIN = {"1-way TVD": "single columns off by", "rung": "step", "sensitivity": "change with the latent"}
_TONES: tuple[tuple[str, Tone], ...] = (("red", "bad"), ("yellow", "warn"), ("green", "good"))


@dataclass(frozen=True)
class Line:
    """One line; `tone` repeats in colour what its words say."""

    text: str
    tone: Tone


def lines_after(records: Iterable[tuple[int, Mapping[str, Any]]], after: int) -> Sequence[tuple[int, Sequence[Line]]]:
    """The lines that each record above a number adds.

    Args:
        records: all of the run from its first, with their numbers: rounds of a climb are told together once its rung
            is done, so that what comes next follows from what came before.
        after: number of the last record that the reader has; 0 for none.

    Returns:
        Records above it in order, those that add no line too, so that a reader can go on from the last.
    """
    lines = Lines(every_round=False)
    told = [(number, [plain_line(line) for line in lines.of(record)]) for number, record in records]
    return [(number, said) for number, said in told if number > after]


def plain_line(markup: str) -> Line:
    """A line of the terminal without its markup."""
    from rich.text import Text

    text = Text.from_markup(markup.replace(" [dim]", " · [dim]"))
    styles = " ".join(str(span.style) for span in text.spans)
    said = text.plain.strip()
    for word, plain in _PLAIN.items():
        said = said.replace(word, plain)
    return Line(said, next((tone for word, tone in _TONES if word in styles), ""))

"""Texts of real rows that nothing published may hold."""

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, Schema
from headwater.schema.parsing import text_of

__all__ = ["RareTexts", "rare_texts"]

# Not \w: names of files join words by underscores.
_WORD = re.compile(r"[^\W_]+")
_SHORTEST = 5
_LONG = 8


class RareTexts:
    """Texts to be looked for as sequences of words, whatever stands between the words and in whatever case.

    Args:
        texts: as the rows have them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Index them by their first word."""
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for text in texts:
            if words := _words(text):
                self._by_first.setdefault(words[0], set()).add(words)

    def __len__(self) -> int:
        """How many there are."""
        return sum(len(each) for each in self._by_first.values())

    def found_in(self, text: str) -> int:
        """How many of them stand in a text, each counted once."""
        return len(self._found(text))

    def without(self, text: str) -> "RareTexts":
        """Those that do not stand in a text."""
        kept, gone = RareTexts(()), self._found(text)
        for first, wanted in self._by_first.items():
            kept._by_first[first] = wanted - gone
        return kept

    def _found(self, text: str) -> set[tuple[str, ...]]:
        words = _words(text)
        return {
            wanted
            for place, word in enumerate(words)
            for wanted in self._by_first.get(word, ())
            if words[place : place + len(wanted)] == wanted
        }


def rare_texts(arrow: pa.Table, schema: Schema, most: int = 3) -> RareTexts:
    """Texts that few rows have and that the schema does not list.

    All columns of the file are looked at, those too that the schema leaves out: names and numbers of records stand
    there. What could stand in any text by chance is left out: plain numbers, days of columns that the schema has as
    days, texts of fewer than five characters, and single words of fewer than eight without a digit.

    Args:
        arrow: rows as their owner's file has them.
        schema: lists categories and names columns.
        most: rows that may have a text for it to be rare.
    """
    texts: set[str] = set()
    days = {column.name for column in schema.columns if isinstance(column, DateColumn)}
    for name in arrow.column_names:
        if name in days:
            continue
        values = arrow.column(name)
        text = text_of(values) if _is_text(values.type) else None
        if text is None:
            continue
        counted = pc.value_counts(text.drop_null())
        rare = counted.filter(pc.less_equal(counted.field("counts"), most)).field("values")
        texts.update(text for text in rare.to_pylist() if _tells(text))
    return RareTexts(texts).without("\n".join(_listed(schema)))


def _tells(text: str) -> bool:
    if len(text) < _SHORTEST or _is_number(text):
        return False
    words = _words(text)
    return len(words) > 1 or len(text) >= _LONG or any(letter.isdigit() for letter in text)


def _listed(schema: Schema) -> Iterator[str]:
    yield schema.name
    for column in schema.columns:
        yield column.name
        if isinstance(column, CategoricalColumn | BooleanColumn):
            yield from column.categories


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))

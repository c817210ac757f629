"""The column of a table that models predict, where nobody names one."""

import pathlib

from generator.datasets import DATASETS
from headwater.schema import BooleanColumn, CategoricalColumn
from headwater.schema.draft import draft
from headwater.schema.reading import read_arrow

__all__ = ["target_of"]


def target_of(data: pathlib.Path, given: str | None) -> tuple[str | None, str]:
    """The target and why it is that one; None where the table has none that could be guessed.

    Args:
        data: the table's file.
        given: what the user says, which is taken as it stands.

    Raises:
        InputError: the table cannot be read.
    """
    if given is not None:
        return given, "as given"
    arrow = read_arrow(data)
    known = next((each for each in DATASETS.values() if each.file == data.name), None)
    if known is not None and known.target in arrow.column_names:
        return known.target, f"as the benchmarks have it for {known.title}"
    last = draft(arrow, None, "audited").columns[-1]
    # A schema may leave columns out, such as texts of which each row has its own.
    if last.name == arrow.column_names[-1] and isinstance(last, CategoricalColumn | BooleanColumn):
        return last.name, "the last column; --target names another"
    return None, f"the last column, {arrow.column_names[-1]!r}, is not categorical; --target names one"

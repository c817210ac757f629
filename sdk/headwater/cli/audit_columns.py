"""Which columns of the three files an audit leaves out or refuses, and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import InputError
from headwater.schema import ImageColumn, Schema
from headwater.schema.image import image_sources
from headwater.schema.parsing import text_of

__all__ = ["check_columns", "differ", "left_out"]


def left_out(real: pa.Table, schema: Schema) -> Mapping[str, str]:
    """Columns of the real rows that a drafted schema leaves out, each with the reason.

    Args:
        real: training and holdout rows together, of which the schema was drafted.
        schema: that was drafted.
    """
    known = _known(real, schema)
    return {name: _reason(real.column(name)) for name in real.column_names if name not in known}


def check_columns(
    schema: Schema, sources: Mapping[Path, pa.Table], synthetic: Path, out: Mapping[str, str] | None
) -> None:
    """Refuse files that lack a column of the schema, and synthetic rows with one that nobody would audit.

    Args:
        schema: of the audit.
        sources: the three files.
        synthetic: which of them may be published.
        out: what `left_out` found; None where the schema was given.

    Raises:
        InputError: every difference of every file, in one line.
    """
    wrong = []
    for path, arrow in sources.items():
        missing = [
            column.name
            for column in schema.columns
            if not isinstance(column, ImageColumn) and column.name not in arrow.column_names
        ]
        known = _known(arrow, schema)
        more = [name for name in arrow.column_names if name not in known] if path == synthetic else []
        reasons = out or {}
        if missing or any(name not in reasons for name in more):
            wrong.append(f"{path.name} {differ(missing, [name for name in more if name not in reasons])}")
        if unaudited := [name for name in more if name in reasons]:
            said = "; ".join(f"{name!r}, which in the real rows {reasons[name]}" for name in unaudited)
            wrong.append(f"{path.name} has what no schema can hold, so that nobody could audit it: {said}")
    if not wrong:
        return
    if out is None:
        against = f"the files differ from schema {schema.name!r}"
    else:
        against = "the files differ from the schema that was guessed from the real rows"
    raise InputError(f"{against}: {'; '.join(wrong)}; give all three the columns of the schema, and take others out")


def differ(missing: Sequence[str], additional: Sequence[str]) -> str:
    """What a file lacks and has in addition, in words."""
    lacks = f"lacks {', '.join(map(repr, missing))}" if missing else ""
    has = f"has in addition {', '.join(map(repr, additional))}" if additional else ""
    return " and ".join(filter(None, (lacks, has)))


def _known(arrow: pa.Table, schema: Schema) -> set[str]:
    return set(schema.names).union(*(image_sources(arrow, image) for image in schema.images))


def _reason(values: pa.ChunkedArray) -> str:
    text = text_of(values)
    if text is None:
        return "holds lists or other nested values"
    if text.null_count == len(text):
        return "holds no value"
    different = pc.count_distinct(text).as_py()
    return f"holds {different:,} different texts in {len(text):,} rows: free text, or names of records"

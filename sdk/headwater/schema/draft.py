"""Propose a schema from a table: a start for a person, with every guess marked."""

import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn
from headwater.schema.schema import Schema

__all__ = ["draft"]

# Text with more distinct values than this share of the rows is rather a name or a number of a case than a category.
_DISTINCT_SHARE = 0.5
_CATEGORIES_OF_ANY_TABLE = 20
_YES_NO = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"})
_POSITIVE = {"yes", "true", "y", "t"}


def draft(arrow: pa.Table, target: str | None, name: str) -> Schema:
    """Guess a schema from the rows; whoever uses it must confirm what stands in `unconfirmed`.

    Args:
        arrow: the table, as `read_arrow` gives it.
        target: the column to predict; becomes categorical when it is not numeric or has few values. None for none.
        name: of the schema.

    Raises:
        InputError: no such target, no rows, or a column from which nothing can be guessed.
    """
    if arrow.num_rows == 0:
        raise InputError("the table has no rows; nothing can be guessed from it")
    if target is not None and target not in arrow.column_names:
        shown = ", ".join(arrow.column_names[:12])
        raise InputError(f"there is no column {target!r}; the columns are {shown}")
    columns = tuple(_guess(arrow.column(column), column, column == target) for column in arrow.column_names)
    return Schema(name=name, columns=columns)


def _guess(values: pa.ChunkedArray, name: str, is_target: bool) -> Column:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
    missing = values.null_count > 0
    role = "target" if is_target else "feature"
    present = values.drop_null()
    if len(present) == 0:
        raise InputError(f"column {name!r} has no value at all; drop it, or write its column of the schema yourself")
    kind = present.type
    common = {"name": name, "missing": missing, "role": role}
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        bounds = pc.min_max(present.cast(pa.date32(), safe=False))
        return DateColumn(
            **common, lower=bounds["min"].as_py(), upper=bounds["max"].as_py(), unconfirmed=("kind", "bounds")
        )
    if _is_number(kind) and not (is_target and pc.count_distinct(present).as_py() <= _CATEGORIES_OF_ANY_TABLE):
        return _guess_numeric(present, common)
    return _guess_text(present, common)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _guess_numeric(present: pa.ChunkedArray, common: dict[str, object]) -> NumericColumn:
    numbers = present.cast(pa.float64(), safe=False)
    bounds = pc.min_max(numbers)
    lower, upper = float(bounds["min"].as_py()), float(bounds["max"].as_py())
    whole = max(abs(lower), abs(upper)) < 2**53 and bool(pc.all(pc.equal(numbers, pc.round(numbers))).as_py())
    # A column written with decimal points stays one of decimals even if all are zero, as it is to be written back.
    integer = whole and not pa.types.is_floating(present.type)
    return NumericColumn.model_validate(
        {**common, "lower": lower, "upper": upper, "integer": integer, "unconfirmed": ("kind", "bounds")}
    )


def _guess_text(present: pa.ChunkedArray, common: dict[str, object]) -> Column:
    text = present.cast(pa.string())
    counts = pc.value_counts(text)
    labels = sorted(str(entry) for entry in counts.field("values").to_pylist() if entry)
    if {label.lower() for label in labels} in _YES_NO and len(labels) == 2:
        false, true = sorted(labels, key=lambda label: label.lower() in _POSITIVE)
        return BooleanColumn.model_validate({**common, "false": false, "true": true, "unconfirmed": ("kind",)})
    if len(labels) > max(_CATEGORIES_OF_ANY_TABLE, _DISTINCT_SHARE * len(text)):
        raise InputError(
            f"column {common['name']!r} has {len(labels)} different texts in {len(text)} rows; it rather names records "
            "than describes them: drop it, or write its column of the schema yourself"
        )
    return CategoricalColumn.model_validate({**common, "categories": labels, "unconfirmed": ("kind", "categories")})

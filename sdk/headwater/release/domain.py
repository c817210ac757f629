"""A column of a schema in words, the same on the card, on the page and in the terminal."""

from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn

__all__ = ["DRAFTED", "describe_domain", "describe_kind", "describe_role"]

DRAFTED = (
    "Bounds and categories were drafted from rows and not confirmed by a person. The bounds below are smallest and "
    "largest values of real records; no ε protects them."
)
"""Said above columns whose schema was read from rows."""

_SHOWN_CATEGORIES = 6


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"


def describe_kind(column: Column) -> str:
    """One word or two for the kind: "integer", "number", "category", "yes or no", "date", "image"."""
    match column:
        case NumericColumn():
            return "integer" if column.integer else "number"
        case CategoricalColumn():
            return "category"
        case BooleanColumn():
            return "yes or no"
        case DateColumn():
            return "date"
        case ImageColumn():
            return "image"


def describe_domain(column: Column) -> str:
    """The public bounds or categories, shortened to one line."""
    return _values(column) + ("; may be missing" if column.missing else "")


def _values(column: Column) -> str:
    match column:
        case NumericColumn():
            special = ", special " + ", ".join(_number(value) for value in column.special_values)
            bounds = f"{_number(column.lower)} to {_number(column.upper)}{_decimals(column.decimals)}"
            return bounds + (special if column.special_values else "")
        case CategoricalColumn():
            shown = ", ".join(column.categories[:_SHOWN_CATEGORIES])
            more = len(column.categories) - _SHOWN_CATEGORIES
            return f"{len(column.categories)}: {shown}" + (f" and {more} more" if more > 0 else "")
        case BooleanColumn():
            return f"{column.true} or {column.false}"
        case DateColumn():
            return f"{column.lower} to {column.upper}"
        case ImageColumn():
            return f"{column.height} × {column.width} pixels of {column.levels} levels"


def _decimals(most: int | None) -> str:
    match most:
        case None:
            return ""
        case 1:
            return ", 1 decimal"
        case _:
            return f", {most} decimals"


def describe_role(column: Column) -> str:
    """What the column is for: target, sensitive, both with a comma between, or the empty text."""
    words = (("target", column.role == "target"), ("sensitive", column.sensitive))
    return ", ".join(word for word, holds in words if holds)

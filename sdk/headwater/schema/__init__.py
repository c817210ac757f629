"""Schemas: columns with public bounds and categories, and tables that hold to them."""

from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn
from headwater.schema.schema import Schema

__all__ = ["BooleanColumn", "CategoricalColumn", "Column", "DateColumn", "ImageColumn", "NumericColumn", "Schema"]

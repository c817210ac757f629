"""All figures of a release: one drawing for each column of the synthetic rows."""

from headwater.release import DrawnFigure
from headwater.release.domain import describe_kind
from headwater.release.layout import figure_path
from headwater.release.manifest import Figure
from headwater.schema.table import Table
from headwater_server.figures.distribution import describe, distribution
from headwater_server.figures.drawing import draw

__all__ = ["draw_columns"]


def draw_columns(table: Table) -> tuple[DrawnFigure, ...]:
    """Draw every column, in the order of the schema.

    Args:
        table: synthetic rows, at least one.
    """
    drawn = []
    for position, column in enumerate(table.schema.columns):
        shown = distribution(table, column)
        words = describe(table, column, shown)
        figure = Figure(column=column.name, path=figure_path(position, column.name), description=words)
        drawn.append(DrawnFigure(figure, draw(column.name, describe_kind(column), shown, words)))
    return tuple(drawn)

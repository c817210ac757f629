"""All figures of a release: a plot for each column of the synthetic rows, a contact sheet for an image."""

from headwater.release import DrawnFigure
from headwater.release.domain import describe_kind
from headwater.release.layout import figure_path
from headwater.release.manifest import Figure
from headwater.schema import ImageColumn
from headwater.schema.table import Table
from headwater_server.figures.contact_sheet import describe_sheet, draw_sheet
from headwater_server.figures.distribution import describe, distribution
from headwater_server.figures.drawing import draw

__all__ = ["draw_columns"]


def draw_columns(table: Table) -> tuple[DrawnFigure, ...]:
    """Draw every column, in the order of the schema: its distribution, or the first pictures of an image.

    Args:
        table: synthetic rows, at least one.
    """
    drawn = []
    for position, column in enumerate(table.schema.columns):
        if isinstance(column, ImageColumn):
            words = describe_sheet(table, column)
            content = draw_sheet(table, column, words)
        else:
            shown = distribution(table, column)
            words = describe(table, column, shown)
            content = draw(column.name, describe_kind(column), shown, words)
        figure = Figure(column=column.name, path=figure_path(position, column.name), description=words)
        drawn.append(DrawnFigure(figure, content))
    return tuple(drawn)

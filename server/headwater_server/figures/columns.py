"""All plots of a release: one for each column of the synthetic rows, and charts of all of them and of the audit."""

from headwater.release import DrawnChart, DrawnFigure
from headwater.release.audit_file import PublishedAudit
from headwater.release.layout import figure_path
from headwater.release.manifest import Figure
from headwater.release.statistics import Statistics, statistics_of
from headwater.schema import ImageColumn
from headwater.schema.table import Table
from headwater_server.figures.audit_charts import draw_bias, draw_coverage
from headwater_server.figures.contact_sheet import describe_sheet, draw_sheet
from headwater_server.figures.distribution import describe, draw
from headwater_server.figures.pairs import draw_pairs
from headwater_server.figures.static import unchecked
from headwater_server.figures.usefulness import draw_usefulness

__all__ = ["draw_charts", "draw_columns", "draw_release"]


def draw_release(table: Table, audit: PublishedAudit | None) -> tuple[tuple[DrawnFigure, ...], tuple[DrawnChart, ...]]:
    """Draw all that a release shows: a plot for each column, and charts.

    Args:
        table: synthetic rows, at least one.
        audit: as it is published; None where there was none.
    """
    counted = statistics_of(table.to_arrow(), table.schema)
    with unchecked():
        return draw_columns(table, counted), draw_charts(counted, audit)


def draw_columns(table: Table, statistics: Statistics | None = None) -> tuple[DrawnFigure, ...]:
    """Draw every column, in the order of the schema: its distribution, or the first pictures of an image.

    Args:
        table: synthetic rows, at least one. Nothing here may ever see real rows: every figure is published.
        statistics: of these rows; counted here for None.
    """
    counted = statistics or statistics_of(table.to_arrow(), table.schema)
    drawn = []
    for position, (column, told) in enumerate(zip(table.schema.columns, counted.columns, strict=True)):
        if isinstance(column, ImageColumn):
            words = describe_sheet(table, column)
            content = draw_sheet(table, column, words)
        else:
            words = describe(told, counted.counted)
            content = draw(told, counted.counted, words)
        figure = Figure(column=column.name, path=figure_path(position, column.name), description=words)
        drawn.append(DrawnFigure(figure, content))
    return tuple(drawn)


def draw_charts(statistics: Statistics, audit: PublishedAudit | None) -> tuple[DrawnChart, ...]:
    """Draw what is shown of several columns, and of what the audit may tell; nothing where there is nothing to show.

    Args:
        statistics: of the synthetic rows.
        audit: as it is published; no figure that it does not tell is drawn.
    """
    pairs = None if statistics.pairs is None else draw_pairs(statistics.pairs)
    measured = () if audit is None else (draw_usefulness(audit), draw_bias(audit), draw_coverage(audit))
    return tuple(chart for chart in (pairs, *measured) if chart is not None)

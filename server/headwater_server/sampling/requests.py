"""From a request as JSON to what a generator is asked."""

from headwater.generator.balancing import Shares
from headwater.generator.table_generator import RowRequest
from headwater.release.sample_statement import SampleRequest
from headwater.schema.condition import Value
from headwater.schema.condition_json import condition_from_json
from headwater.schema.schema import Schema

__all__ = ["row_request"]


def row_request(schema: Schema, request: SampleRequest) -> RowRequest:
    """The rows that a request is for.

    Args:
        schema: of the rows.
        request: as it was asked.

    Raises:
        InputError: the condition is of another form, or names a column or a value that the schema has not.
    """
    balanced: Shares = {name: None if part is None else _shares(part) for name, part in request.balanced.items()}
    return RowRequest(
        where=condition_from_json(schema, request.where),
        balanced=balanced,
        views=request.views,
        view_std=request.view_std,
    )


def _shares(part: dict[str, float]) -> dict[Value, float]:
    # No category is empty: the empty text is a missing value.
    return {value or None: share for value, share in part.items()}

"""Serve rows from your own program instead of the command line.

    python examples/embed_organisation.py ORGANISATION_HOME

Anything with a `read(schema)` that gives Arrow rows can be a source; here it is a table made in memory. Enrol and
accept the charter first (headwater-org enroll, charter accept); runs must be approved as usual.
"""

import sys

import pyarrow as pa

from headwater.schema import Schema
from headwater_client import Organisation


class Registry:
    """A row source: called once for each run, with the schema of the plan that you approved."""

    def read(self, schema: Schema) -> pa.Table:
        """Give the rows; they stay in this process."""
        rows = [{"age": 40 + number % 50, "ward": ("north", "south")[number % 2]} for number in range(500)]
        return pa.Table.from_pylist(rows).select([name for name in schema.names if name in rows[0]])


def main() -> None:
    """Show where things stand, then serve until Ctrl-C."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/embed_organisation.py ORGANISATION_HOME")
    with Organisation.open(sys.argv[1]) as organisation:
        print(organisation.status())
        organisation.serve(Registry())


if __name__ == "__main__":
    main()

"""Ask a dataset in SQL by DuckDB and lazily by polars, reading from the catalogue only the columns that are needed.

python examples/research/duckdb_and_polars.py adult --group income --value age [--catalogue URL]

`remote=True` reads ranges of the Parquet file over HTTPS, under the consortium's CA, and checks each block against its
signed digest before anything looks at it; the rest of the file is never sent. DuckDB's own httpfs is not used: it is an
extension to be downloaded first, trusts the system's authorities, and verifies nothing of what it reads.
"""

import argparse

import duckdb
import polars as pl
import pyarrow as pa

import headwater
from headwater.errors import HeadwaterError


def main() -> None:
    """The same question twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the dataset, as `headwater list` shows it")
    parser.add_argument("--group", required=True, help="column to group by")
    parser.add_argument("--value", required=True, help="numeric column to average")
    parser.add_argument("--version", type=int, help="of the dataset; by default the newest")
    parser.add_argument("--catalogue", help="address of one known catalogue")
    options = parser.parse_args()

    needed = list(dict.fromkeys([options.group, options.value]))
    try:
        rows = headwater.load_dataset(
            options.name, options.version, columns=needed, catalogue=options.catalogue, remote=True
        )
    except HeadwaterError as error:
        parser.error(str(error))
    kind = rows.schema.field(options.value).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        parser.error(f"the mean of {options.value!r} is asked for, which holds {kind}; name a column of numbers")
    print(f"{rows.num_rows:,} rows of {rows.num_columns} columns: {rows.nbytes:,} bytes in memory\n\nDuckDB")
    # A name is quoted as SQL has it: columns are called what their consortium likes.
    group, value = (f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (options.group, options.value))
    with duckdb.connect() as database:
        database.register("dataset", rows)
        asked = f"SELECT {group}, count(*) AS n, avg({value}) AS mean FROM dataset GROUP BY ALL ORDER BY n DESC, 1"
        for line in database.execute(asked).fetchall():
            print("  ", *line)

    print("\npolars")
    lazy = pl.from_arrow(rows).lazy()
    mean = pl.col(options.value).mean().alias("mean")
    answer = lazy.group_by(options.group).agg(pl.len().alias("n"), mean).sort("n", descending=True).collect()
    for line in answer.iter_rows():
        print("  ", *line)


if __name__ == "__main__":
    main()

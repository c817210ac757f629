"""The section of the card on loading: the same rows in the tools that people have."""

import json
from collections.abc import Sequence

from headwater.release.facts import ReleaseFacts
from headwater.release.large import LARGE, LARGE_FILES
from headwater.release.layout import CSV, DATA
from headwater.release.manifest import Configuration, GeneratorTerms

__all__ = ["loading_section"]

_ON_REQUEST = "The coordinator samples more rows for readers of its catalogue; the weights stay with it."
_RELEASED = "The generator itself is in `generator/`: it gives as many rows as you like, and rows under conditions."


def loading_section(
    facts: ReleaseFacts, configurations: Sequence[Configuration] = (), generator: GeneratorTerms = "kept"
) -> str:
    """How to load the rows, in Markdown.

    Args:
        facts: of the release.
        configurations: rows drawn in other ways.
        generator: what readers may have of it.
    """
    tools = (
        (
            "Headwater, verified",
            "python",
            f"import headwater\n\ntable = headwater.load_dataset({json.dumps(facts.name)})",
        ),
        ("pandas", "python", f'import pandas\n\nframe = pandas.read_parquet("{DATA}")'),
        ("polars", "python", f'import polars\n\nframe = polars.scan_parquet("{DATA}").collect()'),
        ("DuckDB", "python", f'import duckdb\n\nrelation = duckdb.read_parquet("{DATA}")'),
        ("Hugging Face datasets", "python", 'import datasets\n\nrows = datasets.load_dataset(".", split="train")'),
        ("R", "r", f'rows <- arrow::read_parquet("{DATA}")'),
    )
    parts = [
        "## How to load it",
        "The first line fetches the rows and checks every signature; the others read the folder that `headwater "
        "download` leaves.",
        *(f"{name}:\n\n```{language}\n{code}\n```" for name, language, code in tools),
        f"`{CSV}` has the same rows as text, `statistics.json` counts of every column, `croissant.json` all of this "
        "for machines. Check a folder at any time, without a network, with `headwater verify FOLDER`.",
    ]
    parts += [
        f"`{LARGE_FILES if each.name == LARGE else each.path}`, configuration `{each.name}`, has {each.rows:,} more "
        f"rows: {_line(each.description)}"
        for each in configurations
    ]
    parts += {"kept": [], "on request": [_ON_REQUEST], "released": [_RELEASED]}[generator]
    return "\n\n".join(parts)


def _line(text: str) -> str:
    # Written by this software; a consortium's words stand nowhere in it.
    return " ".join(text.split())

"""Read a plan from the file that a person wrote."""

import tomllib
from pathlib import Path

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.schema import Schema
from headwater.text_file import read_text

__all__ = ["read_plan", "read_schema"]


def read_plan(file: Path) -> Plan:
    """A plan in TOML whose `schema` is a table, or the path of a schema file beside the plan.

    Raises:
        InputError: no such file, not a plan, or a budget that leaves to a default how many rows there may be.
    """
    text = read_text(file, "headwater-coordinator plan draft writes one")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the plan is not TOML: {error}") from error
    if isinstance(path := document.get("schema"), str):
        document["schema"] = read_schema(file.parent / path).to_document()
    privacy = document.get("privacy")
    if isinstance(privacy, dict) and "most_rows" not in privacy:
        raise InputError(
            "the plan's [privacy] has no most_rows: say the public upper bound on all organisations' training rows, "
            "known without looking at rows; a run that counts more ends"
        )
    return Plan.from_values(document)


def read_schema(file: Path) -> Schema:
    """A schema in TOML.

    Raises:
        InputError: no such file, or not a schema.
    """
    return Schema.from_toml(read_text(file, "headwater schema draft writes one"))

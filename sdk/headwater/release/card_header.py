"""The YAML header of a dataset card, as the Hugging Face Hub and `datasets` read it."""

import json
from collections.abc import Iterator, Sequence

from headwater.release.facts import ReleaseFacts
from headwater.release.large import LARGE, LARGE_FILES
from headwater.release.layout import DATA
from headwater.release.licences import hub_licence
from headwater.release.manifest import Configuration
from headwater.release.statement import privacy_tag
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn, Schema

__all__ = ["card_header"]

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)
_MORE = {"balanced": (("weight", "float64"),), "views": (("group_id", "int64"), ("view_id", "int8"))}


def card_header(facts: ReleaseFacts, schema: Schema, rows: int, configurations: Sequence[Configuration] = ()) -> str:
    """Write the header, between its lines of dashes.

    Args:
        facts: who made it, from what.
        schema: the columns.
        rows: how many synthetic rows there are.
        configurations: rows drawn in other ways; each is a configuration of its own for `datasets.load_dataset`.

    Returns:
        YAML. Names and titles are quoted: none can add a key.
    """
    size = next((word for limit, word in _SIZES if rows < limit), "10M<n<100M" if rows < 10**8 else "n>100M")
    lines = [
        "---",
        f"pretty_name: {_scalar(facts.title)}",
        *_licence(facts.licence),
        "task_categories:",
        f"  - {_task(schema)}",
        "tags:",
        "  - tabular",
        "  - synthetic",
        "  - headwater",
        f"  - {privacy_tag(facts.privacy)}",
        "size_categories:",
        f"  - {_scalar(size)}",
        "configs:",
        "  - config_name: default",
        f"    data_files: {DATA}",
        "    default: true",
    ]
    for each in configurations:
        files = LARGE_FILES if each.name == LARGE else each.path
        lines += [f"  - config_name: {each.name}", f"    data_files: {files}"]
    lines.append("dataset_info:")
    lines += _info("default", rows, schema)
    for each in configurations:
        lines += _info(each.name, each.rows, schema)
    return "\n".join([*lines, "---"])


def _licence(licence: str) -> list[str]:
    known = hub_licence(licence)
    return ["license: other", f"license_name: {_scalar(licence)}"] if known is None else [f"license: {known}"]


def _task(schema: Schema) -> str:
    target = schema.target
    if target is None:
        return "other"
    return "tabular-classification" if target.kind in {"categorical", "boolean"} else "tabular-regression"


def _info(name: str, rows: int, schema: Schema) -> Iterator[str]:
    yield f"  - config_name: {name}"
    yield "    features:"
    for column in schema.columns:
        yield f"      - name: {_scalar(column.name)}"
        yield from (f"        {line}" for line in _feature(column))
    for added, kind in _MORE.get(name, ()):
        # A column of the schema may have the name already; the rows then have another one for it.
        if added not in schema.names:
            yield f"      - name: {added}"
            yield f"        dtype: {kind}"
    yield "    splits:"
    yield "      - name: train"
    yield f"        num_examples: {rows}"


def _feature(column: Column) -> list[str]:
    match column:
        case NumericColumn():
            return ["dtype: int64" if column.integer else "dtype: float64"]
        case CategoricalColumn() | BooleanColumn():
            return ["dtype: string"]
        case DateColumn():
            return ["dtype: date32"]
        case ImageColumn():
            return ["list: uint8", f"length: {column.pixels}"]


def _scalar(value: str) -> str:
    # Quoted and in ASCII, so that no title can end the header or add a key to it. YAML knows JSON's escapes, but not
    # its surrogate pairs.
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(letter: str) -> str:
    # Whoever shows the header as Markdown shall find no markup in it.
    if letter in "<>&`|":
        return f"\\x{ord(letter):02x}"
    return json.dumps(letter)[1:-1] if letter <= "\uffff" else f"\\U{ord(letter):08x}"

"""The dataset card: README.md for people, under a YAML header that dataset hubs read."""

import json
import re
from collections.abc import Sequence

from headwater.release.audit_file import PublishedAudit
from headwater.release.card_audit import audit_section
from headwater.release.domain import DRAFTED, describe_domain, describe_kind, describe_role
from headwater.release.facts import ReleaseFacts
from headwater.release.layout import DATA
from headwater.release.manifest import Figure, Protection
from headwater.release.statement import (
    Statement,
    citation,
    headline,
    not_to_be_used_for,
    privacy_tag,
    protection_statement,
    signatures_in_words,
)
from headwater.schema import CategoricalColumn, Schema

__all__ = ["dataset_card"]

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)
_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
_LEADING = re.compile(r"^([#+=-]|\d+[.)])")


def dataset_card(
    facts: ReleaseFacts,
    schema: Schema,
    rows: int,
    figures: Sequence[Figure] = (),
    audit: PublishedAudit | None = None,
) -> str:
    """Write the card of one version of a dataset.

    Args:
        facts: who made it, from what.
        schema: the columns.
        rows: how many synthetic rows there are.
        figures: plots of the synthetic rows, shown at the end.
        audit: what may be told of its audit; None where there was none.

    Returns:
        Markdown (CommonMark with tables) under a YAML header. Names and titles are escaped: none can add markup.
    """
    protection = facts.protection_under(audit)
    signed = signatures_in_words(protection)
    parts = [
        _header(facts, schema, rows),
        f"# {_text(facts.title)}",
        f"> **{headline(facts.privacy)}**\n>\n> {signed[0].upper()}{signed[1:]}.",
        *([_text(facts.description)] if facts.description else []),
        _about(facts, schema, rows),
        _protection(facts, schema, protection),
        *([] if audit is None else [audit_section(audit, _text)]),
        *([_refused_rounds(facts)] if facts.refused_rounds else []),
        "## What it is not to be used for\n\n" + "\n".join(f"- {line}" for line in not_to_be_used_for()),
        _loading(facts),
        _columns(facts, schema),
        _provenance(facts),
        _citation(facts),
    ]
    if figures:
        shown = "\n\n".join(f"![{_text(figure.description)}]({figure.path})" for figure in figures)
        parts.append(f"## The synthetic rows, column by column\n\n{shown}")
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    escaped = _MARKUP.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))
    # At the start of a line these would open a heading, a list or a rule.
    return _LEADING.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", escaped)


def _scalar(value: str) -> str:
    # Quoted and in ASCII, so that no title can end the header or add a key to it. YAML knows JSON's escapes, but not
    # its surrogate pairs.
    letters = (json.dumps(letter)[1:-1] if letter <= "\uffff" else f"\\U{ord(letter):08x}" for letter in value)
    return '"' + "".join(letters) + '"'


def _header(facts: ReleaseFacts, schema: Schema, rows: int) -> str:
    target = schema.target
    task = "tabular-regression"
    if target is None:
        task = "other"
    elif target.kind in {"categorical", "boolean"}:
        task = "tabular-classification"
    size = next((word for limit, word in _SIZES if rows < limit), "10M<n<100M" if rows < 10**8 else "n>100M")
    lines = [
        "---",
        f"pretty_name: {_scalar(facts.title)}",
        "license: other",
        f"license_name: {_scalar(facts.licence)}",
        "task_categories:",
        f"  - {task}",
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
        "---",
    ]
    return "\n".join(lines)


def _about(facts: ReleaseFacts, schema: Schema, rows: int) -> str:
    target = schema.target
    aim = f" The column meant for prediction is `{_code(target.name)}`." if target is not None else ""
    return (
        "## What it is\n\n"
        f"{rows:,} synthetic rows of {len(schema.columns)} columns. No row is a record: each was sampled from a "
        f"generator that {facts.provenance.organisations} organisations of the consortium "
        f"*{_text(facts.provenance.consortium)}* made together. Their records stayed with them; only masked "
        f"contributions left, and only the sums of these could be read.{aim}"
    )


def _protection(facts: ReleaseFacts, schema: Schema, protection: Protection) -> str:
    lines = protection_statement(facts.provenance.organisations, facts.unconfirmed(schema), protection)
    return "## What protects the people behind it\n\n" + "\n".join(map(_listed, lines))


def _listed(said: Statement) -> str:
    """A list entry of Markdown, with a list inside where it has clauses."""
    return "\n".join([f"- **{said.short}.** {said.full}", *(f"  - {clause}" for clause in said.clauses)])


def _refused_rounds(facts: ReleaseFacts) -> str:
    number = facts.refused_rounds
    were = "1 round of this run was" if number == 1 else f"{number} rounds of this run were"
    left = {
        "": "What was taken before and after is in the generator.",
        "base": "The generator is the base that secure sums alone determine; no training round is in it.",
        "checkpoint": "The generator is the last model that was taken.",
        "rung": "The mixture stopped growing there: nothing of that sum is in the generator.",
    }[facts.ended_on]
    return (
        "## Rounds that were not taken\n\n"
        f"{were} not taken: the sum of all organisations' contributions could not be one, or the generator after it "
        f"was worse or less healthy than before. {left} Honest training comes to this too; contributions are masked, "
        "so nobody can tell whose it was, or whether anybody meant it, and a poisoned contribution that is small "
        "enough is not noticed at all."
    )


def _code(text: str) -> str:
    # A backtick would end the code span, a bar the cell, a line break the row.
    return " ".join(text.split()).replace("`", "'").replace("|", "\\|")


def _loading(facts: ReleaseFacts) -> str:
    return (
        "## How to load it\n\n"
        f"```python\nimport headwater\n\ntable = headwater.load_dataset({json.dumps(facts.name)})  # verified\n"
        "frame = table.to_pandas()\n```\n\n"
        f"Or from a downloaded folder: `pandas.read_parquet({json.dumps(DATA)})`. Check a folder at any time, without "
        "a network, with `headwater verify FOLDER`."
    )


def _columns(facts: ReleaseFacts, schema: Schema) -> str:
    rows = ["| column | kind | values | role |", "| --- | --- | --- | --- |"]
    for column in schema.columns:
        values = _text(describe_domain(column))
        rows.append(f"| `{_code(column.name)}` | {describe_kind(column)} | {values} | {describe_role(column)} |")
    note = "Bounds and categories are those of the schema that the organisations agreed on."
    if facts.unconfirmed(schema):
        note = DRAFTED
    others = [c.name for c in schema.columns if isinstance(c, CategoricalColumn) and c.other is not None]
    if others:
        note += " Values outside the list became its catch-all category in: " + ", ".join(
            f"`{_code(name)}`" for name in others
        )
        note += "."
    return f"## Columns\n\n{note}\n\n" + "\n".join(rows)


def _provenance(facts: ReleaseFacts) -> str:
    provenance = facts.provenance
    items = [
        ("Consortium", _text(provenance.consortium)),
        ("Organisations", str(provenance.organisations)),
        ("Made", facts.created),
        ("Version", str(facts.version)),
        ("Run", f"`{provenance.run_id}`"),
        ("Plan (SHA-256)", f"`{provenance.plan_digest}`"),
        ("Charter (SHA-256)", f"`{provenance.charter_digest}`"),
        *([("Generator", _text(facts.released))] if facts.released else []),
        ("Software", _text(provenance.software)),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in items)
    return f"## Where it comes from\n\n| | |\n| --- | --- |\n{rows}"


def _citation(facts: ReleaseFacts) -> str:
    text = citation(facts.provenance.consortium, facts.title, facts.name, facts.version, facts.created)
    return f"## How to cite it\n\n{_text(text)}\n\nLicence: {_text(facts.licence)}."

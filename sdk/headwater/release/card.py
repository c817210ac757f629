"""The dataset card: README.md for people, under a YAML header that dataset hubs read."""

import re
from collections.abc import Sequence

from headwater.release.audit_file import PublishedAudit
from headwater.release.card_audit import audit_section
from headwater.release.card_datasheet import datasheet_section
from headwater.release.card_header import card_header
from headwater.release.card_loading import loading_section
from headwater.release.domain import DRAFTED, describe_domain, describe_kind, describe_role
from headwater.release.facts import ReleaseFacts
from headwater.release.manifest import Chart, Configuration, Figure, GeneratorTerms, Protection
from headwater.release.statement import (
    Statement,
    citation,
    headline,
    not_to_be_used_for,
    protection_statement,
    signatures_in_words,
)
from headwater.schema import CategoricalColumn, Schema

__all__ = ["dataset_card"]

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
_LEADING = re.compile(r"^([#+=-]|\d+[.)])")


def dataset_card(
    facts: ReleaseFacts,
    schema: Schema,
    rows: int,
    figures: Sequence[Figure] = (),
    audit: PublishedAudit | None = None,
    charts: Sequence[Chart] = (),
    configurations: Sequence[Configuration] = (),
    generator: GeneratorTerms = "kept",
) -> str:
    """Write the card of one version of a dataset.

    Args:
        facts: who made it, from what.
        schema: the columns.
        rows: how many synthetic rows there are.
        figures: plots of the synthetic rows, shown at the end.
        audit: what may be told of its audit; None where there was none.
        charts: plots of several columns, and of what was measured.
        configurations: rows drawn in other ways.
        generator: what readers may have of it.

    Returns:
        Markdown (CommonMark with tables) under a YAML header. Names and titles are escaped: none can add markup.
    """
    protection = facts.protection_under(audit)
    signed = signatures_in_words(protection)
    parts = [
        card_header(facts, schema, rows, configurations),
        f"# {_text(facts.title)}",
        f"> **{headline(facts.privacy)}**\n>\n> {signed[0].upper()}{signed[1:]}.",
        *([_text(facts.description)] if facts.description else []),
        _about(facts, schema, rows),
        _protection(facts, schema, protection),
        *([] if audit is None else [audit_section(audit, _text)]),
        *([_refused_rounds(facts)] if facts.refused_rounds else []),
        "## What it is not to be used for\n\n" + "\n".join(f"- {line}" for line in not_to_be_used_for()),
        loading_section(facts, configurations, generator),
        _columns(facts, schema),
        datasheet_section(facts, schema, rows, audit, _text),
        _provenance(facts),
        _citation(facts),
    ]
    if charts:
        parts.append("## What was counted and measured\n\n" + _shown(charts))
    if figures:
        parts.append("## The synthetic rows, column by column\n\n" + _shown(figures))
    return "\n\n".join(parts) + "\n"


def _shown(plots: Sequence[Figure | Chart]) -> str:
    return "\n\n".join(f"![{_text(plot.description)}]({plot.path})" for plot in plots)


def _text(text: str) -> str:
    escaped = _MARKUP.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))
    # At the start of a line these would open a heading, a list or a rule.
    return _LEADING.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", escaped)


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

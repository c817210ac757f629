"""The sections of a datasheet on the card, answered from what is known of a release.

Source: Gebru et al. 2021 (arXiv:1803.09010), Datasheets for Datasets.
"""

from collections.abc import Callable, Sequence

from headwater.release.audit_file import PublishedAudit
from headwater.release.facts import ReleaseFacts
from headwater.release.licences import licence_address
from headwater.release.measured_words import biases_in_words, closeness_in_words, usefulness_in_words
from headwater.schema import Schema

__all__ = ["datasheet_section"]


def datasheet_section(
    facts: ReleaseFacts, schema: Schema, rows: int, audit: PublishedAudit | None, text: Callable[[str], str]
) -> str:
    """Answer a datasheet's questions, in Markdown.

    Args:
        facts: who made it, from what.
        schema: the columns.
        rows: how many synthetic rows there are.
        audit: as it is published; None where there was none.
        text: escapes Markdown in what people wrote, and in names of columns.
    """
    made, provenance = facts.created[:10], facts.provenance
    who = f"{provenance.organisations} organisations of *{text(provenance.consortium)}*"
    sensitive = ", ".join(text(column.name) for column in schema.columns if column.sensitive)
    missing = [column.name for column in schema.columns if column.missing]
    holes = f"{len(missing)} of them may have missing values, as the records may." if missing else "None has gaps."
    where = licence_address(facts.licence)
    answers = {
        "Motivation": f"{who} may not pool their records; they made this dataset so that others can work on "
        "something like them. Who paid for it is not known to this software; ask the consortium.",
        "Composition": f"{rows:,} rows, each sampled from a generator; no row is a record, none refers to another. "
        f"{len(schema.columns)} columns; {holes} "
        + (f"Sensitive columns: {sensitive}." if sensitive else "The schema marks none as sensitive.")
        + " There is no recommended split: rows are exchangeable.",
        "Collection process": f"Nothing was collected for it. Each organisation used records that it held already, "
        f"and they stayed with it. Run `{provenance.run_id}` summed masked contributions; rows were drawn on {made}.",
        "Preprocessing": "Before anything was counted, each organisation brought its records to the schema: numbers "
        "outside the bounds were clipped, values outside the lists became the catch-all category or missing. The "
        "unprocessed records are not available.",
        "Uses": "Training and comparing models, teaching, trying methods before asking for real records. See also "
        "*What it is not to be used for*.",
        "Distribution": f"By the consortium's catalogue, under {text(facts.licence)}"
        + (f" ({where})" if where else "")
        + ". The files are listed in `manifest.json` with their digests and signed.",
        "Maintenance": "A version never changes. A correction is a new version; a version that must not be used any "
        f"more is withdrawn with a signed reason, and its page stays. Questions go to {text(provenance.consortium)}.",
    }
    parts = ["## Datasheet", *(f"### {title}\n\n{answer}" for title, answer in answers.items())]
    if audit is not None:
        parts.append(_measured(audit, text))
    return "\n\n".join(parts)


def _measured(audit: PublishedAudit, text: Callable[[str], str]) -> str:
    """Figures on real rows, as far as audit.json tells them."""
    told: Sequence[str] = [*usefulness_in_words(audit), *closeness_in_words(audit), *biases_in_words(audit)]
    return "### Measured on real rows\n\n" + "\n".join(f"- {text(line)}" for line in told)

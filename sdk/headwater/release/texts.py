"""Card and croissant.json made again: they hold what follows from manifest, schema and audit, and not a word more."""

from typing import TYPE_CHECKING

from headwater.canonical import sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release.layout import CARD, CROISSANT
from headwater.release.manifest import NEWEST, Manifest
from headwater.schema import Schema

if TYPE_CHECKING:
    from headwater.release.audit_file import PublishedAudit

__all__ = ["card_of", "check_texts", "machines_of"]


def check_texts(manifest: Manifest, schema: Schema, audit: "PublishedAudit | None") -> None:
    """Write README.md and croissant.json again and hold the listed digests to them, byte for byte.

    Their words belong to the manifest's format (docs/decisions/0036-texts-made-again.md): of a release of an earlier
    one they are not made again, since other software wrote them. Plots are held to their digests alone.

    Args:
        manifest: signed; the files are held to it elsewhere.
        schema: of the rows.
        audit: as published; None where there was none.

    Raises:
        ReleaseRefused: either says something else than follows from the rest of the release.
    """
    if manifest.format != NEWEST:
        return
    for path, content in ((CARD, card_of(manifest, schema, audit)), (CROISSANT, machines_of(manifest, schema, audit))):
        entry = manifest.file(path)
        if entry is None or entry.sha256 != sha256_hex(content):
            raise ReleaseRefused(
                f"{path} says something else than follows from the release's manifest, schema and audit; do not use "
                "the release, tell the consortium"
            )


def card_of(manifest: Manifest, schema: Schema, audit: "PublishedAudit | None") -> bytes:
    """README.md of a release of the newest format, as it is written."""
    # Whoever only reads rows of an earlier release does not pay for policies and their words.
    from headwater.release.card import dataset_card
    from headwater.release.facts import ReleaseFacts

    return dataset_card(
        ReleaseFacts.of(manifest),
        schema,
        manifest.rows,
        manifest.figures,
        audit,
        manifest.charts,
        manifest.configurations,
        manifest.generator,
    ).encode("utf-8")


def machines_of(manifest: Manifest, schema: Schema, audit: "PublishedAudit | None") -> bytes:
    """croissant.json of a release of the newest format, which names the other files with their digests."""
    from headwater.release.croissant import croissant_of
    from headwater.release.facts import ReleaseFacts

    files = [entry for entry in manifest.files if entry.path != CROISSANT]
    return croissant_of(ReleaseFacts.of(manifest), schema, manifest.rows, files, manifest.configurations, audit)

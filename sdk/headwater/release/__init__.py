"""Releases: a folder of synthetic rows with a card, under the signature of the charter's coordinator key."""

from headwater.release.facts import ReleaseFacts
from headwater.release.manifest import FileEntry, Manifest, Provenance, SignedManifest
from headwater.release.verification import Verification, verify_release
from headwater.release.writing import DrawnFigure, write_release

__all__ = [
    "DrawnFigure",
    "FileEntry",
    "Manifest",
    "Provenance",
    "ReleaseFacts",
    "SignedManifest",
    "Verification",
    "verify_release",
    "write_release",
]

"""Releases: a folder of synthetic rows with a card, under the signature of the charter's coordinator key."""

from headwater.release.extras import ReleaseExtras
from headwater.release.facts import ReleaseFacts
from headwater.release.manifest import FileEntry, Manifest, Provenance, SignedManifest
from headwater.release.verification import Verification, verify_release
from headwater.release.writing import DrawnChart, DrawnFigure, write_release

__all__ = [
    "DrawnChart",
    "DrawnFigure",
    "FileEntry",
    "Manifest",
    "Provenance",
    "ReleaseExtras",
    "ReleaseFacts",
    "SignedManifest",
    "Verification",
    "verify_release",
    "write_release",
]

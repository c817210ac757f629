"""Where everything stands in a release folder."""

import re
from collections.abc import Sequence

from headwater.canonical import sha256_hex
from headwater.release.manifest import FileEntry

__all__ = [
    "ATTESTATION",
    "AUDIT",
    "BIAS",
    "CARD",
    "CHECKSUMS",
    "COVERAGE",
    "CROISSANT",
    "CSV",
    "DATA",
    "GENERATOR",
    "MANIFEST",
    "MAXIMUM_ATTESTATION_BYTES",
    "MAXIMUM_AUDIT_BYTES",
    "MAXIMUM_MANIFEST_BYTES",
    "MAXIMUM_STATISTICS_BYTES",
    "PAIRS",
    "SCHEMA",
    "STATISTICS",
    "USEFULNESS",
    "checksums",
    "figure_path",
    "media_type",
]

ATTESTATION = "attestation.json"
AUDIT = "audit.json"
CARD = "README.md"
CHECKSUMS = "SHA256SUMS"
CROISSANT = "croissant.json"
CSV = "data.csv.gz"
DATA = "data.parquet"
GENERATOR = "generator"
MANIFEST = "manifest.json"
SCHEMA = "schema.toml"
STATISTICS = "statistics.json"

PAIRS = "plots/pairs.svg"
USEFULNESS = "plots/usefulness.svg"
BIAS = "plots/bias.svg"
COVERAGE = "plots/coverage.svg"

MAXIMUM_MANIFEST_BYTES = 16 * 2**20
"""A manifest larger than this is not read; ten thousand columns with a figure each stay far below."""

MAXIMUM_ATTESTATION_BYTES = 64 * 2**20
"""A larger attestation.json is not read; ten thousand files and members stay far below."""

MAXIMUM_AUDIT_BYTES = 64 * 2**20
"""A larger audit.json is not read; a thousand groups under every check stay far below."""

MAXIMUM_STATISTICS_BYTES = 256 * 2**20
"""A larger statistics.json is not read; ten thousand columns stay far below."""

_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".csv.gz": "application/gzip",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
}


def media_type(path: str) -> str:
    """The media type by the file's ending; bytes without a meaning for any other."""
    return next((kind for ending, kind in _MEDIA_TYPES.items() if path.endswith(ending)), "application/octet-stream")


def figure_path(position: int, column: str) -> str:
    """The path of a column's plot: its position keeps it unique, its name makes it readable."""
    words = re.sub(r"[^a-z0-9]+", "-", column.lower()).strip("-")[:60].strip("-")
    return f"plots/{position + 1:03d}-{words or 'column'}.svg"


def checksums(entries: Sequence[FileEntry], manifest: bytes) -> bytes:
    """The text of SHA256SUMS, as `sha256sum --check` reads it, sorted by path."""
    digests = {entry.path: entry.sha256 for entry in entries} | {MANIFEST: sha256_hex(manifest)}
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode("ascii")

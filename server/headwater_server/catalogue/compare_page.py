"""Two published versions read from their folders, for the page of differences."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from headwater.errors import HeadwaterError
from headwater.release.layout import SCHEMA
from headwater.schema import Schema
from headwater_server.catalogue.column_shifts import Spread, read_spreads
from headwater_server.catalogue.comparison import Comparison, compare_versions
from headwater_server.catalogue.index import ReleaseEntry

__all__ = ["comparison_of"]

_STATISTICS = "statistics.json"


def comparison_of(before: ReleaseEntry, after: ReleaseEntry) -> Comparison:
    """What changed from one version to another; what a withdrawn one no longer has is left open."""
    schemas = (_schema(before), _schema(after))
    spreads = (_spreads(before), _spreads(after))
    return compare_versions(
        before.manifest,
        after.manifest,
        None if schemas[0] is None or schemas[1] is None else (schemas[0], schemas[1]),
        None if spreads[0] is None or spreads[1] is None else (spreads[0], spreads[1]),
    )


def _schema(entry: ReleaseEntry) -> Schema | None:
    try:
        return Schema.from_toml((entry.folder / SCHEMA).read_text(encoding="utf-8"))
    except (OSError, HeadwaterError):
        return None


def _spreads(entry: ReleaseEntry) -> Mapping[str, Spread] | None:
    return _read(entry.folder / _STATISTICS) if _STATISTICS in entry.files else None


@lru_cache(maxsize=32)
def _read(file: Path) -> Mapping[str, Spread] | None:
    try:
        return read_spreads(file.read_bytes())
    except (OSError, ValueError):
        return None

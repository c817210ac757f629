"""Drawings of a release, made once for the same rows: they take ten times as long as all the rest of publishing."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from headwater.canonical import sha256_hex
from headwater.release import DrawnChart, DrawnFigure
from headwater.release.audit_file import PublishedAudit
from headwater.release.rows import candidate_bytes
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_release

__all__ = ["drawn_once"]

_Drawings = tuple[tuple[DrawnFigure, ...], tuple[DrawnChart, ...]]

_drawn: dict[tuple[str, ...], _Drawings] = {}


@contextmanager
def drawn_once() -> Iterator[None]:
    """Within, rows that were drawn before in this process are not drawn again; tests of drawings draw for themselves."""
    with patch("headwater_server.release.draw_release", _draw):
        yield


def _draw(table: Table, audit: PublishedAudit | None) -> _Drawings:
    key = (table.schema.digest, sha256_hex(candidate_bytes(table)), "" if audit is None else audit.model_dump_json())
    if key not in _drawn:
        _drawn[key] = draw_release(table, audit)
    return _drawn[key]

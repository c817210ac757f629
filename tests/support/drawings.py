"""Drawings of a release, made once for the same rows: they take ten times as long as all the rest of publishing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest.mock import patch

import headwater_server.release
from headwater.canonical import sha256_hex
from headwater.release import DrawnChart, DrawnFigure
from headwater.release.audit_file import PublishedAudit
from headwater.release.rows import candidate_bytes
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_release
from headwater_server.releasing import preparing

__all__ = ["drawn_once"]

_Drawings = tuple[tuple[DrawnFigure, ...], tuple[DrawnChart, ...]]

_DRAWING: tuple[ModuleType, ...] = (headwater_server.release, preparing)
_drawn: dict[tuple[str, ...], _Drawings] = {}


@contextmanager
def drawn_once() -> Iterator[None]:
    """Within, rows that were drawn before in this process are not drawn again; tests of drawings draw by themselves."""
    with ExitStack() as patched:
        for module in _DRAWING:
            # A test may have put something else there.
            if module.draw_release is draw_release:
                patched.enter_context(patch.object(module, "draw_release", _draw))
        yield


def _draw(table: Table, audit: PublishedAudit | None) -> _Drawings:
    # Charts show an audit's figures and nothing else of it, such as when it was made.
    figures = "" if audit is None else audit.model_dump_json(include={"figures"})
    key = (table.schema.digest, sha256_hex(candidate_bytes(table)), figures)
    if key not in _drawn:
        _drawn[key] = draw_release(table, audit)
    return _drawn[key]

"""Runs without what costs most of them and is tested in rooms of its own: drawing, and fine calibration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["outlines"]

_SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
_LATENTS = 256


def _health(_: object, path: Path) -> None:
    path.write_text(_SVG, encoding="utf-8")


@contextmanager
def outlines() -> Iterator[None]:
    """The picture of a run's health is an empty one, drawn anew after every step; a fit is calibrated on few latents.

    For tests that ask what a run says and does: tests/server/figures and tests/sdk/generator are about pictures and
    fits, and use none of this.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("headwater.generator.fit._EVALUATION_BATCH", _LATENTS)
        for place in ("runs.record", "simulation.simulate"):
            patched.setattr(f"headwater_server.{place}.draw_health", _health)
        yield

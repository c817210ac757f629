"""Rows that other programs of this folder measure: a critic's private step."""

import importlib
import pathlib
from typing import Any

__all__ = ["CRITIC", "measure_critic"]

CRITIC = pathlib.Path(__file__).with_name("critic_step.py")
"""The program; its row is measured where it is there."""


def measure_critic(*, seed: int) -> dict[str, Any]:
    """CPU seconds of a critic's step: `plain_seconds`, `private_seconds`, `opacus_seconds`, `noise_seconds`."""
    del seed
    figures: dict[str, Any] = importlib.import_module(f"privacy.{CRITIC.stem}").measure_critic_step()
    return figures

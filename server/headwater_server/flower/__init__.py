"""Flower at the coordinator: a supervised SuperLink on loopback, its control, and the proxy of the nodes' interface.

Importing this package turns Flower's telemetry and update check off, here and in children.
"""

import os

__all__ = ["QUIET_ENVIRONMENT", "RUN_CONFIG_KEY"]

QUIET_ENVIRONMENT = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""What keeps Flower from phoning home."""

RUN_CONFIG_KEY = "run"
"""The key of the run config that names the run, as in flower-stub/pyproject.toml."""

os.environ.update(QUIET_ENVIRONMENT)

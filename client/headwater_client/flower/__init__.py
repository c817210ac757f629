"""Flower at the organisation: a supervised SuperNode, and an executor that runs only what is installed.

Importing this package turns Flower's telemetry and update check off; both are read when flwr is first imported, so
every module here and the ClientApp import this package before flwr.
"""

import os

__all__ = ["QUIET_ENVIRONMENT"]

QUIET_ENVIRONMENT = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""What keeps Flower from phoning home; also for child processes."""

os.environ.update(QUIET_ENVIRONMENT)

"""How the agent's events are written: one line each on standard error, for people or for machines."""

import logging
import sys

import structlog

from headwater.errors import InputError

__all__ = ["configure_log"]


def configure_log(log_format: str) -> None:
    """Write structlog events as text or as JSON.

    Raises:
        InputError: neither.
    """
    if log_format not in {"text", "json"}:
        raise InputError(f"--log-format is {log_format!r}; give text or json")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )

"""Structured logs: one JSON line an event, with request id and tenant, without personal data.

Callers log codes, ids and counts. An exception is logged by its type and the places it passed,
never by its text: a driver's text holds values of rows.
"""

import logging
import sys
import traceback
from typing import Any, Final

import structlog

SILENT: Final = ("sqlalchemy", "asyncpg", "pgqueuer", "uvicorn.error", "authlib")
"""Libraries whose records carry statements, parameters, tokens or exception texts."""


def configure(*, json: bool = True) -> None:
    """Set up structlog, and silence libraries below WARNING."""
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    for library in SILENT:
        logging.getLogger(library).setLevel(logging.CRITICAL)


def trail(error: BaseException) -> dict[str, Any]:
    """An exception without its text: its type and the places that it passed, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "trail": [f"{f.filename.rpartition('site-packages/')[2]}:{f.lineno}" for f in frames[-8:]],
    }

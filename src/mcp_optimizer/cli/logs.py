"""Where logs go: to stderr, each as one line; never to stdout, which belongs to the output."""

import logging
import sys
from typing import Any

import structlog

from mcp_optimizer.text import one_line


def log_to_stderr(level: str) -> None:
    """Set up logging for a command."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _printable(_: Any, __: str, event: Any) -> Any:
    """Text from outside can't drive the terminal through a log either."""
    return {key: one_line(value) if isinstance(value, str) else value for key, value in event.items()}


def keep_logs_off_the_screen() -> None:
    """While the terminal UI is open nothing else may write to the terminal."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)

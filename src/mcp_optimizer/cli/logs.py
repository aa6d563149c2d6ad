"""Where logs go: to stderr, each as one line; never to stdout, which belongs to the output."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from mcp_optimizer.text import redact_message

type Take = Callable[[str, str, Mapping[str, Any]], None]
"""Takes an event: its level, what it says, and its fields."""


def log_to_stderr(level: str) -> None:
    """Set up logging for a person. Tracebacks are plain: rich ones would show the values of variables."""
    _log_with(
        level,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback),
    )


def log_as_json(level: str) -> None:
    """Set up logging for a server whose log is read by programs: each event one line of JSON."""
    _log_with(level, structlog.processors.JSONRenderer())


def _log_with(level: str, renderer: structlog.typing.Processor) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_for_libraries() -> None:
    """Log the warnings and errors of libraries as our own are: else each would be bare text among lines of JSON."""
    root = logging.getLogger()
    if not any(isinstance(handler, _Logging) for handler in root.handlers):
        root.addHandler(_Logging(logging.WARNING))
    logging.captureWarnings(capture=True)


class _Logging(logging.Handler):
    """Logs what the standard module is given."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record, with its traceback if it has one."""
        log = structlog.get_logger()
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(_words_of(record).strip(), logger=record.name, exc_info=record.exc_info)


def _words_of(record: logging.LogRecord) -> str:
    """What a record says; a broken one is told of, never printed."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 (whatever a library hands to its log)
        return f"a log record that can't be read: {error}"


def _printable(_: Any, __: str, event: Any) -> Any:
    """Text from outside can't drive the terminal through a log either, and no secret gets into one (S7)."""
    return {key: _safe(value) for key, value in event.items()}


def _safe(value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {_safe(key): _safe(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(item) for item in value]
    return redact_message(str(value))


def keep_logs_off_the_screen(take: Take) -> None:
    """While the terminal UI is open nothing else may write to the terminal: ``take`` gets every event instead.

    That is what the program logs, what libraries log through the standard module, and Python's warnings.
    """

    def keep(_: Any, method: str, event: Any) -> Any:
        fields = dict(event)
        take(method, str(fields.pop("event", "")), fields)
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Taking(take)]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for every request tells nothing
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler for handler in logger.handlers if not _writes_to_terminal(handler)]
    logging.captureWarnings(capture=True)


def _writes_to_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__} if stream is not None else False


class _Taking(logging.Handler):
    """Passes on what the standard module logs."""

    def __init__(self, take: Take) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record."""
        fields = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._take(record.levelname, _words_of(record), fields)

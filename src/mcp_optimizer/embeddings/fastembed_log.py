"""FastEmbed's log, which goes to stderr by a way of its own: here it goes where that of any other library does."""

import logging

from loguru import logger


def join_the_log() -> None:
    """Have warnings and errors of whatever logs with loguru pass the standard module. May be done again and again."""
    logger.remove()
    logger.add(_Passing(), format="{message}", level=logging.WARNING)


class _Passing(logging.Handler):
    """Passes records on to the logger of their name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one on."""
        logging.getLogger(record.name).handle(record)

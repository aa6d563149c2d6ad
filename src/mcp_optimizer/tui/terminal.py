"""The terminal: given back however the program is ended, and let go of when it is lost."""

import asyncio
import os
import re
import selectors
import signal
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any, TextIO

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
GRACE_SECONDS = 5.0
"""So long the program may take to close; then the terminal is given back without it."""
ESCAPE = "\x1b"
ESCAPE_SECONDS = 0.1
"""So long after an escape what follows may still belong to it."""
_ESCAPE_KEY = re.compile(r"(\x1b)(?=[^\[\]OP_^])")
"""An escape that begins no sequence of a terminal."""
LOOK_SECONDS = 1.0
"""Between two looks whether the terminal is still there."""


class TerminalDriver(LinuxDriver):
    """Textual's driver, which by itself survives neither a signal nor the loss of its terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file: LosableFile = LosableFile(self._file, self._lose)  # ty: ignore[invalid-argument-type]
        self._ending: signal.Signals | None = None
        self._look: asyncio.TimerHandle | None = None

    def start_application_mode(self) -> None:
        """Take the terminal, and the signals that would end the program while it is taken."""
        for number in ENDING_SIGNALS:
            self._loop.add_signal_handler(number, self.end, number)
        super().start_application_mode()
        self._look_for_terminal()

    def close(self) -> None:
        """Let go of all of it."""
        if self._look is not None:
            self._look.cancel()
        super().close()

    def end(self, number: signal.Signals) -> None:
        """Have the app leave; at the second time, or when it takes too long, end at once."""
        if self._ending is not None:
            self._end_now()
        else:
            self._ending = number
            self._loop.call_later(GRACE_SECONDS, self._end_now)
            self._app.end_by(number)  # ty: ignore[missing-attribute]

    def _end_now(self) -> None:
        self.stop_application_mode()
        self.close()
        os._exit(128 + (self._ending or signal.SIGTERM))

    def _lose(self) -> None:
        """The terminal is gone: from any thread."""
        self._loop.call_soon_threadsafe(self._lost)

    def _lost(self) -> None:
        if self._ending is None:
            self.end(signal.SIGHUP)

    def _look_for_terminal(self) -> None:
        """A terminal that hung up is none any more; reading from it only says that there is nothing."""
        if self._look is not None:
            self._look.cancel()
        if os.isatty(self.fileno):
            self._look = self._loop.call_later(LOOK_SECONDS, self._look_for_terminal)
        else:
            self._lost()

    def run_input_thread(self) -> None:
        """Read keys; the end of the input is the loss of the terminal."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        pending = ""
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(ESCAPE_SECONDS)
                if ready and not (data := os.read(self.fileno, 4096)):
                    self._lose()
                    return
                parts, pending = split_escapes(pending + decode(data)) if ready else ([pending], "")
                for part in filter(None, parts):
                    for event in [events.Key("escape", ESCAPE)] if part == ESCAPE else parser.feed(part):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._lose()


def split_escapes(text: str) -> tuple[list[str], str]:
    """What was read, with each escape key apart from the key typed right after it; and an escape that may begin more.

    Over a slow line ``esc`` and the next key come in one piece, which otherwise reads as one key with alt.
    """
    parts = _ESCAPE_KEY.split(text)
    if text.endswith(ESCAPE):
        parts[-1] = parts[-1].removesuffix(ESCAPE)
        return parts, ESCAPE
    return parts, ""


class LosableFile:
    """What is written to a terminal that is gone is dropped, and told once."""

    def __init__(self, file: TextIO, lost: Callable[[], None]) -> None:
        self._file = file
        self._lost = lost
        self._is_lost = False

    def write(self, text: str) -> None:
        """Write."""
        self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flush."""
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._file.isatty()

    def _attempt(self, act: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            act()
        except (OSError, ValueError):
            self._is_lost = True
            self._lost()

"""A program in a terminal of its own: what it shows is read, keys are typed, signals are sent, the line is cut."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

MOST_SECONDS = 60.0


class PseudoTerminal:
    """Started with its arguments after ``python -m``; killed at the end when it still runs."""

    def __init__(self, arguments: Sequence[str], *, rows: int = 24, columns: int = 80) -> None:
        self.shown = bytearray()
        self._outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.attributes = termios.tcgetattr(inner)
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - a single thread here
        )  # fmt: skip
        self._inner = inner

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.cut()

    def read(self, seconds: float = 0.05) -> None:
        """Take what is there, waiting so long for something."""
        if self._outer < 0 or not select.select([self._outer], [], [], seconds)[0]:
            return
        try:
            self.shown += os.read(self._outer, 65536)
        except OSError:
            time.sleep(seconds)

    def wait_for(self, text: bytes, *, after: int = 0) -> None:
        """Read until the text was shown."""
        end = time.monotonic() + MOST_SECONDS
        while text not in self.shown[after:]:
            assert time.monotonic() < end, (text, bytes(self.shown[-3000:]))
            self.read()

    def type(self, keys: str) -> None:
        """All of them in one write."""
        os.write(self._outer, keys.encode())

    def wait(self) -> int:
        """The exit code, once it has ended."""
        end = time.monotonic() + MOST_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, bytes(self.shown[-3000:])
            self.read()
        for _ in range(3):
            self.read()
        return self.process.returncode

    def cut(self) -> None:
        """The line is gone, as when an SSH connection breaks."""
        for descriptor in (self._outer, self._inner):
            if descriptor >= 0:
                os.close(descriptor)
        self._outer = self._inner = -1

    def is_as_before(self) -> bool:
        """Whether the modes of the line are those from before the program."""
        return termios.tcgetattr(self._inner) == self.attributes

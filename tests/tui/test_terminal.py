"""What really reaches a terminal: the app in a process of its own, on a pseudo-terminal."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pytest

from tests.tui.hostile_app import PAYLOADS

FORBIDDEN = (
    b"7331", b"\x1b]52", b"\x1b]0;PWNED", b"\x1b]8;;x", b"\x1b_pwned", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x85", b"\x9b7",
    "\u202e".encode(), "\u2066".encode(), "\u200b".encode(), "\u200f".encode(), "\ufeff".encode(), "\u2028".encode(),
    b"\x07evil", b"\x08evil", b"\x0eevil", b"\x7fevil", b"evil\x07", b"evil\x08", b"evil\x0e", b"evil\x7f", b"\x00",
    b"\xed\xa0", b"\xed\xb3",
)  # fmt: skip
"""Bytes that only a payload can have brought; ``7331`` is text once its escape is gone, and is looked at apart."""
WALK = [
    "1", "2", "jjj", "G", "z", "\x1b", "J", "\x1b", "y", "\x1b", "/evil\r", "3", "G", "jj", "z", "\x1b", "U", "\x1b",
    "L", "\x1b", "d", "\x1b", "e", "z", "\x1b", "4", "G", "l", "jj", "5", "/evil\r", "jj", "z", "\x1b", "6", "jj", "p",
    "jj", "p", "jj", "p", "jj", "\r", "\x1b", "p", "i\r", "?", "\x1b", ":", "\x1b", "\x11",
]  # fmt: skip


def typed_into(terminal: int, process: subprocess.Popen[bytes], keys: list[str]) -> bytes:
    """Everything the process writes while keys are typed, until it ends."""
    shown = bytearray()

    def read(quiet: float, most: float) -> None:
        end = time.monotonic() + most
        while time.monotonic() < end:
            ready, _, _ = select.select([terminal], [], [], quiet)
            if not ready:
                return
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                return
            if not chunk:
                return
            shown.extend(chunk)

    end = time.monotonic() + 60
    while b"Overview" not in shown and time.monotonic() < end and process.poll() is None:
        read(0.3, 5)
    for key in keys:
        os.write(terminal, key.encode())
        read(0.15, 3)
    while process.poll() is None and time.monotonic() < end:
        read(0.2, 2)
    return bytes(shown)


@pytest.mark.parametrize("term", ["xterm-256color"])
def test_not_one_control_byte_of_a_hostile_text_reaches_the_terminal(term: str) -> None:
    assert len(PAYLOADS) >= 200
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    environment = {**os.environ, "TERM": term, "COLORTERM": "truecolor", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tui.hostile_app"],
        stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(inner)
    try:
        shown = typed_into(outer, process, WALK)
        assert process.wait(timeout=20) == 0, shown[-2000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(outer)
    assert shown.count(b"evil") > 100
    assert b"Traceback" not in shown
    found = [bad for bad in FORBIDDEN[1:] if bad in shown]
    assert found == []
    sequences = [b"\x1b[7331", b"\x1b[?7331", b"\x1bP7331"]
    assert [bad for bad in sequences if bad in shown] == []

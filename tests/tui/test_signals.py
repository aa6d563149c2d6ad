"""The terminal is given back and nothing is lost, however the program is ended."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_optimizer.tui.terminal import split_escapes
from tests.tui.pseudo_terminal import PseudoTerminal

GIVEN_BACK = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")
"""The alternate screen, the hidden cursor, mouse reports and bracketed paste are switched off."""


@contextmanager
def program(tmp_path: Path) -> Iterator[tuple[PseudoTerminal, Path]]:
    """The program, showing the workloads."""
    state = tmp_path / "tui.json"
    with PseudoTerminal(["tests.tui.terminal_app", str(state)]) as terminal:
        terminal.wait_for(b"Overview")
        terminal.type("3")
        terminal.wait_for(b"fetch-a")
        yield terminal, state


def area(state: Path) -> str | None:
    return json.loads(state.read_text())["area"] if state.exists() else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("keys", ["", "i", "/fetch"], ids=["list", "dialog", "filter"])
def test_a_signal_gives_the_terminal_back_and_loses_nothing(number: signal.Signals, keys: str, tmp_path: Path) -> None:
    with program(tmp_path) as (terminal, state):
        begin = len(terminal.shown)
        if keys:
            terminal.type(keys)
            terminal.read(0.5)
        terminal.process.send_signal(number)
        assert terminal.wait() == 128 + number
        shown = bytes(terminal.shown[begin:])
        assert [code for code in GIVEN_BACK if code not in shown] == []
        assert shown.rindex(b"\x1b[?1049l") > shown.rfind(b"\x1b[?1049h")
        assert terminal.is_as_before()
        assert b"Traceback" not in shown
        assert area(state) == "workloads"


def test_state_is_saved_as_it_changes(tmp_path: Path) -> None:
    with program(tmp_path) as (terminal, state):
        end = time.monotonic() + 30
        while area(state) != "workloads" and time.monotonic() < end:
            terminal.read()
        terminal.process.kill()
        terminal.wait()
        assert area(state) == "workloads"


@pytest.mark.parametrize("ignored", [False, True], ids=["hangup", "hangup-ignored"])
def test_a_lost_line_ends_the_program_and_loses_nothing(ignored: bool, tmp_path: Path) -> None:
    with program(tmp_path) as (terminal, state):
        if ignored:  # no signal tells of it: only reading and writing do
            os.kill(terminal.process.pid, signal.SIGSTOP)
        terminal.cut()
        if ignored:
            os.kill(terminal.process.pid, signal.SIGCONT)
        assert terminal.wait() != 0
        assert area(state) == "workloads"


@pytest.mark.parametrize("how", ["key", "key-in-a-dialog", "key-in-a-field", "signal"])
def test_suspended_and_back_it_paints_again(how: str, tmp_path: Path) -> None:
    with program(tmp_path) as (terminal, _):
        opens = {"key-in-a-dialog": "i", "key-in-a-field": "/"}
        terminal.type(opens.get(how, ""))
        terminal.read(0.5)
        begin = len(terminal.shown)
        if how == "signal":
            terminal.process.send_signal(signal.SIGTSTP)
        else:
            terminal.type("\x1a")
        end = time.monotonic() + 30
        stopped = 0
        while not stopped and time.monotonic() < end:
            terminal.read()
            stopped, status = os.waitpid(terminal.process.pid, os.WNOHANG | os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        terminal.wait_for(b"\x1b[?1049l", after=begin)
        assert terminal.is_as_before()
        begin = len(terminal.shown)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for(b"\x1b[?1049h", after=begin)
        terminal.wait_for(b"fetch-a", after=begin)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert terminal.is_as_before()


@pytest.mark.parametrize(
    ("text", "parts", "pending"),
    [
        ("\x1b3", ["\x1b", "3"], ""),
        ("i\x1b\r", ["i", "\x1b", "\r"], ""),
        ("\x1b\x1b[B", ["\x1b", "\x1b[B"], ""),
        ("\x1b[B\x1bOA", ["\x1b[B\x1bOA"], ""),
        ("\x1b\x1b", ["\x1b"], "\x1b"),
        ("a\x1b", ["a"], "\x1b"),
        ("\x1b\t\x1bJ", ["\x1b", "\t", "\x1b", "J"], ""),
    ],
)
def test_an_escape_is_apart_from_the_key_after_it(text: str, parts: list[str], pending: str) -> None:
    split, rest = split_escapes(text)
    assert [part for part in split if part] == parts
    assert rest == pending


@pytest.mark.parametrize(
    "keys", ["i\x1b2", "i\x1b[B\x1b[B\x1b2", ":\r\r\x1b\x1b\x1b2", "x\x1b[B\x1b[B\x1b\x1b2", "i\x1b\x1b2"]
)
def test_a_bunch_with_escapes_in_a_real_terminal(keys: str, tmp_path: Path) -> None:
    with program(tmp_path) as (terminal, state):
        terminal.type(keys)
        end = time.monotonic() + 20
        while area(state) != "registry" and time.monotonic() < end:
            terminal.read()
        assert area(state) == "registry"
        terminal.type("q")
        assert terminal.wait() == 0

"""Files that are not whole yet: known by their name, held while they are written, swept when nobody holds them.

A program that is killed while it writes one lets go of it; the next that writes beside it takes it away. Holding is a
lock of the kind that SQLite does not use.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # no such locks on this platform: what is left behind stays
    fcntl = None

_MARK: Final = ".mcp-optimizer-partial-"
_PARTIAL: Final = re.compile(rf".+{re.escape(_MARK)}[0-9a-f]{{8}}")
_BESIDE: Final = ("-journal", "-wal", "-shm")
"""What SQLite puts beside a file while it writes it."""


@contextmanager
def partial_file(target: Path) -> Generator[Path]:
    """An empty file (0600) beside ``target``, to become it; gone when the block ends, in whatever way. Those that
    killed programs have left in that directory go first. Raises OSError."""
    sweep(target.parent)
    path, handle = _held(target)
    try:
        yield path
    finally:
        _remove(path)
        os.close(handle)


def sweep(directory: Path) -> None:
    """Remove what no living program holds, as far as this one may."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            if _PARTIAL.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    _remove_unheld(path)


def _held(target: Path) -> tuple[Path, int]:
    """A new file, and the handle that holds it. Another program may sweep it away before it is held: once more then."""
    while True:
        path = target.with_name(f"{target.name}{_MARK}{secrets.token_hex(4)}")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
                fcntl.flock(handle, fcntl.LOCK_EX)
        if _is(path, handle):
            return path, handle
        os.close(handle)


def _remove_unheld(path: Path) -> None:
    assert fcntl is not None
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where another holds it
        _remove(path)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for name in (*_BESIDE, ""):
        path.with_name(path.name + name).unlink(missing_ok=True)


def _is(path: Path, handle: int) -> bool:
    """Whether the name still leads to the file."""
    try:
        there, held = path.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)

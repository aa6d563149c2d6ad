"""Files that a person names: where they are, and how a text gets into one."""

import os
import stat
import tempfile
from pathlib import Path

from mcp_optimizer.errors import OptimizerError


def user_path(spec: str) -> Path:
    """A path as a person writes it, with ``~`` and ``~user`` expanded. Raises OptimizerError for an unknown user."""
    try:
        return Path(spec).expanduser()
    except RuntimeError:
        user = Path(spec).parts[0]
        raise OptimizerError(f"there is no home directory {user}", remedy="write the whole path") from None


def write_text(path: Path, text: str) -> None:
    """Write a text to a file, readable by its owner only: whole or not at all. Raises OSError.

    A link is followed, so that it goes on pointing where it did. What is there and is no regular file (a pipe, a
    device) is written to; it is never replaced.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        _write_through(target, text)
        return
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:64]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write_through(target: Path, text: str) -> None:
    """Write into a pipe or a character device. Opening a directory, a socket or a disk for it is an error."""
    if stat.S_ISBLK(target.stat().st_mode):
        raise OSError(None, "is a block device", str(target))
    with target.open("w", encoding="utf-8") as file:
        file.write(text)

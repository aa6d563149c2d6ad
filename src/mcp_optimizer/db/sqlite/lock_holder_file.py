"""Who is writing: a small file beside the database, so that a process that gives up waiting can say for whom it waited.

It informs and never locks: SQLite's own lock decides. A note left behind by a killed process is told by its id.
"""

import contextlib
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class LockHolderFile:
    """The note beside one database."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-writer")

    @contextmanager
    def held(self) -> Generator[None]:
        """Leave a note while the block writes."""
        with contextlib.suppress(OSError):  # a note that can't be written is no reason not to write the data
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(f"{os.getpid()} {time.time():.3f}")
        try:
            yield
        finally:
            self._path.unlink(missing_ok=True)

    def holder(self) -> str:
        """Who holds the lock and for how long, in words."""
        try:
            process, since = self._path.read_text().split()
            os.kill(int(process), 0)
        except (OSError, ValueError):
            return "another program"
        return f"process {process}, which has been writing for {max(time.time() - float(since), 0):.0f} s"

"""Copies of a database that are known to be whole: every table is compared, row by row, before a copy gets its name."""

import asyncio
import contextlib
import hashlib
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcp_optimizer.db.partial_file import partial_file
from mcp_optimizer.db.sqlite.driver import connect_to_read, sqlite_module
from mcp_optimizer.domain.upgrade_report import BackupReport
from mcp_optimizer.errors import StoreBusyError, StoreError

_ATTEMPTS: Final = 5


class _Table(NamedTuple):
    rows: int
    checksum: str


type _Content = Mapping[str, _Table | str]
"""Tables by name with what they hold, and the statements that made everything."""


async def back_up(source: Path, target: Path) -> BackupReport:
    """Copy the database at ``source`` to the file ``target`` (0600) and compare the two.

    Raises StoreError when ``target`` is there already, when there is no room, when the copy is not the same, or when
    the file is no sound database; there is no ``target`` then.
    """

    def work() -> BackupReport:
        try:
            return _back_up(source, target)
        except FileExistsError:
            raise StoreError(f"{target} is there already", remedy="name a file that is not there yet") from None

    return await asyncio.to_thread(work)


async def back_up_once(source: Path, target: Path) -> BackupReport:
    """Like :func:`back_up`; where ``target`` is taken, a numbered name beside it. A copy of the same content that is
    there from an earlier attempt serves again."""
    return await asyncio.to_thread(_back_up_once, source, target)


def _back_up_once(source: Path, target: Path) -> BackupReport:
    for number in itertools.count(1):
        candidate = target if number == 1 else target.with_name(f"{target.name}-{number}")
        with contextlib.suppress(FileExistsError):  # another program has just made it: perhaps it serves
            return _back_up(source, candidate)
        with contextlib.suppress(StoreError, sqlite_module().Error):
            content = _content_of(candidate)
            if content == _content_of(source):
                return _report(candidate, content)
    raise AssertionError("numbers never end")


def _back_up(source: Path, target: Path) -> BackupReport:
    if target.exists():
        raise FileExistsError(target)
    try:
        with partial_file(target) as partial:
            content = _copy(source, partial)
            _flush(partial)
            _name(partial, target)
    except FileExistsError:
        raise
    except OSError as error:
        raise StoreError(f"can't write the backup {target}: {error.strerror}", remedy="name another file") from error
    except sqlite_module().Error as error:
        full = "disk is full" in str(error) or "disk I/O" in str(error)
        remedy = "free some space" if full else "run `mcp-optimizer db check`"
        raise StoreError(f"can't back up {source} to {target}: {error}", remedy=remedy) from error
    return _report(target, content)


def _copy(source: Path, partial: Path) -> _Content:
    """Copy until no other process has written in between, then compare."""
    bare = connect_to_read(source)
    try:
        for _ in range(_ATTEMPTS):
            before = _version(bare)
            expected = _content(bare)
            bare.execute("VACUUM INTO ?", (str(partial),))
            if _version(bare) == before:
                break
            os.truncate(partial, 0)
        else:
            raise StoreBusyError(
                f"other processes kept writing to {source} while it was copied", remedy="try again when they are done"
            )
    finally:
        bare.close()
    if _content_of(partial, thorough=True) != expected:
        raise StoreError(f"the copy of {source} is not the same as {source}", remedy="try again, or use another disk")
    return expected


def _content_of(path: Path, *, thorough: bool = False) -> _Content:
    """What a file holds; ``thorough``: SQLite looks at every page first. Raises StoreError when one is not sound."""
    bare = connect_to_read(path)
    try:
        if thorough:
            text = [row[0] for row in bare.execute("PRAGMA integrity_check(3)")]
            if text != ["ok"]:
                raise StoreError(f"{path} is not sound: {text[0]}", remedy="run `mcp-optimizer db check`")
        return _content(bare)
    finally:
        bare.close()


def _version(bare: Any) -> int:
    return int(bare.execute("PRAGMA data_version").fetchone()[0])


def _content(bare: Any) -> _Content:
    bare.text_factory = bytes  # compared as stored, be it UTF-8 or not
    bare.execute("BEGIN")
    try:
        result = bare.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        results: dict[str, _Table | str] = {f"{kind.decode()} {name.decode()}": repr(sql) for kind, name, sql in result}
        for kind, name, sql in result:
            if kind == b"table" and not (sql or b"").upper().startswith(b"CREATE VIRTUAL"):
                results[name.decode()] = _table(bare, name.decode())
        return results
    finally:
        bare.execute("ROLLBACK")


def _table(bare: Any, name: str) -> _Table:
    """A table's rows in their order, which a copy keeps."""
    digest, rows = hashlib.sha256(), 0
    quoted = name.replace('"', '""')
    for row in bare.execute(f'SELECT * FROM "{quoted}"'):
        rows += 1
        for value in row:
            stored = value if isinstance(value, bytes) else repr(value).encode()
            digest.update(b"%d:" % len(stored))
            digest.update(stored)
    return _Table(rows, digest.hexdigest())


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _name(partial: Path, target: Path) -> None:
    """Give the copy its name, unless another file has taken it meanwhile: that raises FileExistsError."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        partial.rename(target)


def _report(target: Path, content: _Content) -> BackupReport:
    tables = [table for table in content.values() if isinstance(table, _Table)]
    size = target.stat().st_size
    return BackupReport(file=str(target), bytes=size, tables=len(tables), rows=sum(table.rows for table in tables))

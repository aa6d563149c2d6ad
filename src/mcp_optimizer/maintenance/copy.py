"""A whole store taken from one database to another, whatever their engines: copied, indexed and compared in one go.

The target's part is one transaction, so a copy that is stopped leaves it empty.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.database import Database
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.migrations import HEAD, is_current, run_alembic
from mcp_optimizer.db.redacted_writes import VERBATIM
from mcp_optimizer.db.search_tables import all_tables
from mcp_optimizer.db.sqlite.engine import SqliteEngine
from mcp_optimizer.domain.upgrade_report import CopiedTable, CopyReport
from mcp_optimizer.errors import StoreError
from mcp_optimizer.maintenance.check import reindex_within
from mcp_optimizer.text import to_storable

_BATCH: Final = 1000
_OF_THE_PLACE: Final = frozenset({"alembic_version", "running_servers"})
"""Tables that tell of the database itself: its schema, and who has it open."""


class _Table(NamedTuple):
    """A table to copy, with its columns in order, and those of them that hold truth values."""

    name: str
    columns: tuple[str, ...]
    flags: frozenset[str]

    def values(self, row: Sequence[Any]) -> Mapping[str, Any]:
        """A row as every engine takes it: truth values are no numbers, text can be stored anywhere."""
        return {
            name: to_storable(value)
            if isinstance(value, str)
            else bool(value)
            if value is not None and name in self.flags
            else value
            for name, value in zip(self.columns, row, strict=True)
        }

    def insertion(self) -> str:
        names = ", ".join(f'"{column}"' for column in self.columns)
        return f'INSERT INTO "{self.name}" ({names}) VALUES ({", ".join(f":{column}" for column in self.columns)})'

    def selection(self) -> str:
        names = ", ".join(f'"{column}"' for column in self.columns)
        return f'SELECT {names} FROM "{self.name}"'


class _Summed(NamedTuple):
    """How many rows a table has, and the sum of their checksums, which no order changes."""

    rows: int
    checksum: int

    def with_batch(self, batch: "_Batch") -> "_Summed":
        """The same with more rows."""
        return _Summed(self.rows + len(batch), (self.checksum + sum(map(_checksum, batch))) % 2**128)


_NOTHING: Final = _Summed(0, 0)

type _Batch = Sequence[Mapping[str, Any]]


async def copy(source: Database, target: Database) -> CopyReport:
    """Copy everything from ``source`` to ``target``; embeddings too, so nothing is embedded. Opens and closes both.

    Raises StoreError, and leaves the target empty, when it is not empty, when the source is not there or not at HEAD,
    or when what has arrived is not what was sent.
    """
    if isinstance(source.engine, SqliteEngine) and not source.path.exists():
        raise StoreError(f"there is no database {source.label}")
    async with _opened(source), source.reading() as reading:
        if not await is_current(reading):
            raise StoreError(
                f"{source.label} is not at revision {HEAD}",
                remedy="upgrade it first: `mcp-optimizer --db FROM db upgrade`",
            )
        async with _opened(target), target.writing() as writing:
            await _refuse_what_is_there(writing, target)
            sent, indexed = await _fill(reading, writing)
    tables = tuple(CopiedTable(table=name, rows=summed.rows) for name, summed in sent.items())
    return CopyReport(source=source.label, target=target.label, tables=tables, indexed=indexed)


@asynccontextmanager
async def _opened(database: Database) -> AsyncGenerator[None]:
    await database.open()
    try:
        yield
    finally:
        await database.close()


async def _fill(reading: AsyncConnection, writing: AsyncConnection) -> tuple[dict[str, _Summed], int]:
    """Make the schema, copy every table and compare it, make the search tables; what was sent, and rows indexed."""
    name, dimension = (await reading.execute(text("SELECT name, dimension FROM embedding_model"))).one()
    await writing.run_sync(run_alembic, None, (name, dimension))
    tables = await writing.run_sync(_tables)
    for table in reversed(tables):  # what the revisions have put there
        await writing.execute(text(f'DELETE FROM "{table.name}"'))
    sent = {table.name: await _send(reading, writing, table) for table in tables}
    await index_of(writing).continue_numbers(writing)
    indexed = await reindex_within(writing, dimension)
    for table in tables:
        arrived, target = await _summed(writing, table), sent[table.name]
        if arrived != target:
            raise StoreError(
                f"{table.name}: {target.rows} rows were sent, and {arrived.rows} or other ones arrived; nothing is kept"
            )
    return sent, indexed


async def _refuse_what_is_there(connection: AsyncConnection, target: Database) -> None:
    result = await connection.run_sync(lambda bare: inspect(bare).get_table_names())
    if result:
        raise StoreError(f"{target.label} is not empty: it has {len(result)} tables", remedy="name an empty database")


def _tables(connection: Connection) -> list[_Table]:
    """The tables of an empty store that are copied, each after those it refers to."""
    looked = inspect(connection)
    names = [name for name, _ in looked.get_sorted_table_and_fkc_names() if name is not None]
    made_again = tuple(all_tables())
    results: list[_Table] = []
    for name in names:
        if name in _OF_THE_PLACE or name.startswith((*made_again, "sqlite_")):
            continue
        columns = looked.get_columns(name)
        flags = frozenset(column["name"] for column in columns if isinstance(column["type"], Boolean))
        results.append(_Table(name, tuple(column["name"] for column in columns), flags))
    return results


async def _send(reading: AsyncConnection, writing: AsyncConnection, table: _Table) -> _Summed:
    """Copy one table; what was sent."""
    insertion, summed = text(table.insertion()), _NOTHING
    async for batch in _batches(reading, table):
        await writing.execute(insertion, batch, execution_options={VERBATIM: True})
        summed = summed.with_batch(batch)
    return summed


async def _summed(connection: AsyncConnection, table: _Table) -> _Summed:
    summed = _NOTHING
    async for batch in _batches(connection, table):
        summed = summed.with_batch(batch)
    return summed


async def _batches(connection: AsyncConnection, table: _Table) -> AsyncIterator[_Batch]:
    """All rows, as every engine takes them."""
    async with connection.stream(text(table.selection())) as result:
        async for rows in result.partitions(_BATCH):
            yield [table.values(row) for row in rows]


def _checksum(row: Mapping[str, Any]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(sorted(row.items())).encode(), digest_size=16).digest())

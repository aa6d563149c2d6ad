"""Which engine a connection is of, and what is special to it. The one place that tells engines apart (S5)."""

from contextlib import AbstractAsyncContextManager, nullcontext

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.search_index import IntegrityChecks, SearchIndex, Side
from mcp_optimizer.db.sqlite import check as sqlite_check
from mcp_optimizer.db.sqlite import full_text as sqlite_words
from mcp_optimizer.db.sqlite import vector_index as sqlite_search


class SqliteIndex:
    """sqlite-vec for meaning, FTS5 for words."""

    create_statements = staticmethod(sqlite_search.create_statements)
    recreate = staticmethod(sqlite_search.recreate)
    finish = staticmethod(sqlite_search.finish)
    continue_numbers = staticmethod(sqlite_search.finish)

    @staticmethod
    def filling(connection: AsyncConnection, side: Side, count: int) -> AbstractAsyncContextManager[None]:
        """Every row costs the same, however many there are."""
        return nullcontext()

    put_servers = staticmethod(sqlite_search.put_servers)
    remove_servers = staticmethod(sqlite_search.remove_servers)
    put_tools = staticmethod(sqlite_search.put_tools)
    insert_tools = staticmethod(sqlite_search.insert_tools)
    remove_tools = staticmethod(sqlite_search.remove_tools)
    nearest_tools = staticmethod(sqlite_search.nearest_tools)
    nearest_servers = staticmethod(sqlite_search.nearest_servers)
    matching_tools = staticmethod(sqlite_words.matching_tools)


def index_of(connection: AsyncConnection | Connection) -> SearchIndex:
    """The search tables of the connection's engine."""
    if connection.dialect.name == "sqlite":
        return SqliteIndex()
    from mcp_optimizer.db.postgres.search_index import PostgresIndex  # noqa: PLC0415 (most programs need none of it)

    return PostgresIndex()


def soundness_of(connection: AsyncConnection) -> IntegrityChecks:
    """The proofs of the connection's engine."""
    if connection.dialect.name == "sqlite":
        return sqlite_check
    from mcp_optimizer.db.postgres import check as postgres_check  # noqa: PLC0415

    return postgres_check

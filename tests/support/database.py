"""Looking into a database file, and damaging it, past the program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlite_vec

from mcp_optimizer.db.sqlite_driver import sqlite_module
from mcp_optimizer.db.sqlite_search import all_tables

CORE = ("mcpservers_registry", "mcpservers_workload", "tools_registry", "tools_workload")
SUPPORT = ("registry_duplicates", "registry_resolutions", "ingestion_problems", "embedding_model", "embedding_cache")

type Dump = dict[str, list[tuple[Any, ...]]]


@contextmanager
def raw_connection(path: Path) -> Iterator[Any]:
    """A connection as any program would make it, sqlite-vec loaded; each statement commits by itself."""
    connection = sqlite_module().connect(str(path), isolation_level=None, timeout=5)
    try:
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
        connection.execute("PRAGMA foreign_keys=ON")
        yield connection
    finally:
        connection.close()


def rows(path: Path, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with raw_connection(path) as connection:
        return connection.execute(query, parameters).fetchall()


def value(path: Path, query: str, *parameters: Any) -> Any:
    """The one value a query gives."""
    ((found,),) = rows(path, query, *parameters)
    return found


def damage(path: Path, statement: str, *parameters: Any) -> None:
    """Change the file behind the program's back."""
    with raw_connection(path) as connection:
        connection.execute(statement, parameters)


def dump(path: Path) -> Dump:
    """Everything stored but the log of runs: core, search and support tables, and the changes that are no runs."""
    queries = {table: f"SELECT * FROM {table}" for table in (*CORE, *SUPPORT)}
    for table in all_tables():
        key, columns = ("rowid", "*") if table.endswith("fts") else ("key", "id, embedding")
        queries[table] = f"SELECT {key}, {columns} FROM {table}"
    queries["change_log"] = "SELECT * FROM change_log WHERE entity <> 'run'"
    with raw_connection(path) as connection:
        return {table: sorted(connection.execute(query).fetchall(), key=repr) for table, query in queries.items()}


def sizes(path: Path, *tables: str) -> dict[str, int]:
    """Number of rows of each table."""
    return {table: value(path, f"SELECT COUNT(*) FROM {table}") for table in tables}

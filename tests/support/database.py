"""Looking into a database, and damaging it, past the program."""

from pathlib import Path
from typing import Any

from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.search_tables import all_tables, server_table, text_table, vector_table
from tests.support.places import Place, SqlitePlace

CORE = ("mcpservers_registry", "mcpservers_workload", "tools_registry", "tools_workload")
SUPPORT = (
    "registry_duplicates", "registry_resolutions", "registry_aliases", "ingestion_problems", "embedding_model",
    "embedding_cache",
)  # fmt: skip
LATER = ("accepted_definitions", "invisible_characters", "quarantine")
"""Support tables that a database of the first revision has not got."""

type Dump = dict[str, list[tuple[Any, ...]]]


def raw_connection(place: Place | Path) -> Any:
    """A connection as any program would make it; each statement commits by itself."""
    return (SqlitePlace(place) if isinstance(place, Path) else place).connection()


def rows(place: Place | Path, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with raw_connection(place) as connection:
        return connection.execute(query, parameters).fetchall()


def value(place: Place | Path, query: str, *parameters: Any) -> Any:
    """The one value a query gives."""
    ((found,),) = rows(place, query, *parameters)
    return found


def damage(place: Place | Path, statement: str, *parameters: Any) -> None:
    """Change the database behind the program's back."""
    with raw_connection(place) as connection:
        connection.execute(statement, parameters)


def dump(place: Place | Path) -> Dump:
    """Everything stored but the log of runs: core, search and support tables, and the changes that are no runs."""
    later = sorted(tables(place).intersection(LATER))  # the same order in every process, for digests
    queries = {table: f"SELECT * FROM {table}" for table in (*CORE, *SUPPORT, *later)}
    queries |= {table: f"SELECT * FROM {table}" for table in all_tables()}
    if isinstance(place, Path | SqlitePlace):  # hidden columns are not in the star
        queries |= {text_table(side): f"SELECT rowid, * FROM {text_table(side)}" for side in Side}
        for side in Side:
            for table in (server_table(side), vector_table(side)):
                queries[table] = f"SELECT key, id, embedding FROM {table}"
    queries["change_log"] = "SELECT * FROM change_log WHERE entity <> 'run'"
    with raw_connection(place) as connection:
        return {table: sorted(connection.execute(query).fetchall(), key=repr) for table, query in queries.items()}


def everything(place: Place) -> bytes:
    """All that is stored, as bytes: the files of an SQLite database, its log too; else every row of every table."""
    if isinstance(place, SqlitePlace):
        return b"".join(path.read_bytes() for path in place.path.parent.iterdir() if path.is_file())
    return repr([rows(place, f"SELECT * FROM {table}") for table in sorted(tables(place))]).encode()


def columns_of(place: Place | Path, table: str) -> str:
    """The columns that a table has now, for a query: later ones may have more."""
    if isinstance(place, Path | SqlitePlace):
        found = rows(place, f"SELECT name FROM pragma_table_info('{table}')")
    else:
        found = rows(
            place,
            "SELECT column_name FROM information_schema.columns "
            f"WHERE table_name = '{table}' AND table_schema = 'public' ORDER BY ordinal_position",
        )
    return ", ".join(f'"{name}"' for (name,) in found)


def as_wide_as(before: Dump, after: Dump) -> Dump:
    """What is stored now in the tables and columns that there were before; new columns come last."""
    widths = {table: len(found[0]) if found else 0 for table, found in before.items()}
    return {table: sorted((row[: widths[table]] for row in after[table]), key=repr) for table in before}


def sizes(place: Place | Path, *tables: str) -> dict[str, int]:
    """Number of rows of each table."""
    return {table: value(place, f"SELECT COUNT(*) FROM {table}") for table in tables}


def tables(place: Place | Path) -> set[str]:
    """The names of all tables."""
    if isinstance(place, Path | SqlitePlace):
        return {name for (name,) in rows(place, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {name for (name,) in rows(place, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def schema(place: Place | Path) -> list[tuple[Any, ...]]:
    """Every statement that made the database, or what they made."""
    if isinstance(place, Path | SqlitePlace):
        return rows(place, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    return [row for query in _POSTGRES_SCHEMA for row in rows(place, query)]


_POSTGRES_SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name "
    "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace ORDER BY conname",
)

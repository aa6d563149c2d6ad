"""What a PostgreSQL server and database must be for a store, and what to do where they are not. Decided without I/O."""

from typing import Any, Final, NamedTuple

import psycopg

from mcp_optimizer.errors import StoreError

OLDEST_SERVER: Final = 150000
"""PostgreSQL 15, as ``server_version_num``."""
OLDEST_VECTOR: Final = (0, 8, 4)
"""Of pgvector: older ones have no sound iterative scans."""

_QUESTION: Final = """
SELECT current_setting('server_version_num')::int AS number,
       current_setting('server_version') AS version,
       current_setting('server_encoding') AS encoding,
       current_schema() AS schema,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       OR (has_database_privilege(current_database(), 'CREATE') AND EXISTS (
           SELECT FROM pg_available_extension_versions WHERE name = 'vector' AND trusted)) AS may_create
"""


class ServerFacts(NamedTuple):
    """What a server says of itself. ``installed`` and ``available``: versions of the extension ``vector``."""

    number: int
    version: str
    encoding: str
    schema: str | None
    installed: str | None
    available: str | None
    may_create: bool


async def facts_of(connection: psycopg.AsyncConnection[Any]) -> ServerFacts:
    """Ask the server."""
    row = await (await connection.execute(_QUESTION)).fetchone()
    assert row is not None
    return ServerFacts(*row)


def obstacle(facts: ServerFacts, label: str) -> StoreError | None:
    """What stands in the way of keeping a store there; None when nothing does."""
    if facts.number < OLDEST_SERVER:
        return StoreError(
            f"{label} is PostgreSQL {facts.version}: too old", remedy="use a server of version 15 or newer"
        )
    if facts.encoding != "UTF8":
        return StoreError(
            f"{label} holds text as {facts.encoding}, which has no room for every character",
            remedy="make a database with ENCODING 'UTF8' TEMPLATE template0, and name that one",
        )
    if facts.schema is None:
        return StoreError(
            f"{label}: no schema of its search_path exists", remedy="create the schema, or correct the search_path"
        )
    return _extension_obstacle(facts, label)


def _extension_obstacle(facts: ServerFacts, label: str) -> StoreError | None:
    target = ".".join(map(str, OLDEST_VECTOR))
    newer = is_recent(facts.available)
    if facts.installed is not None:
        if is_recent(facts.installed):
            return None
        update = f"have the database's owner run: ALTER EXTENSION vector UPDATE TO '{facts.available}'"
        return StoreError(
            f"{label} has the extension vector {facts.installed}; {target} or newer is needed",
            remedy=update if newer else f"install pgvector {target} or newer on the server, then update the extension",
        )
    if facts.available is None:
        return StoreError(
            f"the server of {label} lacks the extension vector",
            remedy=f"install pgvector {target} or newer on the server (package postgresql-NN-pgvector)",
        )
    if not newer:
        return StoreError(
            f"the server of {label} has pgvector {facts.available}; {target} or newer is needed",
            remedy=f"install pgvector {target} or newer on the server",
        )
    if not facts.may_create:
        return StoreError(
            f"{label} lacks the extension vector, and this user may not create it",
            remedy="have an administrator run, in that database: CREATE EXTENSION vector",
        )
    return None


def is_recent(version: str | None) -> bool:
    """Whether a version of the extension is new enough. One that can't be read is."""
    if version is None:
        return False
    try:
        return tuple(int(part) for part in version.split("-")[0].split(".")) >= OLDEST_VECTOR
    except ValueError:
        return True

"""Bringing a database to the present schema, through alembic, in one transaction."""

import asyncio
import importlib
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

import mcp_optimizer
from mcp_optimizer.db.database import Database
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.errors import ModelMismatchError, StoreError

HEAD: Final = "0010"
"""The newest revision. Known here so that opening an up-to-date database needs no alembic; a test holds it true."""


async def stored_revision(database: Database) -> str | None:
    """The database's revision; None when it is empty. Raises StoreError for a database of another program."""
    async with database.reading() as connection:
        return await revision_of(connection)


async def stored_model(database: Database) -> str:
    """The name of the model whose embeddings the database holds."""
    async with database.reading() as connection:
        return (await connection.execute(text("SELECT name FROM embedding_model"))).scalar_one()


async def upgrade(database: Database, embedder: Embedder) -> list[str]:
    """Bring ``database`` up to date; what was done, in words (empty: it was). Raises StoreError.

    A failing revision leaves the database as it was. A database newer than the program is refused, not touched.
    """
    if await stored_revision(database) == HEAD:
        return []
    model = (embedder.model, await embedder.dimension())
    await asyncio.to_thread(importlib.import_module, "alembic.command")  # long, and the loop may have screens to paint
    async with database.writing() as connection:
        current = await revision_of(connection)  # another process may have been faster
        if current == HEAD:
            return []
        await connection.run_sync(run_alembic, current, model)
    return [f"upgraded from {current or 'an empty database'} to {HEAD}"]


async def check_model(database: Database, embedder: Embedder) -> None:
    """Raise ModelMismatchError when the stored embeddings are of another model (E3)."""
    stored = await stored_model(database)
    if stored != embedder.model:
        raise ModelMismatchError(
            f"{database.label} holds embeddings of the model {stored}, not of {embedder.model}",
            remedy=f"set embedding_model_name to {stored}, or re-embed everything: `mcp-optimizer db reembed`",
        )


async def revision_of(connection: AsyncConnection) -> str | None:
    """The database's revision; None when it is empty. Raises StoreError for a database of another program."""
    names = set(await connection.run_sync(lambda bare: inspect(bare).get_table_names()))
    if "alembic_version" in names:
        return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    if names:
        raise StoreError("the database belongs to another program", remedy="name another with --db")
    return None


async def is_current(connection: AsyncConnection) -> bool:
    """Whether the database, whosever it is, is at HEAD."""
    try:
        return await revision_of(connection) == HEAD
    except StoreError:  # of another program, or of the predecessor before it had revisions
        return False


def migrations_directory() -> Path:
    """Where the revisions are: inside an installed package, or beside ``src`` in a checkout."""
    package = Path(mcp_optimizer.__file__).parent
    for directory in (package / "migrations", package.parent.parent / "migrations"):
        if (directory / "env.py").is_file():
            return directory
    raise StoreError("the program's migrations are missing", remedy="reinstall it")


def known_revisions() -> set[str]:
    """The revisions that this program knows."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (most starts need none of it)

    return {script.revision for script in ScriptDirectory(str(migrations_directory())).walk_revisions()}


def refuse_newer(current: str | None) -> None:
    """Raise StoreError for a revision that this program does not know: the database is not touched."""
    if current is not None and current not in known_revisions():
        raise StoreError(
            f"the database is at revision {current}, which this program does not know: it is newer",
            remedy="use the newer program, or name another database with --db",
        )


def run_alembic(connection: Connection, current: str | None, model: tuple[str, int]) -> None:
    """Run the revisions that are missing, in the transaction of ``connection``; ``model`` is name and dimension."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    refuse_newer(current)
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    attributes["model"] = model
    command.upgrade(config, "head")

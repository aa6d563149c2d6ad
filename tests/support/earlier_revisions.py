"""Databases of the program's own earlier revisions."""

import json
import uuid

from alembic.config import Config
from alembic.script import ScriptDirectory
from pytest_alembic import MigrationContext

from mcp_optimizer.db.migrations import HEAD, migrations_directory
from tests.support.builders import tool
from tests.support.database import damage
from tests.support.places import Place
from tests.support.victims import wait_for_nobody


def scripts() -> ScriptDirectory:
    """The program's revisions, as alembic sees them."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in reversed(list(scripts().walk_revisions()))]
EARLIER = [revision for revision in REVISIONS if revision != HEAD]


def take_to(revision: str, runner: MigrationContext) -> None:
    """Bring the runner's database to a revision, for everybody to see."""
    runner.migrate_up_to(revision)
    runner.connection_executor.connection.commit()


def populate(place: Place) -> None:
    """A linked and an autonomous workload, with columns that every revision has."""
    at = "2026-01-01T00:00:00Z"
    entry, linked, own = (str(uuid.UUID(int=number, version=4)) for number in range(1, 4))
    damage(place, "INSERT INTO mcpservers_registry (id, name, package, identity, remote, created_at, updated_at) "
        "VALUES (?, 'alpha', 'example.org/a:1', 'example.org/a:1', ?, ?, ?)", entry, False, at, at)  # fmt: skip
    for key, name, registry, context, about in (
        (linked, "runs", entry, "alpha", None),
        (own, "own", None, None, "Calculates"),
    ):
        image = "example.org/a:1" if registry else "example.org/own:1"
        damage(
            place,
            "INSERT INTO mcpservers_workload (id, name, package, identity, remote, status, registry_server_id, "
            "registry_server_name, description, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?)",
            key, name, image, image, False, registry, context, about, at, at,
        )  # fmt: skip
        damage(
            place,
            "INSERT INTO tools_workload (id, server_id, name, details, created_at, updated_at) "
            "VALUES (?, ?, 'ping', ?, ?, ?)",
            str(uuid.uuid4()), key, json.dumps(tool("ping").details), at, at,
        )  # fmt: skip


def first_revision(place: Place, runner: MigrationContext) -> Place:
    """A populated database of the first revision, which nobody has open."""
    take_to(REVISIONS[0], runner)
    connection = runner.connection_executor.connection
    connection.close()
    connection.engine.dispose()
    populate(place)
    wait_for_nobody(place)
    return place

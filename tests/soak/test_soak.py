"""The long runs: what the quick tests do, ten times and more, with another seed each time (``task soak``).

A failure can be had again with its seed: ``SOAK_SEED=… uv run task soak``.
"""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_alembic import MigrationContext

from mcp_optimizer.config import Settings
from mcp_optimizer.service import DataService
from tests.conftest import NewPlace, OpenService
from tests.support.copy_victims import kill_copies
from tests.support.earlier_revisions import first_revision
from tests.support.embedders import FakeEmbedder
from tests.support.hostile_trials import try_out
from tests.support.places import Place, PostgresPlace, PostgresServer, SqlitePlace
from tests.support.relationship_machine import RelationshipMachine, laboratory
from tests.support.services import ingest
from tests.support.upgrade_victims import kill_revisions, kill_upgrades
from tests.support.victims import kill_many, world

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

SEED = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
SEQUENCES, KILLS, UPGRADES, COPIES, DOCUMENTS = 3000, 1000, 100, 100, 10_000


def tell(what: str, counts: Mapping[str, int]) -> None:
    """Print counts; the task runs with output shown."""
    print(f"\n{what}, seed {SEED}:")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"  {count:>8}  {name}")


def test_relations(database: Place, empty_database: Place) -> None:
    long = hypothesis_settings(
        max_examples=SEQUENCES,
        stateful_step_count=8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with laboratory(database, empty_database) as lab:
        try:
            run_state_machine_as_test(seed(SEED)(lambda: RelationshipMachine(lab)), settings=long)
        finally:
            tell(f"{SEQUENCES} sequences", lab.counts)


async def test_kills(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    tell("kills", await kill_many(service, database, kills=KILLS, longest=0.2, seed=SEED))


@pytest.mark.sqlite
@pytest.mark.parametrize("shape", ["split", "unified"])
async def test_kills_of_upgrades(tmp_path: Path, shape: str) -> None:
    counts = await kill_upgrades(tmp_path / "killed", shape, kills=UPGRADES, seed=SEED)
    tell(f"kills of upgrades from the {shape} shape", counts)
    assert counts["old"] > UPGRADES // 10 < counts["new"]


async def test_kills_of_revisions(database: Place, new_place: NewPlace, alembic_runner: MigrationContext) -> None:
    old = first_revision(database, alembic_runner)
    counts = await kill_revisions(old, new_place("killed"), kills=UPGRADES, seed=SEED)
    tell(f"kills of upgrades from the first revision on {database.engine}", counts)
    assert counts["old"] > UPGRADES // 10 < counts["new"]


async def test_kills_of_copies(settings: Settings, database: Place, postgres: PostgresServer, tmp_path: Path) -> None:
    """From one engine to the other, in both directions."""
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await ingest(service, *world(1))
    target: Place = SqlitePlace(tmp_path / "to" / "target.db") if database.engine == "postgresql" else postgres.place()
    counts = await kill_copies(database, target, kills=COPIES, seed=SEED)
    tell(f"kills of copies from {database.engine}", counts)
    assert counts["empty"] > COPIES // 10 < counts["complete"]
    if isinstance(target, PostgresPlace):
        target.drop()


async def test_hostile_documents(open_service: OpenService, database: Place, tmp_path: Path) -> None:
    service = await open_service()
    tell("documents", await try_out(service, database, tmp_path, count=DOCUMENTS, seed=SEED, every=50))

"""`db check` finds every kind of damage, and `db reindex` repairs what can be made again (S3)."""

import numpy as np
import pytest

from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.support.database import all_tables, damage, dump, rows
from tests.support.places import Place
from tests.support.services import assert_sound, ingest, wrong

CATALOG = catalog(
    entry("alpha", "example.org/alpha:1", ["ping", tool("getHTTPPage", "Fetches a page.", url="what to fetch")]),
    entry("beta", "https://beta.example/mcp", ["pong"]),
)
LISTING = listing(
    workload("one", "example.org/alpha:1", ["ping", "extra"]),
    workload("own", "example.org/own:1", ["solo", "duo"]),
    workload("bare", "example.org/bare:1", []),
)


@pytest.fixture
async def filled(open_service: OpenService) -> DataService:
    """A service on a store that has some of everything, about to be damaged."""
    service = await open_service(check=False)
    await ingest(service, CATALOG, LISTING)
    await assert_sound(service)
    return service


SQLITE_DAMAGE = {
    "a tool's vector is gone": "DELETE FROM {side}_tool_vectors WHERE key = (SELECT MIN(key) FROM {side}_tool_vectors)",
    "a server's vector is gone": "DELETE FROM {side}_server_vector "
    "WHERE key = (SELECT MIN(key) FROM {side}_server_vector)",
    "a tool's text is gone": "DELETE FROM {side}_tool_fts WHERE rowid = (SELECT MIN(rowid) FROM {side}_tool_fts)",
    "a tool's text is another": "UPDATE {side}_tool_fts SET description = 'another'",
    "a tool's name is another": "UPDATE {side}_tool_fts SET name = 'another'",
    "a text too many": "INSERT INTO {side}_tool_fts (rowid, name, id) VALUES (42, 'ghost', 'ghost')",
    "a tool's vector is another": "UPDATE {side}_tool_vectors SET embedding = vec_f32(zeroblob(64))",
    "a server's vector is another": "UPDATE {side}_server_vector SET embedding = vec_f32(zeroblob(64))",
    "a vector of another server": "UPDATE {side}_tool_vectors SET server_id = 'elsewhere'",
    "a text of another server": "UPDATE {side}_tool_fts SET server_id = 'elsewhere'",
    "a full-text index that is corrupt": "DELETE FROM {side}_tool_fts_data WHERE id > 10",
    "a full-text index of other words": "UPDATE {side}_tool_fts_content SET c0 = 'another'",
}


_FIRST = "DELETE FROM {side}_%s WHERE id = (SELECT MIN(id) FROM {side}_%s)"
_ZERO = "array_fill(0.0, ARRAY[16])::vector"
POSTGRES_DAMAGE = {
    "a tool's vector is gone": _FIRST.replace("%s", "tool_vectors"),
    "a server's vector is gone": _FIRST.replace("%s", "server_vector"),
    "a tool's text is gone": _FIRST.replace("%s", "tool_fts"),
    "a tool's text is another": "UPDATE {side}_tool_fts SET description = 'another'",
    "a text too many": "INSERT INTO {side}_tool_fts VALUES ('ghost', 'g', 'g', 'g', 'g', 'g', 'g', 'g', '')",
    "a tool's vector is another": f"UPDATE {{side}}_tool_vectors SET embedding = {_ZERO}",
    "a server's vector is another": f"UPDATE {{side}}_server_vector SET embedding = {_ZERO}",
    "a vector of another server": "UPDATE {side}_tool_vectors SET server_id = 'elsewhere'",
    "a text of another server": "UPDATE {side}_tool_fts SET server_id = 'elsewhere'",
    "a full-text index of other words": "UPDATE {side}_tool_fts SET document = to_tsvector('simple', 'another')",
}


@pytest.mark.parametrize("side", ["registry", "workload"])
@pytest.mark.parametrize("what", dict.fromkeys((*SQLITE_DAMAGE, *POSTGRES_DAMAGE)))
async def test_damage_of_an_index_is_found_and_repaired(
    filled: DataService, database: Place, what: str, side: str
) -> None:
    damages = SQLITE_DAMAGE if database.engine == "sqlite" else POSTGRES_DAMAGE
    if what not in damages:
        pytest.skip(f"not on {database.engine}")
    statement = damages[what]
    before = dump(database)
    damage(database, statement.format(side=side))
    found = wrong(await filled.check())
    assert any(name.startswith(side) for name in found), found
    remedies = {finding.remedy for finding in (await filled.check()).findings if not finding.ok}
    assert remedies == {"run `mcp-optimizer db reindex`"}
    await filled.reindex()
    await assert_sound(filled)
    assert dump(database) == before, "made again from the core tables, row by row"


async def test_a_lost_index_can_be_made_again(filled: DataService, database: Place) -> None:
    before = dump(database)
    for table in all_tables():
        damage(database, f"DELETE FROM {table}")
    assert len(wrong(await filled.check())) == 6
    indexed = (await filled.reindex()).indexed
    assert indexed == 2 + 3 + 2 + 4, "servers and tools of the catalog, then of the autonomous workloads and all tools"
    await assert_sound(filled)
    assert dump(database) == before


async def test_reindexing_a_sound_store_changes_nothing(filled: DataService, database: Place) -> None:
    before = dump(database)
    await filled.reindex()
    assert dump(database) == before


NAN = np.full(16, np.nan, dtype="<f4").tobytes()
INFINITE = np.full(16, np.inf, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    "bad", [b"\0" * 60, b"\0" * 63, b"", NAN, INFINITE], ids=["short", "odd", "empty", "nan", "inf"]
)
@pytest.mark.parametrize(
    ("side", "statement"),
    [
        ("registry", "UPDATE tools_registry SET details_embedding = ? WHERE name = 'pong'"),
        ("workload", "UPDATE tools_workload SET details_embedding = ? WHERE name = 'solo'"),
        ("registry", "UPDATE mcpservers_registry SET server_embedding = ? WHERE name = 'beta'"),
        ("workload", "UPDATE mcpservers_workload SET server_embedding = ? WHERE name = 'own'"),
    ],
)
async def test_an_embedding_that_is_none_is_found(
    filled: DataService, database: Place, side: str, statement: str, bad: bytes
) -> None:
    damage(database, statement, bad)
    assert f"{side} embeddings" in wrong(await filled.check())


async def test_a_row_that_points_nowhere_is_found(filled: DataService, database: Place) -> None:
    unguarded = {"sqlite": "PRAGMA foreign_keys=OFF", "postgresql": "SET session_replication_role = replica"}
    with database.connection() as connection:
        connection.execute(unguarded[database.engine])
        connection.execute("UPDATE tools_registry SET server_id = 'nowhere' WHERE name = 'pong'")
    assert "foreign keys" in wrong(await filled.check())


async def test_a_context_name_that_is_not_the_entry_s_is_found(filled: DataService, database: Place) -> None:
    damage(database, "UPDATE mcpservers_registry SET name = 'alpha-two' WHERE name = 'alpha'")
    assert "relations" in wrong(await filled.check())


async def test_checking_changes_nothing(filled: DataService, database: Place) -> None:
    before = dump(database)
    await filled.check()
    assert dump(database) == before
    if database.engine == "sqlite":
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]

"""Images that the catalog moved, in the store: the earlier place is an alias for as long as the entry is there (M5)."""

from mcp_optimizer.domain.models import Relation
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.places import Place
from tests.support.services import ingest

FIRST, SECOND, THIRD = "mcp/fetch:1", "ghcr.io/stacklok/fetch:2", "quay.io/stacklok/uvx/fetch:3"
EARLY = workload("early", FIRST)
LATE = workload("late", "mcp/fetch:1.1")


async def moved(service: DataService, *places: str) -> None:
    """The catalog moves ``fetch`` from place to place; ``early`` runs since the first."""
    await ingest(service, catalog(entry("fetch", FIRST)), listing(EARLY))
    for place in places:
        await ingest(service, catalog(entry("fetch", place)))


async def near_misses(service: DataService, name: str) -> list[tuple[str, str, str, str]]:
    """Near misses of a workload."""
    found = (await service.explain(name)).near_misses
    return [(miss.registry_server, miss.reason, miss.running, miss.catalog) for miss in found]


async def test_m5_c1_a_new_workload_of_the_old_image_is_told_where_it_went(open_service: OpenService) -> None:
    await moved(await open_service(), SECOND)
    service = await open_service()  # what was remembered outlives a restart
    await ingest(service, listing=listing(EARLY, LATE))
    early, late = await service.workload("early"), await service.workload("late")
    assert (early.registry_server, late.relation) == ("fetch", Relation.AUTONOMOUS), "L1 for one, M1 for the other"
    assert await near_misses(service, "late") == [("fetch", "moved-image", "mcp/fetch:1.1", SECOND)]
    await service.link("late", "fetch")
    late = await service.workload("late")
    assert late.registry_server == "fetch"
    assert late.drift is not None
    assert (late.drift.running, late.drift.catalog) == ("mcp/fetch:1.1", SECOND)


async def test_m5_every_earlier_place_is_remembered_and_a_rename_takes_them_along(service: DataService) -> None:
    await moved(service, SECOND, THIRD)
    await ingest(service, catalog(entry("reader", THIRD)))
    seen = [EARLY, LATE, workload("later", "ghcr.io/stacklok/fetch:2.5")]
    await ingest(service, listing=listing(*seen))
    for name, running in (("late", "mcp/fetch:1.1"), ("later", "ghcr.io/stacklok/fetch:2.5")):
        assert await near_misses(service, name) == [("reader", "moved-image", running, THIRD)]


async def test_m5_e2_moving_there_and_back_settles_and_writes_nothing_more(
    service: DataService, database: Place
) -> None:
    await moved(service, SECOND, FIRST)
    await ingest(service, listing=listing(EARLY, LATE))
    assert await near_misses(service, "late") == [("fetch", "other-tag", "mcp/fetch:1.1", FIRST)], "it is back there"
    before = dump(database)
    assert len(before["registry_aliases"]) == 2
    await ingest(service, catalog(entry("fetch", FIRST)), listing(EARLY, LATE))
    assert dump(database) == before


async def test_m5_c3_what_an_entry_was_goes_with_it(service: DataService, database: Place) -> None:
    await moved(service, SECOND)
    await ingest(service, catalog(), listing(EARLY, LATE))
    assert dump(database)["registry_aliases"] == []
    assert await near_misses(service, "late") == []


async def test_m5_a_dry_run_remembers_nothing(service: DataService, database: Place) -> None:
    await moved(service)
    before = dump(database)
    await ingest(service, catalog(entry("fetch", SECOND)), listing(EARLY, LATE), dry_run=True)
    assert dump(database) == before

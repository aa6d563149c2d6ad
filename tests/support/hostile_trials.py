"""What must hold of every hostile document (B): no crash, nothing lost, and a reason for whatever is refused."""

import json
from collections import Counter
from pathlib import Path

from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.errors import SourceError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.json_values import parse_json
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.snapshots import is_snapshot, parse_snapshot
from tests.support.database import dump
from tests.support.hostile import documents, sound_snapshot
from tests.support.places import Place
from tests.support.services import assert_sound

SEALER = Sealer(b"a key")
"""Sources give what they were given; nothing goes further unsealed."""


def read(data: bytes) -> tuple[Catalog | None, WorkloadListing | None] | SourceError:
    """What a document holds, or why it can't be read."""
    try:
        document = parse_json(data, label="it")
        if is_snapshot(document):
            snapshot = parse_snapshot(document, source="it")
            return snapshot.catalog, snapshot.listing
        return parse_catalog(document, source="it"), None
    except SourceError as error:
        return error


def assert_usable(catalog: Catalog | None, listing: WorkloadListing | None) -> None:
    """All of it can be stored and shown; what can't be used says why."""
    for value in (catalog, listing):
        if value is not None:
            value.model_dump_json().encode()
    problems = [*(catalog.skipped if catalog else ()), *(listing.problems if listing else ())]
    for problem in problems:
        assert problem.name
        assert problem.reason
        assert problem.reason.isprintable(), problem.reason
    for item in SEALER.listing(listing).workloads if listing else ():
        assert "secret" not in item.model_dump_json(), "S7"
    for item in listing.workloads if listing else ():
        assert item.name
        assert (item.identity is None) == (item.identity_problem is not None)


async def try_out(
    service: DataService, place: Place, directory: Path, *, count: int, seed: int, every: int
) -> Counter[str]:
    """Read so many hostile documents, ingest one of ``every``; what came of them."""
    sound, file = directory / "sound.json", directory / "hostile.json"
    sound.write_text(json.dumps(sound_snapshot()))
    outcomes: Counter[str] = Counter()
    for number, data in enumerate(documents(count, seed=seed)):
        found = read(data)
        if isinstance(found, SourceError):
            outcomes["refused"] += 1
            assert found.message.isprintable()
        else:
            assert_usable(*found)
            problems = bool((found[0] and found[0].skipped) or (found[1] and found[1].problems))
            outcomes["read, with problems" if problems else "read"] += 1
        if number % every == 0:
            outcomes["ingested"] += 1
            await service.ingest(IngestPart.ALL, [str(sound)], allow_loss=True)
            file.write_bytes(data)
            await _ingested(service, place, file, found)
    return outcomes


async def _ingested(
    service: DataService, place: Place, file: Path, found: tuple[Catalog | None, WorkloadListing | None] | SourceError
) -> None:
    """A hostile document on top of a sound one: what it names, and what it can't tell, stays."""
    before = dump(place)
    rows = (await service._view_builder()).state.registry
    workloads = {view.name for view in await service.workloads()}
    try:
        (report,) = await service.ingest(IngestPart.ALL, [str(file)], allow_loss=True)
    except SourceError as error:
        if not isinstance(found, SourceError) and found != (None, None):
            raise AssertionError("what could be read was refused") from error
        assert dump(place) == before
        return
    assert not isinstance(found, SourceError)
    catalog, listing = found
    await assert_sound(service)
    if catalog is not None:
        views = await service.registry_servers()
        there = {view.name for view in views} | {name for view in views for name in view.duplicates}
        skipped = {item.identity.key for item in catalog.skipped if item.identity is not None}
        stored = {row.identity.key for row in rows}
        # An entry whose identity is that of another row is paired with that one (C1).
        free = {(item.name, item.identity.kind) for item in catalog.entries if item.identity.key not in stored}
        kept = {item.identity.key for item in catalog.entries}
        stays = {
            row.id
            for row in rows
            if row.identity.key in kept
            or row.identity.key in skipped
            or (row.name, row.identity.kind) in free
            or not catalog.complete
        }
        assert stays <= {view.id for view in views}
        assert {item.name for item in catalog.entries} <= there
    if listing is not None:
        there = {view.name for view in await service.workloads()}
        named = {item.name for item in (*listing.workloads, *listing.problems)}
        assert (workloads if not listing.complete else workloads & named) <= there
    for view in await service.workloads():
        await service.explain(view.name)
    assert report.summary is not None

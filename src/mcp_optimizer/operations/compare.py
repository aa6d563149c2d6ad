"""States to compare: what is stored now, what was stored at a time, what a snapshot or catalog file holds."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from itertools import count

from mcp_optimizer.clock import Runtime
from mcp_optimizer.config import Settings
from mcp_optimizer.db.logs import change_log
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.history.comparison import ComparedState, Comparison, compare_states
from mcp_optimizer.domain.history.past_state import LIMITS, state_at
from mcp_optimizer.domain.lifecycle import plan_workloads
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import CatalogEntry, RegistryServer
from mcp_optimizer.domain.reconcile import CONTENT_FIELDS, reconcile
from mcp_optimizer.errors import NotFoundError
from mcp_optimizer.sources.documents import is_url
from mcp_optimizer.sources.open_source import DocumentSource
from mcp_optimizer.sources.snapshots import Snapshot

NOW = "now"


class StateComparer:
    """Compares two states that a person names."""

    def __init__(self, store: Store, settings: Settings, runtime: Runtime) -> None:
        self._store = store
        self._settings = settings
        self._runtime = runtime

    async def compare(self, before: str, after: str) -> Comparison:
        """What differs. Each is a file, a URL, ``now``, ``yesterday`` or a time in ISO 8601. Raises OptimizerError."""
        return compare_states(await self._state(before), await self._state(after))

    async def _state(self, spec: str) -> ComparedState:
        if spec == NOW:
            async with self._store.database.reading() as connection:
                state = await self._store.state(connection)
            return ComparedState(label=NOW, registry=tuple(state.registry), workloads=tuple(state.workloads))
        if is_url(spec) or await asyncio.to_thread(_is_file, spec):
            source = DocumentSource(spec, self._settings)
            return state_of_document(await source.read(), label=source.label)
        moment = moment_of(spec, self._runtime.now())
        if moment is None:
            raise NotFoundError(
                f"{spec} is neither a file nor a time",
                remedy="give a file, now, yesterday, or a time as 2026-11-27T10:00",
            )
        return await self._past(moment)

    async def _past(self, moment: datetime) -> ComparedState:
        at = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
            first, lines = await change_log.lines_for_states(connection)
        if lines and first > 1 and at < lines[0].at:
            raise NotFoundError(
                f"the change log begins at {lines[0].at}: what was stored at {at} is not known",
                remedy="give a later time, or a snapshot of then",
            )
        registry, workloads = state_at(at, lines, state.registry, state.workloads)
        return ComparedState(
            label=at, registry=tuple(registry), workloads=tuple(workloads), contents=False, limits=LIMITS
        )


def _is_file(spec: str) -> bool:
    return os.path.exists(os.path.expanduser(spec))  # noqa: PTH110, PTH111 - unlike pathlib's, they leave any name alone


def moment_of(spec: str, now: datetime) -> datetime | None:
    """The time that a person names; one without a zone is local. None where it is no time."""
    if spec == "yesterday":
        return now - timedelta(days=1)
    try:
        return datetime.fromisoformat(spec).astimezone()
    except (ValueError, OverflowError):
        return None


def state_of_document(document: Snapshot, *, label: str) -> ComparedState:
    """What would be stored if the document were ingested into an empty store."""
    numbers = count(1)
    registry: tuple[RegistryServer, ...] | None = None
    index = RegistryIndex([], (), ())
    limits: list[str] = []
    if document.catalog is not None:
        chosen = {identity.key: name for identity, name in document.catalog.resolutions}
        plan = reconcile(document.catalog, [], resolutions=chosen)
        registry = tuple(_row(pair.entry, f"{label}-{next(numbers)}") for pair in plan.entries)
        index = RegistryIndex(registry, plan.duplicates, ())
    else:
        limits.append(f"{label} holds no registry")
    workloads = None
    if document.listing is not None:
        planned = plan_workloads(document.listing, [], index, new_id=lambda: f"{label}-{next(numbers)}", now="")
        workloads = tuple(change.after for change in planned.changes)
    else:
        limits.append(f"{label} holds no workloads")
    return ComparedState(
        label=label, registry=registry, workloads=workloads, links=registry is not None, limits=tuple(limits)
    )


def _row(entry: CatalogEntry, key: str) -> RegistryServer:
    return RegistryServer(id=key, name=entry.name, **{field: getattr(entry, field) for field in CONTENT_FIELDS})

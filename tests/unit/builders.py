"""Rows of a store, and a store in memory that plans are applied to, so that rules can be tested without a database."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from mcp_optimizer.domain.lifecycle import WorkloadsPlan, finalize, follow_catalog, plan_workloads
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import (
    Catalog,
    CatalogEntry,
    Duplicate,
    IdentityKey,
    ObservedWorkload,
    RegistryServer,
    ToolDefinition,
    Workload,
    WorkloadListing,
)
from mcp_optimizer.domain.reconcile import CONTENT_FIELDS, CatalogPlan, Change, EntryPlan, reconcile
from mcp_optimizer.domain.tools.text import own_description, tools_digest
from tests.support.builders import entry, identity, tools

DIGEST_A = f"sha256:{'a' * 64}"
DIGEST_B = f"sha256:{'b' * 64}"
BEFORE = "2026-01-01T00:00:00Z"
NOW = "2026-02-02T00:00:00Z"


def server(name: str, where: str, **fields: Any) -> RegistryServer:
    """A row that holds what ``entry(name, where, **fields)`` asks for; its id is ``id-`` and the name."""
    identifier = fields.pop("id", f"id-{name}")
    return row_of(entry(name, where, **fields), identifier)


def row_of(given: CatalogEntry, identifier: str) -> RegistryServer:
    """The row an entry becomes."""
    content = {field: getattr(given, field) for field in CONTENT_FIELDS}
    digest = tools_digest(given.name, given.tools)
    return RegistryServer(id=identifier, name=given.name, text_hash="embedded", tools_digest=digest, **content)


def row(name: str, where: str, *, linked_to: RegistryServer | None = None, **fields: Any) -> Workload:
    """A workload's row with the one tool ``ping``; autonomous unless ``linked_to`` is given."""
    context = linked_to.name if linked_to else name
    about: dict[str, Any] = {
        "id": f"id-{name}",
        "name": name,
        "identity": identity(where),
        "endpoint": f"http://127.0.0.1:9/{name}",
        "transport": "streamable-http",
        "status": "running",
        "registry_server_id": linked_to.id if linked_to else None,
        "registry_server_name": linked_to.name if linked_to else None,
        "relation_cause": "first-match",
        "relation_changed_at": BEFORE,
        "description": None if linked_to else own_description(["ping"]),
        "tools_digest": tools_digest(context, tools("ping")),
        "created_at": BEFORE,
    }
    return Workload(**(about | fields))


def duplicate(where: str, *names: str, chosen: str | None = None) -> Duplicate:
    """An identity that several names claim."""
    return Duplicate(identity=identity(where), names=names, chosen=chosen)


def apply(plan: CatalogPlan, prefix: str = "new") -> list[RegistryServer]:
    """The rows after a plan, in no order to rely on. The ids of new rows begin with ``prefix``."""
    return [*plan.kept, *(_applied(pair, prefix) for pair in plan.entries)]


def _applied(pair: EntryPlan, prefix: str) -> RegistryServer:
    if pair.row is not None and pair.change is Change.UNCHANGED:
        return pair.row
    return row_of(pair.entry, pair.row.id if pair.row else f"{prefix}-{pair.entry.identity.canonical}")


class MemoryStore:
    """What an ingestion reads and writes, kept in lists. Tools are embedded at once and never fail."""

    def __init__(
        self,
        registry: Iterable[RegistryServer] = (),
        workloads: Iterable[Workload] = (),
        *,
        duplicates: Sequence[Duplicate] = (),
        resolutions: Mapping[IdentityKey, str] | None = None,
    ) -> None:
        self.registry = list(registry)
        self.workloads = {workload.name: workload for workload in workloads}
        self.tools: dict[str, tuple[ToolDefinition, ...]] = {name: tools("ping") for name in self.workloads}
        self.duplicates = tuple(duplicates)
        self.claims: tuple[CatalogEntry, ...] = ()
        self.resolutions = dict(resolutions or {})
        self._ids = count(1)

    def ingest_catalog(self, catalog: Catalog) -> CatalogPlan:
        """Reconcile and apply, workloads included."""
        linked = {workload.registry_server_id for workload in self.workloads.values() if workload.registry_server_id}
        plan = reconcile(catalog, self.registry, resolutions=self.resolutions, linked_ids=linked, claims=self.claims)
        changes, _ = follow_catalog(plan, self.workloads.values(), now=NOW)
        for change in changes:
            self.workloads[change.after.name] = finalize(change, self.tools[change.after.name], embedded=True)
        self.registry, self.duplicates = apply(plan, f"new-{next(self._ids)}"), plan.duplicates
        self.claims = plan.claims
        return plan

    def ingest_workloads(self, *observed: ObservedWorkload, complete: bool = True) -> WorkloadsPlan:
        """Plan a listing of these workloads and apply it."""
        listing = WorkloadListing(source="memory", workloads=observed, complete=complete)
        index = RegistryIndex(self.registry, self.duplicates)
        plan = plan_workloads(
            listing, list(self.workloads.values()), index, new_id=lambda: f"id-{next(self._ids)}", now=NOW
        )
        for change in plan.changes:
            name = change.after.name
            self.tools[name] = self.tools.get(name, ()) if change.tools is None else change.tools
            self.workloads[name] = finalize(change, self.tools[name], embedded=True)
        for workload in plan.removed:
            del self.workloads[workload.name]
        return plan

    def add_workload(self, workload: Workload) -> None:
        """Put a workload with the tool ``ping`` into the store."""
        self.workloads[workload.name] = workload
        self.tools[workload.name] = tools("ping")

    def home_of(self, workload: str) -> RegistryServer | None:
        """The registry server that a workload inherits from; the relation must not dangle (S2, L6)."""
        found = self.workloads[workload]
        assert (found.description is None) == found.linked
        if not found.linked:
            return None
        (home,) = [row for row in self.registry if row.id == found.registry_server_id]
        assert home.name == found.registry_server_name
        return home

    def entry_of(self, workload: str) -> str | None:
        """The name of the registry server that a workload inherits from."""
        home = self.home_of(workload)
        return home.name if home else None

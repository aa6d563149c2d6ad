"""What differs between two states of catalog and workloads. Pure: two states in, one value out."""

from collections.abc import Iterable, Mapping
from typing import Final

from mcp_optimizer.domain.matching import drift_of
from mcp_optimizer.domain.models import Catalog, CatalogEntry, RegistryServer, Value, Workload
from mcp_optimizer.domain.reconcile import EntryPlan, reconcile

_CONTENT: Final = ("transport", "description", "title", "tags", "tier", "repository", "group")


class ComparedState(Value):
    """One of the two. A part that it does not know is None, and is not compared."""

    label: str
    registry: tuple[RegistryServer, ...] | None
    workloads: tuple[Workload, ...] | None
    links: bool = True
    """Whether it knows which workload is linked to what."""
    contents: bool = True
    """Whether it knows descriptions and the like of the entries."""
    limits: tuple[str, ...] = ()
    """What it does not know, in words."""


class ComparedItem(Value):
    """An entry or a workload that only one of the two has."""

    name: str
    identity: str


class ComparedChange(Value):
    """An entry or a workload that both have, and what it was and is."""

    name: str
    before: str
    after: str


class ComparedLink(Value):
    """A workload whose link began, ended, or leads elsewhere. None: it is autonomous."""

    workload: str
    before: str | None
    after: str | None


class ComparedDrift(Value):
    """A linked workload that runs something else than its entry names."""

    workload: str
    running: str
    catalog: str


class RegistryComparison(Value):
    """What differs between two catalogs. An entry may be both renamed and re-tagged."""

    added: tuple[ComparedItem, ...] = ()
    removed: tuple[ComparedItem, ...] = ()
    renamed: tuple[ComparedChange, ...] = ()
    retagged: tuple[ComparedChange, ...] = ()
    updated: tuple[str, ...] = ()
    """Entries whose description, tags or the like differ; by name."""


class WorkloadComparison(Value):
    """What differs between two sets of workloads, told apart by name."""

    added: tuple[ComparedItem, ...] = ()
    removed: tuple[ComparedItem, ...] = ()
    changed: tuple[ComparedChange, ...] = ()
    """Workloads that run another image, or are reached at another URL."""
    linked: tuple[ComparedLink, ...] = ()
    unlinked: tuple[ComparedLink, ...] = ()
    drifted: tuple[ComparedDrift, ...] = ()
    """Workloads that drift in the second state and did not, or otherwise, in the first."""
    drift_ended: tuple[str, ...] = ()


class Comparison(Value):
    """What differs between two states. A part that one of them does not know is None."""

    before: str
    after: str
    registry: RegistryComparison | None
    workloads: WorkloadComparison | None
    limits: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs."""
        parts = [part for part in (self.registry, self.workloads) if part is not None]
        return not any(value for part in parts for _, value in part)


def compare_states(before: ComparedState, after: ComparedState) -> Comparison:
    """What became of the first state in the second."""
    registry = workloads = None
    if before.registry is not None and after.registry is not None:
        registry = _registry(before.registry, after.registry, contents=before.contents and after.contents)
    if before.workloads is not None and after.workloads is not None:
        workloads = _workloads(before, after)
    return Comparison(
        before=before.label,
        after=after.label,
        registry=registry,
        workloads=workloads,
        limits=tuple(dict.fromkeys((*before.limits, *after.limits))),
    )


def _registry(
    before: Iterable[RegistryServer], after: Iterable[RegistryServer], *, contents: bool
) -> RegistryComparison:
    """Entries are paired as an ingestion pairs them (C1)."""
    plan = reconcile(Catalog(source="", entries=tuple(map(_entry, after))), list(before))
    pairs = [(pair.row, pair.entry) for pair in plan.entries if pair.row is not None]
    return RegistryComparison(
        added=tuple(_item(pair) for pair in plan.entries if pair.row is None),
        removed=tuple(ComparedItem(name=row.name, identity=row.identity.raw) for row in plan.removed),
        renamed=tuple(
            ComparedChange(name=entry.name, before=row.name, after=entry.name)
            for row, entry in pairs
            if row.name != entry.name
        ),
        retagged=tuple(
            ComparedChange(name=entry.name, before=row.identity.raw, after=entry.identity.raw)
            for row, entry in pairs
            if row.identity.key != entry.identity.key
        ),
        updated=tuple(
            entry.name
            for row, entry in pairs
            if contents and any(getattr(row, field) != getattr(entry, field) for field in _CONTENT)
        ),
    )


def _entry(row: RegistryServer) -> CatalogEntry:
    return CatalogEntry(name=row.name, identity=row.identity, **{field: getattr(row, field) for field in _CONTENT})


def _item(pair: EntryPlan) -> ComparedItem:
    return ComparedItem(name=pair.entry.name, identity=pair.entry.identity.raw)


def _workloads(before: ComparedState, after: ComparedState) -> WorkloadComparison:
    old = {row.name: row for row in sorted(before.workloads or (), key=lambda row: row.name)}
    new = {row.name: row for row in sorted(after.workloads or (), key=lambda row: row.name)}
    links = before.links and after.links
    moved = [
        ComparedLink(workload=name, before=old[name].registry_server_name, after=new[name].registry_server_name)
        for name in new
        if links and name in old and _leads_elsewhere(old[name], new[name], before, after)
    ]
    began = [
        ComparedLink(workload=name, before=None, after=row.registry_server_name)
        for name, row in new.items()
        if links and name not in old and row.linked
    ]
    old_drift, new_drift = (_drift(state) if links else {} for state in (before, after))
    return WorkloadComparison(
        added=tuple(ComparedItem(name=name, identity=_raw(row)) for name, row in new.items() if name not in old),
        removed=tuple(ComparedItem(name=name, identity=_raw(row)) for name, row in old.items() if name not in new),
        changed=tuple(
            ComparedChange(name=name, before=_raw(old[name]), after=_raw(row))
            for name, row in new.items()
            if name in old and old[name].identity != row.identity
        ),
        linked=tuple(sorted((link for link in (*moved, *began) if link.after), key=lambda link: link.workload)),
        unlinked=tuple(link for link in moved if not link.after),
        drifted=tuple(drift for name, drift in new_drift.items() if old_drift.get(name) != drift),
        drift_ended=tuple(name for name in old_drift if name in new and name not in new_drift),
    )


def _raw(row: Workload) -> str:
    return row.identity.raw if row.identity else "unidentified"


def _leads_elsewhere(old: Workload, new: Workload, before: ComparedState, after: ComparedState) -> bool:
    """Whether a link began, ended, or leads to another entry; an entry that was only renamed is the same."""
    if old.linked != new.linked:
        return True
    if not old.linked or old.registry_server_id == new.registry_server_id:
        return False
    was, is_now = _entry_of(old, before), _entry_of(new, after)
    if was is None or is_now is None:
        return old.registry_server_name != new.registry_server_name
    return was.name != is_now.name and was.identity.key != is_now.identity.key


def _entry_of(row: Workload, state: ComparedState) -> RegistryServer | None:
    return next((server for server in state.registry or () if server.id == row.registry_server_id), None)


def _drift(state: ComparedState) -> Mapping[str, ComparedDrift]:
    """The workloads that drift, by name."""
    servers = {server.id: server for server in state.registry or ()}
    drifts = {
        row.name: drift_of(row, servers.get(row.registry_server_id or ""))
        for row in sorted(state.workloads or (), key=lambda row: row.name)
    }
    return {
        name: ComparedDrift(workload=name, running=drift.running, catalog=drift.catalog)
        for name, drift in drifts.items()
        if drift is not None
    }

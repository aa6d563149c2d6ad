"""What happens to workloads (L1-L9): when they are listed anew, when the catalog changes, when a person decides.

Every function is pure: it says what a workload becomes and why. Own descriptions and digests depend on the tools, so
:func:`completed` fills them in once the tools are known.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from mcp_optimizer.domain.matching import RegistryIndex, match, rejection_reason
from mcp_optimizer.domain.models import (
    Cause,
    ItemProblem,
    ObservedWorkload,
    RecordedRelation,
    RegistryServer,
    Relation,
    ToolDefinition,
    Value,
    Workload,
    WorkloadListing,
)
from mcp_optimizer.domain.reconcile import CatalogPlan, Change, EntryPlan
from mcp_optimizer.domain.tool_text import own_description, tools_digest


class RelationChange(Value):
    """A change of relation, for the change log (L11). ``operation`` is linked, unlinked, renamed or drifted …"""

    operation: str
    cause: Cause
    detail: str = ""


class WorkloadChange(Value):
    """What a workload becomes. ``before`` None: it is new. ``tools`` None: it keeps the stored ones."""

    before: Workload | None
    after: Workload
    tools: tuple[ToolDefinition, ...] | None = None
    tools_partial: bool = False
    """Stored tools that are not among ``tools`` stay: the listing ended early (L8)."""
    relation: RelationChange | None = None


class Rejection(Value):
    """A workload whose ingestion is refused because several entries claim its identity (M2)."""

    observed: ObservedWorkload
    reason: str


class WorkloadsPlan(Value):
    """All that an ingestion of a listing would do."""

    changes: tuple[WorkloadChange, ...] = ()
    removed: tuple[Workload, ...] = ()
    unchanged: tuple[Workload, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    failed: tuple[ItemProblem, ...] = ()
    """Named workloads that are stored, or left as they were, with a problem."""


def plan_workloads(
    listing: WorkloadListing,
    stored: Sequence[Workload],
    index: RegistryIndex,
    *,
    new_id: Callable[[], str],
    now: str,
) -> WorkloadsPlan:
    """What a listing means for the stored workloads. The order of the listing does not matter."""
    rows = {row.name: row for row in stored}
    changes: list[WorkloadChange] = []
    unchanged: list[Workload] = []
    rejected: list[Rejection] = []
    failed: list[ItemProblem] = list(listing.problems)
    times = Counter(item.name for item in listing.workloads)
    failed += [
        ItemProblem(name=name, reason=f"listed {count} times; one of them is used")
        for name, count in times.items()
        if count > 1
    ]
    for observed in _one_per_name(listing.workloads):
        before = rows.get(observed.name)
        problem = observed.identity_problem or observed.tools_problem
        if problem is not None:
            failed.append(ItemProblem(name=observed.name, reason=problem))
        if observed.identity is None and before is None:
            continue
        outcome = _ingested(observed, before, index, new_id=new_id, now=now)
        if isinstance(outcome, Rejection):
            rejected.append(outcome)
        elif before is not None and not _differs(outcome, before):
            unchanged.append(before)
        else:
            changes.append(outcome)
    listed = {*times, *(item.name for item in listing.problems)}
    removed = [row for name, row in sorted(rows.items()) if name not in listed] if listing.complete else []
    return WorkloadsPlan(
        changes=tuple(changes),
        removed=tuple(removed),
        unchanged=tuple(unchanged),
        rejected=tuple(rejected),
        failed=tuple(sorted(failed, key=lambda item: (item.name, item.reason))),
    )


def _one_per_name(workloads: Iterable[ObservedWorkload]) -> list[ObservedWorkload]:
    """By name; of several under one name the one that comes first whatever the order of the listing."""
    by_name: dict[str, list[ObservedWorkload]] = defaultdict(list)
    for observed in workloads:
        by_name[observed.name].append(observed)
    return [min(same, key=_content) if len(same) > 1 else same[0] for _, same in sorted(by_name.items())]


def _content(observed: ObservedWorkload) -> str:
    """All that was observed as one text, to tell two apart that have their name in common."""
    return json.dumps(observed.model_dump(), sort_keys=True)


def _ingested(
    observed: ObservedWorkload,
    before: Workload | None,
    index: RegistryIndex,
    *,
    new_id: Callable[[], str],
    now: str,
) -> WorkloadChange | Rejection:
    """One listed workload: the same identity keeps its relation (L1), another is matched anew (L2, M2)."""
    identity = observed.identity or (before.identity if before else None)
    if identity is None:
        raise ValueError("a workload without identity and row can't be ingested")
    seen = {
        "identity": identity,
        "endpoint": observed.endpoint,
        "transport": observed.transport,
        "proxy_mode": observed.proxy_mode,
        "status": observed.status,  # whether it runs is its source's word alone (L8)
        "status_reason": observed.tools_problem or observed.status_reason,
        "group": observed.group,
        "virtual_mcp": observed.virtual_mcp,
        "evidence": observed.evidence,
    }
    if before is not None and before.identity.key == identity.key:
        after = before.model_copy(update=seen)
        return WorkloadChange(before=before, after=after, tools=observed.tools, tools_partial=observed.tools_partial)
    base = before or Workload(id=new_id(), name=observed.name, identity=identity, description="", created_at=now)
    base = base.model_copy(update=seen)
    after = _restored(base, observed.relation, index) if before is None else None
    cause = Cause.FIRST_MATCH if before is None else Cause.IDENTITY_CHANGED
    if after is None:
        found = match(identity, index)
        if found.verdict is Relation.REJECTED:
            return Rejection(observed=observed, reason=rejection_reason(identity, found.claimants))
        after = _related(base, found.server, cause, now)
    relation = _relation_change(before, after, cause)
    return WorkloadChange(
        before=before,
        after=after,
        tools=observed.tools,
        relation=relation,
    )


def _restored(workload: Workload, recorded: RecordedRelation | None, index: RegistryIndex) -> Workload | None:
    """A new workload with the relation that a snapshot records; None where it records none, or of an unknown entry."""
    if recorded is None:
        return None
    server = index.by_key.get(recorded.identity.key) if recorded.identity else None
    if recorded.identity is not None and (server is None or server.identity.kind is not workload.identity.kind):
        return None
    return _related(workload, server, recorded.cause, recorded.since)


def _related(workload: Workload, server: RegistryServer | None, cause: Cause, now: str) -> Workload:
    """``workload`` tied to ``server``, or to none. A description of its own is filled in by :func:`completed`."""
    return workload.model_copy(
        update={
            "registry_server_id": server.id if server else None,
            "registry_server_name": server.name if server else None,
            "relation_cause": cause,
            "relation_changed_at": now,
            "description": None if server else "",
        }
    )


def _relation_change(before: Workload | None, after: Workload, cause: Cause) -> RelationChange | None:
    """What is noted of a relation (L11); of a workload that was autonomous and still is, only a person's decision."""
    if after.linked:
        return RelationChange(operation="linked", cause=cause, detail=f"to {after.registry_server_name}")
    if before is None:
        return RelationChange(operation="autonomous", cause=cause)
    if before.linked:
        return RelationChange(operation="unlinked", cause=cause, detail=f"from {before.registry_server_name}")
    return RelationChange(operation="autonomous", cause=cause) if cause == Cause.UNLINKED_BY_HAND else None


def become_autonomous(workload: Workload, cause: Cause, *, now: str) -> WorkloadChange:
    """A linked workload loses its registry server and gets a description and an embedding of its own (L4, L5)."""
    after = _related(workload, None, cause, now)
    return WorkloadChange(before=workload, after=after, relation=_relation_change(workload, after, cause))


def become_linked(workload: Workload, server: RegistryServer, cause: Cause, *, now: str) -> WorkloadChange:
    """A workload is tied to a registry server of its kind (L3, L5)."""
    after = _related(workload, server, cause, now)
    return WorkloadChange(before=workload, after=after, relation=_relation_change(workload, after, cause))


def follow_catalog(
    plan: CatalogPlan, workloads: Iterable[Workload], *, now: str
) -> tuple[tuple[WorkloadChange, ...], tuple[tuple[Workload, RelationChange], ...]]:
    """What a catalog plan means for linked workloads: those that change (C2, C3), and relations to be noted (drift).

    Every linked workload keeps its relation as long as its entry is there, under whatever identity (L1).
    """
    linked: Mapping[str, list[Workload]] = defaultdict(list)
    for workload in sorted(workloads, key=lambda row: row.name):
        if workload.registry_server_id is not None:
            linked[workload.registry_server_id].append(workload)
    changes: list[WorkloadChange] = []
    notes: list[tuple[Workload, RelationChange]] = []
    heirs = dict(plan.heirs)
    for row in plan.removed:
        heir = heirs.get(row.id)
        changes += [
            _follow_heir(workload, heir, now) if heir else become_autonomous(workload, Cause.REGISTRY_REMOVED, now=now)
            for workload in linked[row.id]
        ]
    for pair in plan.entries:
        if pair.row is None:
            continue
        for workload in linked[pair.row.id]:
            if pair.change is Change.RENAMED:
                changes.append(_follow_rename(workload, pair.row.name, pair.entry.name))
            elif pair.change is Change.RETAGGED:
                drifts = workload.identity.key != pair.entry.identity.key
                detail = f"the catalog now names {pair.entry.identity.raw}"
                note = RelationChange(
                    operation="drifted" if drifts else "drift-ended", cause=Cause.REGISTRY_RETAGGED, detail=detail
                )
                notes.append((workload, note))
    return tuple(changes), tuple(notes)


def _follow_heir(workload: Workload, heir: EntryPlan, now: str) -> WorkloadChange:
    """A linked workload goes to the row that its entry now has; the entry's name, and so the context, stays (L1).

    What a person linked stays a person's decision (L5).
    """
    if heir.row is None:
        raise ValueError("an heir is an entry that took another's row")
    server = heir.row.model_copy(update={"name": heir.entry.name})
    by_hand = workload.relation_cause == Cause.LINKED_BY_HAND
    after = _related(workload, server, Cause.LINKED_BY_HAND if by_hand else Cause.REGISTRY_RETAGGED, now)
    detail = f"to {heir.entry.name}, which now names {heir.entry.identity.raw}"
    note = RelationChange(operation="linked", cause=Cause.REGISTRY_RETAGGED, detail=detail)
    return WorkloadChange(before=workload, after=after, relation=note)


def _follow_rename(workload: Workload, old: str, new: str) -> WorkloadChange:
    """A linked workload's context name, and so its tools' embeddings, follow the registry server's new name (C2)."""
    after = workload.model_copy(update={"registry_server_name": new})
    note = RelationChange(operation="context-renamed", cause=Cause.REGISTRY_RENAMED, detail=f"from {old} to {new}")
    return WorkloadChange(before=workload, after=after, relation=note)


def completed(change: WorkloadChange, tools: Sequence[ToolDefinition], *, embedded: bool) -> Workload:
    """The workload as it is stored, now that its tools are known.

    ``embedded`` false: some text could not be embedded; the empty digest makes the next ingestion try again (L7).
    """
    after = change.after
    return after.model_copy(
        update={
            "description": None if after.linked else own_description(tool.name for tool in tools),
            "tools_digest": tools_digest(after.context_name, tools) if embedded else "",
        }
    )


def _differs(change: WorkloadChange, before: Workload) -> bool:
    """Whether the change changes anything, tools included. A missing digest means unfinished work: try again (L7)."""
    if change.after != before or not before.tools_digest:
        return True
    return change.tools is not None and tools_digest(before.context_name, change.tools) != before.tools_digest

"""What happens to workloads (L1-L9): when they are listed again, when the catalog changes, when a person decides.

Every function is pure: it says what a workload becomes and why. Own descriptions and digests depend on the tools, so
:func:`finalize` fills them in once the tools are known.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mcp_optimizer.domain.matching import RegistryIndex, match, rejection_reason
from mcp_optimizer.domain.models import (
    Cause,
    Identity,
    ItemProblem,
    Kind,
    ObservedWorkload,
    RecordedRelation,
    RegistryServer,
    Relation,
    ToolDefinition,
    Value,
    Workload,
    WorkloadListing,
)
from mcp_optimizer.domain.reconcile import CatalogPlan, Change, EntryPlan, image_or_page
from mcp_optimizer.domain.status_text import lasting_text
from mcp_optimizer.domain.tools.text import one_per_name, own_description, tools_digest


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


def admit(
    rejected: Iterable[ObservedWorkload],
    stored: Iterable[Workload],
    index: RegistryIndex,
    *,
    new_id: Callable[[], str],
    now: str,
) -> tuple[WorkloadChange, ...]:
    """Rejected workloads that are taken in, as what was last observed of them is rejected no more (M2)."""
    rows = {row.name: row for row in stored}
    outcomes = [
        _ingested(observed, rows.get(observed.name), index, new_id=new_id, now=now)
        for observed in sorted(rejected, key=lambda observed: observed.name)
    ]
    return tuple(outcome for outcome in outcomes if isinstance(outcome, WorkloadChange))


def with_admitted(changes: Iterable[WorkloadChange], admitted: Sequence[WorkloadChange]) -> list[WorkloadChange]:
    """All changes, each workload once: one that is taken in is matched again, whatever else became of its row."""
    names = {change.after.name for change in admitted}
    return [*(change for change in changes if change.after.name not in names), *admitted]


def on_top_of(earlier: WorkloadChange | None, change: WorkloadChange) -> WorkloadChange:
    """A change of what an ``earlier`` one of the same run leads to, as one of what is stored.

    A row that the earlier one adds is not there yet, nor are the tools that it brings.
    """
    if earlier is None:
        return change
    tools = change.tools if change.tools is not None else earlier.tools
    if change.tools_partial and change.tools is not None and earlier.tools is not None:
        tools = tuple(one_per_name([*change.tools, *earlier.tools]).values())
    before = change.before if earlier.before is not None else None
    return change.model_copy(update={"before": before, "tools": tools})


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
    """One listed workload: the same identity keeps its relation (L1), another is matched again (L2, M2)."""
    identity = observed.identity or (before.identity if before else None)
    seen = {
        "unidentified_kind": Kind.CONTAINER if identity else observed.unidentified_kind,
        "identity": identity,
        "identity_problem": None if identity else observed.identity_problem or "unknown",
        "endpoint": observed.endpoint,
        "transport": observed.transport,
        "proxy_mode": observed.proxy_mode,
        "status": observed.status,  # whether it runs is its source's word alone (L8)
        "status_reason": observed.tools_problem or observed.status_reason,
        "group": observed.group,
        "virtual_mcp": observed.virtual_mcp,
        "evidence": observed.evidence,
    }
    if before is not None:
        seen["status_reason"] = lasting_text(before.status_reason, seen["status_reason"])
        same = before.identity.key == identity.key if before.identity and identity else before.identity is identity
        if same:
            after = before.model_copy(update=seen)
            partial = observed.tools_partial
            return WorkloadChange(before=before, after=after, tools=observed.tools, tools_partial=partial)
    base = before or Workload(id=new_id(), name=observed.name, identity=None, description="", created_at=now)
    first = base.identity is None
    base = base.model_copy(update=seen)
    cause = Cause.FIRST_MATCH if first else Cause.IDENTITY_CHANGED
    after = _restored(base, observed.relation, index) if first else None
    if identity is None:
        cause = Cause.UNIDENTIFIED
        after = _related(base, None, cause, now)
    elif after is None:
        result = match(identity, index)
        if result.verdict is Relation.REJECTED:
            return Rejection(observed=observed, reason=rejection_reason(identity, result.claimants))
        after = _related(base, _home(result.server), cause, now)
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
    if recorded.identity is not None and (server is None or server.identity.kind is not workload.kind):
        return None
    return _related(workload, _home(server), recorded.cause, recorded.since)


class _Home(NamedTuple):
    """The registry server that a workload is tied to, which may have no row yet."""

    id: str
    name: str


def _home(server: RegistryServer | None) -> _Home | None:
    return _Home(server.id, server.name) if server else None


def _related(workload: Workload, home: _Home | None, cause: Cause, now: str) -> Workload:
    """``workload`` tied to ``home``, or to none. A description of its own is filled in by :func:`finalize`."""
    return workload.model_copy(
        update={
            "registry_server_id": home.id if home else None,
            "registry_server_name": home.name if home else None,
            "relation_cause": cause,
            "relation_changed_at": now,
            "description": None if home else "",
        }
    )


def _relation_change(before: Workload | None, after: Workload, cause: Cause) -> RelationChange | None:
    """What is noted of a relation (L11); of a workload that was autonomous and still is, only a person's decision."""
    if after.identity is None:
        return RelationChange(operation="unidentified", cause=cause, detail=after.identity_problem or "")
    if after.linked:
        return RelationChange(operation="linked", cause=cause, detail=f"to {after.registry_server_name}")
    if before is None or before.identity is None:
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
    after = _related(workload, _home(server), cause, now)
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
    successors = dict(plan.successors)
    for row in plan.removed:
        successor = successors.get(row.id)
        for workload in linked[row.id]:
            if successor is None:
                changes.append(become_autonomous(workload, Cause.REGISTRY_REMOVED, now=now))
            else:
                changes.append(_follow_entry(workload, successor, Cause.REGISTRY_RETAGGED, now))
                notes += _drift_note(workload, row.claimed, successor.entry.identity)
    entries = _by_name(plan.entries)
    for pair in plan.entries:
        for workload in linked[pair.row.id] if pair.row else ():
            chosen = _nearest(workload, pair, entries)
            if chosen is not pair:
                changes.append(_follow_entry(workload, chosen, Cause.REGISTRY_RENAMED, now, left=pair.entry.name))
            elif pair.row and pair.change is Change.RENAMED:
                changes.append(_follow_rename(workload, pair.row.name, pair.entry.name))
            if pair.row:
                notes += _drift_note(workload, pair.row.claimed, chosen.entry.identity)
    for row in plan.reclaimed:
        notes += [note for workload in linked[row.id] for note in _drift_note(workload, row.identity, row.claimed)]
    return tuple(changes), tuple(notes)


def _by_name(pairs: Iterable[EntryPlan]) -> Mapping[tuple[Kind, str], list[EntryPlan]]:
    """The entries whose row's id is known, by kind and name."""
    results: Mapping[tuple[Kind, str], list[EntryPlan]] = defaultdict(list)
    for pair in pairs:
        if pair.row_id:
            results[pair.entry.identity.kind, pair.entry.name].append(pair)
    return results


def _nearest(workload: Workload, pair: EntryPlan, entries: Mapping[tuple[Kind, str], list[EntryPlan]]) -> EntryPlan:
    """Where a workload goes whose row is renamed while the entry of the old name is still there, with another row.

    Names then changed places or came back: it goes to the one that has its own image, else to one of its image's
    repository, else to the entry that has kept the name (C7). All others follow the row (C2).
    """
    if pair.row is None or pair.change is not Change.RENAMED or workload.identity is None:
        return pair
    mine = workload.identity

    def nearness(other: EntryPlan) -> tuple[bool, bool, bool]:
        theirs = other.entry.identity
        return (theirs.key == mine.key, image_or_page(theirs) == image_or_page(mine), other is not pair)

    return max([pair, *entries[mine.kind, pair.row.name]], key=nearness)


def _drift_note(workload: Workload, before: Identity, after: Identity) -> Iterator[tuple[Workload, RelationChange]]:
    """What is noted where the catalog names something else for a workload's entry: drift that came, or went (L11)."""
    if before.key != after.key:
        drifts = workload.identity is None or workload.identity.key != after.key
        operation = "drifted" if drifts else "drift-ended"
        detail = f"the catalog now names {after.raw}"
        yield workload, RelationChange(operation=operation, cause=Cause.REGISTRY_RETAGGED, detail=detail)


def _follow_entry(workload: Workload, pair: EntryPlan, cause: Cause, now: str, *, left: str = "") -> WorkloadChange:
    """A linked workload goes to the row that its entry now has; the entry's name, and so the context, stays (L1).

    What a person linked stays a person's decision (L5). ``left``: what the row is called now that it was linked to.
    """
    by_hand = workload.relation_cause == Cause.LINKED_BY_HAND
    home = _Home(pair.row_id, pair.entry.name)
    after = _related(workload, home, Cause.LINKED_BY_HAND if by_hand else cause, now)
    detail = f"to {pair.entry.name}, which now names {pair.entry.identity.raw}"
    if left:
        detail += f"; what it was linked to is {left} now"
    note = RelationChange(operation="linked", cause=cause, detail=detail)
    return WorkloadChange(before=workload, after=after, relation=note)


def _follow_rename(workload: Workload, old: str, new: str) -> WorkloadChange:
    """A linked workload's context name, and so its tools' embeddings, follow the registry server's new name (C2)."""
    after = workload.model_copy(update={"registry_server_name": new})
    note = RelationChange(operation="context-renamed", cause=Cause.REGISTRY_RENAMED, detail=f"from {old} to {new}")
    return WorkloadChange(before=workload, after=after, relation=note)


def finalize(change: WorkloadChange, tools: Sequence[ToolDefinition], *, embedded: bool) -> Workload:
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

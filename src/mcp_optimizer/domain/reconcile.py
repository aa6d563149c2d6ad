"""What a new version of a catalog means for the stored one (C1-C7). Pure: catalog and store in, plan out.

The plan depends on neither the order of the document nor that of the store, and planning it again after it has been
applied gives a plan that changes nothing (C4).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from mcp_optimizer.domain.identity import parse_image
from mcp_optimizer.domain.models import (
    Alias,
    Catalog,
    CatalogEntry,
    Duplicate,
    Identity,
    IdentityKey,
    ItemProblem,
    Kind,
    RegistryServer,
    Value,
)
from mcp_optimizer.domain.tools.text import tools_digest


class Change(StrEnum):
    """What happens to one stored row, or to one entry. An entry counts once, under the gravest that applies."""

    ADDED = "added"
    RENAMED = "renamed"
    RETAGGED = "retagged"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class EntryPlan(Value):
    """One entry, and the row it is paired with (None: a row is added)."""

    change: Change
    entry: CatalogEntry
    row: RegistryServer | None = None
    new_id: str = ""
    """The id of the row that is added, where one was given out for it."""

    @property
    def row_id(self) -> str:
        """The id of its row; empty where that is not known yet."""
        return self.row.id if self.row else self.new_id


class CatalogPlan(Value):
    """All that an ingestion of a catalog would do. Sorted by name, so equal plans compare equal."""

    entries: tuple[EntryPlan, ...] = ()
    removed: tuple[RegistryServer, ...] = ()
    kept: tuple[RegistryServer, ...] = ()
    """Rows without an entry that stay, as they will be: the catalog was not read whole (C6), a part of their identity
    was there but could not be used (C5), or their entry now shares an identity with another while workloads inherit
    from the row (C4, L1). The last ones have that identity as their claim (C7)."""
    reclaimed: tuple[RegistryServer, ...] = ()
    """Those of them whose claim changes, as they will be."""
    successors: tuple[tuple[str, EntryPlan], ...] = ()
    """Ids of removed rows whose entry is still there but took over the identity, and so the row, of another, now or
    earlier. What is linked to them follows the entry (L1)."""
    claims: tuple[CatalogEntry, ...] = ()
    """Every entry that shares its identity with another, by identity and name (C4)."""
    duplicates: tuple[Duplicate, ...] = ()
    aliases: tuple[Alias, ...] = ()
    """What rows were that are renamed or moved, to be remembered."""
    skipped: tuple[ItemProblem, ...] = ()

    def of(self, change: Change) -> tuple[EntryPlan, ...]:
        """The entries with this change."""
        return tuple(plan for plan in self.entries if plan.change is change)


def rows_after(plan: CatalogPlan) -> list[RegistryServer]:
    """The rows that a plan leads to, as far as matching asks for them."""
    return [
        *plan.kept,
        *(
            RegistryServer(id=pair.row_id, name=pair.entry.name, identity=pair.entry.identity)
            for pair in plan.entries
            if pair.row_id
        ),
    ]


def reconcile(
    catalog: Catalog,
    stored: Sequence[RegistryServer],
    *,
    resolutions: Mapping[IdentityKey, str] | None = None,
    linked_ids: AbstractSet[str] = frozenset(),
    claims: Iterable[CatalogEntry] = (),
    aliases: Iterable[Alias] = (),
    new_id: Callable[[], str] | None = None,
) -> CatalogPlan:
    """Pair the catalog's entries with the stored rows (C1) and say what follows.

    ``resolutions``: the name a person chose for an identity that several claim (M3). ``linked_ids``: rows that
    workloads inherit from; such a row stays while its entry, sharing an identity with another, has none of its own.
    ``claims``: the shared ones recorded so far; what an incomplete catalog does not show of them still stands (C6).
    ``aliases``: what rows were before. ``new_id`` gives the ids of rows to be added, so that links can go there.
    """
    chosen = dict(resolutions or {})
    unread = {item.identity.key for item in catalog.skipped if item.identity is not None}
    entries, waiting = _without_waiting(catalog, stored, chosen)
    claimed = _claims(entries)
    pairs, shared = _paired(claimed, stored, chosen, unread=unread, complete=catalog.complete)
    taken = {pair.row.id for pair in pairs if pair.row is not None}
    removed: list[RegistryServer] = []
    remaining: list[RegistryServer] = []
    for row in sorted((row for row in stored if row.id not in taken), key=_row_order):
        sharing = shared.get(_name_key(row), ())
        if row.identity.key in unread or not catalog.complete or (row.id in linked_ids and sharing):
            remaining.append(_standing_back(row, sharing))
        else:
            removed.append(row)
    sharing_entries = _shared(claimed, () if catalog.complete else claims)
    pairs.sort(key=lambda pair: _place_order(pair.entry))
    if new_id is not None:
        pairs = [pair if pair.row else pair.model_copy(update={"new_id": new_id()}) for pair in pairs]
    before = {row.id: row for row in stored}
    return CatalogPlan(
        entries=tuple(pairs),
        removed=tuple(removed),
        kept=tuple(remaining),
        reclaimed=tuple(row for row in remaining if row.claim != before[row.id].claim),
        successors=tuple(_successors(removed, pairs, aliases)),
        claims=sharing_entries,
        duplicates=duplicates_of(sharing_entries, chosen),
        aliases=tuple(alias for pair in pairs if (alias := _alias(pair))),
        skipped=tuple(sorted([*catalog.skipped, *map(_why_waiting, waiting)], key=lambda i: (i.name, i.reason))),
    )


type _NameKey = tuple[Kind, str]
type _Claims = Mapping[IdentityKey, Mapping[str, CatalogEntry]]
"""Entries by identity, then by name."""


def _name_key(server: RegistryServer | CatalogEntry) -> _NameKey:
    return (server.identity.kind, server.name)


def _without_waiting(
    catalog: Catalog, stored: Iterable[RegistryServer], chosen: Mapping[IdentityKey, str]
) -> tuple[list[CatalogEntry], list[CatalogEntry]]:
    """The entries, apart from those of a catalog not read whole that name what a stored entry has that is not shown.

    What the last whole catalog named stands until a whole one says otherwise (C6, C7). An entry that waits shows
    nothing of its name either, so that others may have to wait for it.
    """
    going, waiting = list(catalog.entries), list[CatalogEntry]()
    holders = {} if catalog.complete else {row.identity.key: row for row in stored if row.claim is None}
    while True:
        names = {_name_key(entry) for entry in going}
        preferred = {entry.identity.key for entry in going if chosen.get(entry.identity.key) == entry.name}
        shown = {key for key, row in holders.items() if _name_key(row) in names or key in preferred}
        held = [entry for entry in going if entry.identity.key in holders.keys() - shown]
        if not held:
            return going, waiting
        waiting += held
        going = [entry for entry in going if entry.identity.key not in holders.keys() - shown]


def _why_waiting(entry: CatalogEntry) -> ItemProblem:
    reason = f"{entry.identity.raw} is that of another entry, which a catalog that was not read whole can't end"
    return ItemProblem(name=entry.name, reason=reason)


def _standing_back(row: RegistryServer, sharing: Sequence[CatalogEntry]) -> RegistryServer:
    """A row that stays, with what the catalog names for its entry where another's row has that (C7)."""
    if not sharing:
        return row
    place = _place(row.identity.key)
    claim = min((entry.identity for entry in sharing), key=lambda found: (_place(found.key) != place, found.key))
    return row if row.claimed.key == claim.key else row.model_copy(update={"claim": claim})


def _paired(
    claims: _Claims,
    stored: Sequence[RegistryServer],
    chosen: Mapping[IdentityKey, str],
    *,
    unread: AbstractSet[IdentityKey],
    complete: bool,
) -> tuple[list[EntryPlan], Mapping[_NameKey, list[CatalogEntry]]]:
    """One entry for each identity with its row (C1, C4), and by name the entries that had to stand back."""
    by_key = {row.identity.key: row for row in stored}
    free = [row for key, row in by_key.items() if key not in claims and key not in unread]
    free_names = {_name_key(row) for row in free}
    pairs: list[EntryPlan] = []
    unpaired: list[CatalogEntry] = []
    shared: dict[_NameKey, list[CatalogEntry]] = defaultdict(list)
    for key, entries in claims.items():
        row = by_key.get(key)
        stored_names = [name for name, entry in entries.items() if _name_key(entry) in free_names]
        entry = entries[_representative(entries, [chosen.get(key, ""), row.name if row else "", *stored_names])]
        for other in entries.values():
            if other is not entry:
                shared[_name_key(other)].append(other)
        if row is not None:
            pairs.append(EntryPlan(change=_change(entry, row), entry=entry, row=row))
        else:
            unpaired.append(entry)
    named = list(_pair_by_name(unpaired, free))
    taken = {row.id for _, row in named if row is not None}
    left = [row for row in free if row.id not in taken and _name_key(row) not in shared]
    moved = _pair_by_repository([entry for entry, row in named if row is None], left) if complete else {}
    for entry, row in named:
        former = moved.get(entry.identity.key)
        change = Change.RETAGGED if row else Change.RENAMED if former else Change.ADDED
        pairs.append(EntryPlan(change=change, entry=entry, row=row or former))
    return pairs, shared


def _successors(
    removed: Iterable[RegistryServer], pairs: Iterable[EntryPlan], aliases: Iterable[Alias]
) -> Iterator[tuple[str, EntryPlan]]:
    """Each removed row with an entry of its kind and name that took another's row, if there is one.

    It may have taken it earlier: when a person chose it (M3), or in a catalog that was not read whole (C6).
    """
    names: dict[str, set[str]] = defaultdict(set)
    for alias in aliases:
        names[alias.registry_server_id].add(alias.name)
    successors: dict[_NameKey, list[EntryPlan]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: _place_order(pair.entry)):
        if pair.row is not None and {pair.row.name, *names[pair.row.id]} - {pair.entry.name}:
            successors[_name_key(pair.entry)].append(pair)
    for row in removed:
        result = successors[_name_key(row)]
        if result:
            yield row.id, result.pop(0) if len(result) > 1 else result[0]


def _shared(claims: _Claims, known: Iterable[CatalogEntry]) -> tuple[CatalogEntry, ...]:
    """Entries that share an identity; of ``known`` ones too those that the catalog does not show elsewhere."""
    seen = {_name_key(entry) for entries in claims.values() for entry in entries.values()}
    by_key = {key: dict(entries) for key, entries in claims.items()}
    for entry in known:
        if _name_key(entry) not in seen:
            by_key.setdefault(entry.identity.key, {}).setdefault(entry.name, entry)
    return tuple(by_key[key][name] for key in sorted(by_key) if len(by_key[key]) > 1 for name in sorted(by_key[key]))


def duplicates_of(claims: Iterable[CatalogEntry], chosen: Mapping[IdentityKey, str]) -> tuple[Duplicate, ...]:
    """The duplicates that shared claims make, each with a person's choice where there is one (C4, M3)."""
    results: dict[IdentityKey, list[CatalogEntry]] = defaultdict(list)
    for entry in claims:
        results[entry.identity.key].append(entry)
    return tuple(
        Duplicate(
            identity=min((entry.identity for entry in results[key]), key=lambda identity: identity.raw),
            names=tuple(sorted(entry.name for entry in results[key])),
            chosen=chosen.get(key),
        )
        for key in sorted(results)
    )


def _alias(pair: EntryPlan) -> Alias | None:
    """What a row was, when its name or its place changes; a new tag of the same image is nothing to remember."""
    row, entry = pair.row, pair.entry
    if row is None or (row.name == entry.name and _place(row.identity.key) == _place(entry.identity.key)):
        return None
    return Alias(registry_server_id=row.id, name=row.name, identity=row.identity)


def new_resolutions(catalog: Catalog, known: Mapping[IdentityKey, str]) -> list[tuple[Identity, str]]:
    """Choices that the catalog's source records and that are not made here yet (M3)."""
    return [(identity, name) for identity, name in catalog.resolutions if identity.key not in known]


def new_aliases(catalog: Catalog, rows: Iterable[RegistryServer], known: Iterable[Alias]) -> list[Alias]:
    """What the catalog's source records of the past of ``rows`` and is not known here yet."""
    ids = {row.identity.key: row.id for row in rows}
    seen = {(alias.registry_server_id, alias.name, alias.identity.key) for alias in known}
    return [
        Alias(registry_server_id=ids[identity.key], name=name, identity=earlier)
        for identity, name, earlier in catalog.aliases
        if identity.key in ids and (ids[identity.key], name, earlier.key) not in seen
    ]


def _claims(entries: Iterable[CatalogEntry]) -> _Claims:
    """Names in order, so that nothing depends on that of the document. What stands twice under one name counts once."""
    claims: dict[IdentityKey, dict[str, list[CatalogEntry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        claims[entry.identity.key][entry.name].append(entry)
    return {
        key: {name: min(same, key=_content) if len(same) > 1 else same[0] for name, same in sorted(claims[key].items())}
        for key in claims
    }


def _representative(entries: Mapping[str, CatalogEntry], preferred: Iterable[str]) -> str:
    """The name that stands for an identity: a person's choice, else a stored name, else the first (C4)."""
    return next((name for name in preferred if name in entries), min(entries))


def _pair_by_name(
    entries: Iterable[CatalogEntry], rows: Iterable[RegistryServer]
) -> Iterable[tuple[CatalogEntry, RegistryServer | None]]:
    """Pair entries with rows of the same kind and name whose identity nothing claims any more (C1).

    One name may stand for several entries: those of the same image repository find each other first.
    """
    free: dict[_NameKey, list[RegistryServer]] = defaultdict(list)
    for row in sorted(rows, key=_row_order):
        free[_name_key(row)].append(row)
    waiting: list[CatalogEntry] = []
    for entry in sorted(entries, key=_place_order):
        candidates = free[_name_key(entry)]
        near = [row for row in candidates if _place(row.identity.key) == _place(entry.identity.key)]
        if near:
            candidates.remove(near[0])
            yield entry, near[0]
        else:
            waiting.append(entry)
    for entry in waiting:
        candidates = free[_name_key(entry)]
        yield entry, candidates.pop(0) if candidates else None


def _pair_by_repository(
    entries: Iterable[CatalogEntry], rows: Iterable[RegistryServer]
) -> dict[IdentityKey, RegistryServer]:
    """Rows by the identity of the entry they become: of one image repository, with another name and another tag.

    Only where one entry is left and one row: what is left of several can't be told apart.
    """
    new: dict[str, list[CatalogEntry]] = defaultdict(list)
    old: dict[str, list[RegistryServer]] = defaultdict(list)
    for entry in entries:
        if entry.identity.kind is Kind.CONTAINER:
            new[_place(entry.identity.key)].append(entry)
    for row in rows:
        if row.identity.kind is Kind.CONTAINER:
            old[_place(row.identity.key)].append(row)
    return {new[place][0].identity.key: old[place][0] for place in new if len(new[place]) == len(old[place]) == 1}


def _place(key: IdentityKey) -> str:
    """What stays when an entry is re-tagged: the image repository, or the URL without its query."""
    kind, canonical = key
    return parse_image(canonical).full_repository if kind is Kind.CONTAINER else canonical.partition("?")[0]


def image_or_page(identity: Identity) -> str:
    """What two tags of one image have in common, or two queries of one URL."""
    return _place(identity.key)


def _change(entry: CatalogEntry, row: RegistryServer) -> Change:
    if entry.name != row.name:
        return Change.RENAMED
    if row.claim is not None:
        return Change.RETAGGED
    return Change.UNCHANGED if same_content(entry, row) else Change.UPDATED


def same_content(entry: CatalogEntry, row: RegistryServer) -> bool:
    """Whether the row, its tools and its embedding are what the entry asks for."""
    same_fields = row.claim is None and all(getattr(entry, field) == getattr(row, field) for field in CONTENT_FIELDS)
    return same_fields and bool(row.text_hash) and tools_digest(entry.name, entry.tools) == row.tools_digest


CONTENT_FIELDS = ("identity", "transport", "description", "title", "tags", "tier", "repository", "group", "status")


def _content(entry: CatalogEntry) -> str:
    """All of an entry as one text, to tell two apart that have name and identity in common."""
    return json.dumps(entry.model_dump(), sort_keys=True)


def _place_order(entry: CatalogEntry) -> tuple[str, ...]:
    return (entry.name, *entry.identity.key)


def _row_order(row: RegistryServer) -> tuple[str, ...]:
    return (row.name, *row.identity.key)

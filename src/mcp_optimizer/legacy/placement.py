"""What the rows of a predecessor's database mean: the values that an ingestion would get, and what has no place.

Pure. What comes out goes through the same planners as any catalog and listing, so the same rules hold of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mcp_optimizer.db.logs.quarantine import Quarantined
from mcp_optimizer.domain.identity import IdentityError
from mcp_optimizer.domain.models import (
    Catalog,
    CatalogEntry,
    Cause,
    Identity,
    IdentityKey,
    ItemProblem,
    ObservedWorkload,
    RecordedRelation,
    ToolDefinition,
    WorkloadListing,
)
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.legacy import OldDatabase, OldRow, Shape
from mcp_optimizer.legacy.old_descriptions import OldDescription, take_apart
from mcp_optimizer.legacy.old_values import ToolError, as_catalogs_say, flag, identity_in, quarantined, tool_in
from mcp_optimizer.sources.json_values import label_of, reason_of, text_of
from mcp_optimizer.sources.toolhive.workload_items import endpoint_of

type EntryKey = tuple[IdentityKey, str]
"""What tells one entry of a catalog from another: identity and name."""

_SOURCE = "older database"
_DEFAULT_GROUP = "default"
_SERVERS_OF = {
    "tool": "mcpserver",
    "tools_registry": "mcpservers_registry",
    "tools_workload": "mcpservers_workload",
}


def key_of(entry: CatalogEntry) -> EntryKey:
    """An entry's key."""
    return entry.identity.key, entry.name


@dataclass(frozen=True)
class OldServer:
    """A row of a server that has a place, and its tools with the rows they come from."""

    row: OldRow
    tools: tuple[tuple[ToolDefinition, OldRow], ...] = ()


@dataclass
class Placement:
    """Where every row goes. ``entries`` and ``workloads`` lead back from what is placed to the rows."""

    shape: Shape
    entries: dict[EntryKey, tuple[CatalogEntry, OldServer]] = field(default_factory=dict)
    workloads: dict[str, tuple[ObservedWorkload, OldServer]] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    """What workloads were described by, for those that have no registry server to describe them."""
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: list[ItemProblem] = field(default_factory=list)

    @property
    def catalog(self) -> Catalog:
        """The registry half."""
        return Catalog(source=_SOURCE, entries=tuple(entry for entry, _ in self.entries.values()))

    @property
    def listing(self) -> WorkloadListing:
        """The workload half."""
        return WorkloadListing(source=_SOURCE, workloads=tuple(observed for observed, _ in self.workloads.values()))


def place(old: OldDatabase, *, now: str, sealer: Sealer) -> Placement:
    """Find a place for every row of ``old``; what has none is in ``quarantined``, with the reason."""
    placing = _Placing(old, now, sealer)
    placing.registry()
    placing.workloads()
    placing.lost_tools()
    return placing.result


class _Placing:
    def __init__(self, old: OldDatabase, now: str, sealer: Sealer) -> None:
        self._sealer = sealer
        self.result = Placement(old.shape)
        self._old = old
        self._now = now
        self._tools = self._tools_by_server()
        self._entries_by_row: dict[str, CatalogEntry] = {}
        self._placed: set[tuple[str, str]] = set()
        self._given: set[tuple[bool, str, str]] = set()

    def _tools_by_server(self) -> Mapping[tuple[str, str], list[tuple[ToolDefinition, OldRow]]]:
        """Usable tools by table and id of their server; of one name the first counts (S2)."""
        servers = {(row.table, row.id) for row in self._old.servers}
        results: dict[tuple[str, str], dict[str, tuple[ToolDefinition, OldRow]]] = defaultdict(dict)
        for row in self._old.tools:
            server = (_SERVERS_OF[row.table], str(row.columns.get("mcpserver_id")))
            try:
                tool = tool_in(row)
            except ToolError as error:
                self._refuse(row, error)
                continue
            if server not in servers:
                self._refuse(row, "its server is not in the database")
            elif tool.name in results[server]:
                self._refuse(row, f"its server has another tool named {label_of(tool.name)}")
            else:
                results[server][tool.name] = (tool, row)
        return {server: list(tools.values()) for server, tools in results.items()}

    def registry(self) -> None:
        """Registry servers, by identity and name."""
        for row in self._rows(registry=True):
            name, identity = self._name(row), self._identity(row)
            if not name or identity is None:
                continue
            if (identity.key, name) in self.result.entries:
                self._refuse(row, f"another row has the name {label_of(name)} and this identity")
                continue
            tools = tuple((as_catalogs_say(tool), source) for tool, source in self._taken(row, registry=True))
            text = _described(row, name)
            group = text_of(row.columns.get("group"))
            entry = CatalogEntry(
                name=name,
                identity=identity,
                transport=text_of(row.columns.get("transport")),
                description=text.description,
                tags=text.tags,
                group="" if group == _DEFAULT_GROUP else group,  # every row had it
                tools=tuple(tool for tool, _ in tools),
            )
            self.result.entries[identity.key, name] = (entry, OldServer(row, tools))
            self._entries_by_row.setdefault(row.id, entry)

    def workloads(self) -> None:
        """Workloads, by name."""
        for row in self._rows(registry=False):
            name, identity = self._name(row), self._identity(row)
            if not name or identity is None:
                continue
            if name in self.result.workloads:
                self._refuse(row, f"another workload has the name {label_of(name)}")
                continue
            tools = tuple(self._taken(row, registry=False))
            endpoint = endpoint_of(row.columns.get("url"))
            observed = ObservedWorkload(
                name=name,
                identity=identity,
                endpoint=endpoint and self._sealer.url(endpoint),
                transport=text_of(row.columns.get("transport")),
                status=text_of(row.columns.get("status")) or "unknown",
                group=text_of(row.columns.get("group")),
                virtual_mcp=flag(row.columns.get("virtual_mcp")) is True,
                relation=self._relation(row, name, identity),
                tools=tuple(tool for tool, _ in tools),
            )
            self.result.workloads[name] = (observed, OldServer(row, tools))
            self.result.descriptions[name] = _described(row, name).description

    def lost_tools(self) -> None:
        """Tools of servers that have no place have none either; they are kept beside them."""
        for server, tools in sorted(self._tools.items()):
            if server not in self._placed:
                for _, row in tools:
                    self._refuse(row, "its server could not be placed")

    def _rows(self, *, registry: bool) -> Iterable[OldRow]:
        """The rows of one half. In the unified shape a row may be of both (it is what runs of what the catalog has)."""
        for row in self._old.servers:
            if row.table != "mcpserver":
                target = row.table == ("mcpservers_registry" if registry else "mcpservers_workload")
            else:
                status = text_of(row.columns.get("status"))
                listed = flag(row.columns.get("from_registry")) is True or status == "registry"
                target = listed if registry else status != "registry" and bool(status or not listed)
            if target:
                yield row

    def _relation(self, row: OldRow, name: str, identity: Identity) -> RecordedRelation | None:
        """The relation that the row records; None: it records none, and the workload is matched as if it were new."""
        if "registry_server_id" not in row.columns:
            return None
        target = row.columns["registry_server_id"]
        if target is None:
            return RecordedRelation(identity=None, cause=Cause.OLDER_DATABASE, since=self._now)
        entry = self._entries_by_row.get(str(target))
        if entry is not None and entry.identity.kind is identity.kind:
            return RecordedRelation(identity=entry.identity, cause=Cause.OLDER_DATABASE, since=self._now)
        named = label_of(text_of(row.columns.get("registry_server_name"))) or "a registry server"
        if entry is not None:
            self._note(name, f"was linked to {named}, which is of the other kind; it is autonomous now")
            return RecordedRelation(identity=None, cause=Cause.OLDER_DATABASE, since=self._now)
        self._note(name, f"was linked to {named}, which is not there or has no place; it is autonomous now")
        return RecordedRelation(identity=None, cause=Cause.REGISTRY_REMOVED, since=self._now)

    def _name(self, row: OldRow) -> str:
        name = text_of(row.columns.get("name"))
        if not name:
            self._refuse(row, "it has no name")
        return name

    def _identity(self, row: OldRow) -> Identity | None:
        try:
            return self._sealer.identity(identity_in(row, self._old.shape))
        except IdentityError as error:
            self._refuse(row, error)
            return None

    def _taken(self, row: OldRow, *, registry: bool) -> list[tuple[ToolDefinition, OldRow]]:
        """The tools of a row that has found a place; of several rows with one id, the first has them."""
        if (registry, row.table, row.id) in self._given:
            return []
        self._given.add((registry, row.table, row.id))
        self._placed.add((row.table, row.id))
        return self._tools.get((row.table, row.id), [])

    def _refuse(self, row: OldRow, reason: object) -> None:
        refused = quarantined(row, reason)
        if refused not in self.result.quarantined:  # both halves of one row may be refused for one reason
            self.result.quarantined.append(refused)

    def _note(self, name: str, reason: str) -> None:
        self.result.notes.append(ItemProblem(name=name, reason=reason_of(reason)))


def _described(row: OldRow, name: str) -> OldDescription:
    """The row's description in parts; it may speak of the registry server that it was copied from."""
    stored = row.columns.get("description")
    context = text_of(row.columns.get("registry_server_name"))
    names = tuple(text for text in (name, context) if text)
    return take_apart(text_of(stored), names)

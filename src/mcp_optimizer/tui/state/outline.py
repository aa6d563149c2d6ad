"""Relationships as an outline of lines, only those that are open. Pure: nothing is built for what is closed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.views import RegistryServerView, WorkloadView
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer, Sort
from mcp_optimizer.tui.format.filter import Filter
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import relation_cell, relation_word, status_cell


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the outline: a group, a registry server or a workload, known by where it stands."""

    key: str
    label: str
    depth: int
    children: int = 0
    open: bool = False
    server: RegistryServerView | None = None
    workload: WorkloadView | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group at the top of the outline."""

    id: str
    label: str
    hint: str
    workloads: tuple[WorkloadView, ...] = ()
    servers: tuple[RegistryServerView, ...] = ()


@dataclass(frozen=True)
class Relationships:
    """Registry servers and workloads, put into groups once per refresh."""

    groups: tuple[Group, ...]
    by_server: dict[str, list[WorkloadView]] = field(default_factory=dict)

    @classmethod
    def of(cls, servers: Sequence[RegistryServerView], workloads: Sequence[WorkloadView]) -> "Relationships":
        """What inherits from what, and what from nothing."""
        by_server: dict[str, list[WorkloadView]] = defaultdict(list)
        by_word: dict[str, list[WorkloadView]] = defaultdict(list)
        for workload in workloads:
            by_word[relation_word(workload)].append(workload)
            if workload.relation is Relation.LINKED and workload.registry_server is not None:
                by_server[workload.registry_server].append(workload)
        groups = (
            _group("rejected", "Rejected", "the catalog names the identity several times", by_word["rejected"]),
            _group("unidentified", "Unidentified", "what they are can't be told", by_word["unidentified"]),
            _group("drifted", "Drifted", "linked, but running something else", by_word["drifted"]),
            _group("linkable", "Linkable", "autonomous; the catalog has the identity now", by_word["linkable"]),
            _group("autonomous", "Autonomous", "no registry server has the identity", by_word["autonomous"]),
            _servers("linked", "Registry servers with workloads", "", (s for s in servers if s.name in by_server)),
            _servers(
                "duplicates",
                "Duplicates",
                "one identity, several entries",
                (s for s in servers if s.duplicates and not s.chosen),
            ),
            _servers(
                "unused", "Registry servers without workloads", "", (s for s in servers if s.name not in by_server)
            ),
        )
        return cls(tuple(group for group in groups if group.workloads or group.servers), dict(by_server))

    def under(self, line: Line) -> Sequence[WorkloadView]:
        """The workloads that a line stands for: itself, those of the server, or those of the group."""
        if line.workload is not None:
            return (line.workload,)
        if line.server is not None:
            return self.by_server.get(line.server.name, ())
        group = next(group for group in self.groups if group.id == line.key)
        return (*group.workloads, *(w for server in group.servers for w in self.by_server.get(server.name, ())))

    def place(self, name: str, *, workload: bool) -> tuple[str, ...] | None:
        """Keys of the lines from the top to a workload or registry server, where it is most at home."""
        for group in self.groups:
            for server in group.servers:
                if group.id != "duplicates" and not workload and server.name == name:
                    return (group.id, f"{group.id}/{name}")
                if workload and any(w.name == name for w in self.by_server.get(server.name, ())):
                    return (group.id, f"{group.id}/{server.name}", f"{group.id}/{server.name}/{name}")
        for group in self.groups:
            if workload and any(w.name == name for w in group.workloads):
                return (group.id, f"{group.id}/{name}")
        return None

    def lines(
        self, opened: set[str], wanted: Filter, renderer: Renderer[WorkloadView], sort: Sort | None = None
    ) -> list[Line]:
        """The lines to show: those under open ones, or with a filter all that answer it and what they stand under.

        Groups stay in their order; what stands under the same line is sorted.
        """
        view = _View(self, opened, wanted, renderer, sort)
        return [line for group in self.groups for line in view.of_group(group)]


@dataclass(frozen=True)
class _View:
    """One way to look at the relationships."""

    relationships: Relationships
    opened: set[str]
    wanted: Filter
    renderer: Renderer[WorkloadView]
    sort: Sort | None

    def of_group(self, group: Group) -> Iterator[Line]:
        """A group, and what is open under it."""
        children = len(group.workloads) + len(group.servers)
        is_open = bool(self.wanted) or group.id in self.opened
        head = Line(group.id, group.label, 0, children, is_open, hint=group.hint)
        if not is_open:
            yield head
            return
        workloads = self._of_workloads(group.id, group.workloads, 1)
        servers = {line.key: (line, under) for s in group.servers for line, under in self._of_server(group, s)}
        if workloads or servers or not self.wanted:
            yield head
            yield from workloads
            for line in self._sorted(line for line, _ in servers.values()):
                yield line
                yield from servers[line.key][1]

    def _of_server(self, group: Group, server: RegistryServerView) -> Iterator[tuple[Line, list[Line]]]:
        """A registry server and its workloads, unless the filter lets neither through."""
        key = f"{group.id}/{server.name}"
        linked = self.relationships.by_server.get(server.name, [])
        target = self.wanted
        itself = not target or target.passes(f"{server.name}\n{server.identity}".casefold(), lambda _: "")
        answering = linked if itself else [workload for workload in linked if self._answers(workload)]
        if itself or answering:
            is_open = bool(target and answering) or key in self.opened
            under = self._lines_of(key, answering, 2) if is_open else []
            yield Line(key, server.name, 1, len(linked), is_open, server=server), under

    def _of_workloads(self, key: str, workloads: Iterable[WorkloadView], depth: int) -> list[Line]:
        return self._lines_of(key, filter(self._answers, workloads), depth)

    def _lines_of(self, key: str, workloads: Iterable[WorkloadView], depth: int) -> list[Line]:
        return self._sorted(Line(f"{key}/{w.name}", w.name, depth, workload=w) for w in workloads)

    def _sorted(self, lines: Iterable[Line]) -> list[Line]:
        return _RENDERER.sorted(lines, self.sort) if self.sort else list(lines)

    def _answers(self, workload: WorkloadView) -> bool:
        if not self.wanted:
            return True
        field_text = self.renderer.field_text
        return self.wanted.passes(self.renderer.haystack(workload), lambda name: field_text(workload, name).casefold())


def _group(group_id: str, label: str, hint: str, workloads: Iterable[WorkloadView]) -> Group:
    return Group(group_id, label, hint, workloads=tuple(workloads))


def _servers(group_id: str, label: str, hint: str, servers: Iterable[RegistryServerView]) -> Group:
    return Group(group_id, label, hint, servers=tuple(servers))


def opened_at_first(relationships: Relationships, limit: int = 200) -> set[str]:
    """What is open before a person has opened anything: all but the long and the dull."""
    opened = {group.id for group in relationships.groups if group.id != "unused"}
    if sum(len(workloads) for workloads in relationships.by_server.values()) <= limit:
        opened |= {f"linked/{name}" for name in relationships.by_server}
    return opened


def outline_renderer() -> Renderer[Line]:
    """Columns of the outline."""
    return Renderer(
        name="relationships",
        columns=(
            Column("label", "Relationship", _label, 0, 60, fill=1, minimum=20),
            Column("state", "Relation", _state, 1, 14),
            Column("status", "Status", _status, 2, 13),
        ),
        key=lambda line: line.key,
        subject=lambda line: line.workload.name if line.workload else "",
        arranged=True,
        one_of_all=lambda line: line.workload is not None,
    )


def _label(line: Line) -> Cell:
    arrow = ("▾ " if line.open else "▸ ") if line.children else "  "
    if line.depth == 0:
        return Cell(f"{arrow}{line.label} ({line.children})", Tone.STRONG)
    return Cell(f"{'  ' * line.depth}{arrow}{line.label}", Tone.PLAIN if line.workload else Tone.ACCENT)


def _state(line: Line) -> Cell:
    if line.workload is not None:
        return relation_cell(relation_word(line.workload))
    if line.server is not None and line.server.duplicates and not line.server.chosen:
        return Cell(f"! {1 + len(line.server.duplicates)} names", Tone.WARN)
    if line.server is not None and line.children:
        return Cell(f"{line.children} linked", Tone.MUTED)
    return Cell("")


def _status(line: Line) -> Cell:
    return status_cell(line.workload.status) if line.workload else Cell("")


_RENDERER = outline_renderer()

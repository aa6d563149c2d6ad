"""Registry servers in a list."""

from mcp_optimizer.domain.views import RegistryServerView
from mcp_optimizer.tui.format.ages import Clock, age, count
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone


def registry_renderer(clock: Clock) -> Renderer[RegistryServerView]:
    """Columns of the Registry area."""
    return Renderer(
        name="registry servers",
        columns=(
            Column("name", "Name", _name, 0, 40, fill=2, minimum=18),
            Column("linked", "Linked", _linked, 1, 6, right=True, order=lambda s: s.workloads),
            Column("tools", "Tools", lambda s: _number(s.tools), 2, 6, right=True, order=lambda s: s.tools),
            Column("duplicates", "Dup", _duplicates, 3, 5, right=True, order=lambda s: len(s.duplicates)),
            Column("identity", "Identity", lambda s: Cell(s.identity), 4, fill=3, minimum=22, middle=True),
            Column("kind", "Kind", lambda s: Cell(s.kind, Tone.MUTED), 5, 9),
            Column(
                "updated",
                "Upd",
                lambda s: Cell(age(s.updated_at, clock), Tone.MUTED),
                6,
                4,
                order=lambda s: s.updated_at,
            ),
            Column("transport", "Transport", lambda s: Cell(s.transport, Tone.MUTED), 7, 15),
        ),
        key=lambda s: s.id or s.name,
        fields={
            "group": lambda s: s.group,
            "description": lambda s: s.description,
            "is": _flags,
            "id": lambda s: s.id,
        },
        text=lambda s: f"{s.title}\n{s.description}",
    )


def _name(server: RegistryServerView) -> Cell:
    return Cell(f"{server.name} ({server.status})", Tone.WARN) if server.status else Cell(server.name, Tone.STRONG)


def _linked(server: RegistryServerView) -> Cell:
    return Cell(str(server.workloads), Tone.GOOD) if server.workloads else Cell("·", Tone.MUTED)


def _duplicates(server: RegistryServerView) -> Cell:
    if not server.duplicates:
        return Cell("")
    number = len(server.duplicates)
    return Cell(f"✓{number}", Tone.MUTED) if server.chosen else Cell(f"!{number}", Tone.WARN)


def _number(number: int) -> Cell:
    return Cell(count(number)) if number else Cell("·", Tone.MUTED)


def _flags(server: RegistryServerView) -> str:
    flags = ["linked" if server.workloads else "unused"]
    if server.duplicates:
        flags.append("resolved" if server.chosen else "duplicate")
    return " ".join([*flags, server.status] if server.status else flags)

"""The command palette: every action, every area, every theme by name, and lists with a filter: ``wl github``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult

from mcp_optimizer.tui.actions import Area, Keymap, full_id, key_words
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.line_input import LineInput, ListInput
from mcp_optimizer.tui.widgets.table import Table

_PREFIXES: dict[str, Area] = {
    "wl": Area.WORKLOADS,
    "workloads": Area.WORKLOADS,
    "reg": Area.REGISTRY,
    "registry": Area.REGISTRY,
    "rel": Area.RELATIONSHIPS,
    "relationships": Area.RELATIONSHIPS,
    "find": Area.SEARCH,
    "search": Area.SEARCH,
    "log": Area.ACTIVITY,
    "activity": Area.ACTIVITY,
}


_NO_COMMANDS = frozenset({"palette", "down", "up", "top", "bottom", "page_down", "page_up"})


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the palette. ``run`` is an action by its full id, ``theme:NAME`` or ``open:AREA:FILTER``."""

    run: str
    label: str
    keys: str = ""


def commands(keymap: Keymap, area: Area, themes: Iterable[str]) -> list[Command]:
    """Everything that can be run by name in an area; what can be done elsewhere leads there."""
    actions = [
        Command(full_id(action), action.help, " ".join(key_words(key) for key in action.keys[:2]))
        for action in keymap.in_area(area)
        if action.id not in _NO_COMMANDS
    ]
    elsewhere = [
        Command(f"area.{there.value}", f"{action.help} (in {there.label})")
        for action in keymap.actions
        if area not in action.areas
        for there in Area
        if there in action.areas
    ]
    return actions + elsewhere + [Command(f"theme:{name}", f"Theme: {name}") for name in sorted(themes)]


def with_text(text: str) -> Command | None:
    """``wl github`` and the like: a list with a filter, or a search."""
    word, space, rest = text.strip().partition(" ")
    area = _PREFIXES.get(word.casefold())
    if area is None:
        return None
    verb = "Search for" if area is Area.SEARCH else f"{area.label}, filtered for"
    label = f"{verb} {rest.strip()}" if space else f"Go to {area.label}"
    return Command(f"open:{area.value}:{rest.strip()}", label)


class PaletteDialog(Dialog[str]):
    """Type, choose, run."""

    heading = "Commands"
    hints = (
        Hint("↵", "run", "dialog:jump"),
        Hint("↑↓", "choose"),
        Hint("esc", "close"),
        Hint("", "wl TEXT · reg TEXT · find TEXT"),
    )

    def __init__(self, context: Context, choices: Sequence[Command]) -> None:
        super().__init__(context)
        self._commands = tuple(choices)

    def body(self) -> ComposeResult:
        """A field and what it finds."""
        yield ListInput(placeholder="a command", still=self.context.still)
        yield Table(_renderer())

    @property
    def table(self) -> Table[Command]:
        """What was found."""
        return self.query_one(Table)

    def on_mount(self) -> None:
        """Show all."""
        self.table.put(self._commands)
        self.table.say([("No such command.", Tone.MUTED)])
        self.query_one(LineInput).focus()

    @on(LineInput.Changed)
    def _typed(self, event: LineInput.Changed) -> None:
        special = with_text(event.value)
        words = event.value.split()
        results = [c for c in self._commands if _matches(words, f"{c.label} {c.run}".casefold().__contains__)]
        self.table.put([special, *results] if special else results)
        self.table.do_top()

    @on(LineInput.Left)
    def _left(self, event: LineInput.Left) -> None:
        if event.given_up:
            self.dismiss(None)
        else:
            self.do_jump()

    @on(Table.Activated)
    def do_jump(self) -> None:
        """Run what is under the cursor."""
        command = self.table.rows.cursor_row
        if command is not None:
            self.dismiss(command.run)

    def action_step(self, by: int) -> None:
        """The next or the previous command, while the field has the focus."""
        (self.table.do_down if by > 0 else self.table.do_up)()


def _matches(words: Sequence[str], contains: Callable[[str], bool]) -> bool:
    return all(contains(word.casefold()) for word in words)


def _renderer() -> Renderer[Command]:
    return Renderer(
        name="commands",
        columns=(
            Column("label", "Command", lambda c: Cell(c.label), 0, fill=1, minimum=20),
            Column("keys", "Keys", lambda c: Cell(c.keys, Tone.ACCENT), 0, 12, right=True),
        ),
        key=lambda c: f"{c.run} {c.label}",
    )

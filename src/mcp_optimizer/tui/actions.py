"""The one list of what can be done. Bindings, footer, help, palette and read-only mode are all made from it."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from textual.keys import Keys

from mcp_optimizer.errors import OptimizerError


class Area(StrEnum):
    """The six areas, in the order of their keys."""

    OVERVIEW = "overview"
    REGISTRY = "registry"
    WORKLOADS = "workloads"
    RELATIONSHIPS = "relationships"
    SEARCH = "search"
    ACTIVITY = "activity"

    @property
    def number(self) -> int:
        """Its key."""
        return list(Area).index(self) + 1

    @property
    def label(self) -> str:
        """Its name on screen."""
        return self.value.capitalize()


EVERYWHERE = frozenset(Area)
LISTS = frozenset({Area.REGISTRY, Area.WORKLOADS, Area.RELATIONSHIPS, Area.SEARCH, Area.ACTIVITY})
SERVERS = frozenset({Area.REGISTRY, Area.WORKLOADS, Area.RELATIONSHIPS, Area.SEARCH})
DELETABLE = frozenset({Area.REGISTRY, Area.WORKLOADS})
RELATED = frozenset({Area.WORKLOADS, Area.RELATIONSHIPS})
CLAIMED = RELATED | {Area.REGISTRY}
OUTLINE = frozenset({Area.RELATIONSHIPS})
FINDING = frozenset({Area.SEARCH})
LOG = frozenset({Area.ACTIVITY})


class KeyClashError(OptimizerError):
    """Two actions that can be reached at once want the same key, or there is no such action or key.

    ``action``: the id that the configuration file gives a key to.
    """

    def __init__(self, message: str, *, remedy: str, action: str) -> None:
        super().__init__(message, remedy=remedy)
        self.action = action


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done. ``id`` names the method ``do_<id>`` of the widget, area or app that does it."""

    id: str
    keys: tuple[str, ...]
    label: str
    """One or two words for the footer."""
    help: str
    """A line for the help screen and the palette."""
    section: str
    areas: frozenset[Area] = EVERYWHERE
    dangerous: bool = False
    """It changes what is stored: not there at all in read-only mode."""
    footer: int = 0
    """Place in the footer; 0: not in it. Low numbers stay longest when there is little room."""
    argument: str | None = None


def _area_action(area: Area) -> Action:
    return Action("area", (str(area.number),), area.label, f"Go to {area.label}", "Areas", argument=area.value)


ACTIONS: tuple[Action, ...] = (
    *(_area_action(area) for area in Area),
    Action("down", ("down", "j"), "Down", "Next row", "Move"),
    Action("up", ("up", "k"), "Up", "Previous row", "Move"),
    Action("top", ("home", "g"), "Top", "First row", "Move"),
    Action("bottom", ("end", "G"), "Bottom", "Last row", "Move"),
    Action("page_down", ("ctrl+d", "pagedown"), "Page down", "Half a page down", "Move"),
    Action("page_up", ("ctrl+u", "pageup"), "Page up", "Half a page up", "Move"),
    Action("expand", ("right", "l"), "Open", "Open what is under it", "Move", OUTLINE, footer=3),
    Action("collapse", ("left", "h"), "Close", "Close it, or go up", "Move", OUTLINE),
    Action("jump", ("enter", "r"), "Go to", "Workload ⇄ registry server", "Move", footer=2),
    Action("back", ("escape", "backspace"), "Back", "Back; stop an ingestion", "Move"),
    Action("explain", ("e",), "Explain", "Why linked, or why not", "Look", SERVERS, footer=3),
    Action("nearest", ("n",), "Nearest", "To the nearest miss", "Look", OUTLINE, footer=4),
    Action("filter", ("slash",), "Filter", "Filter as you type", "Look", LISTS, footer=1),
    Action("sort", ("s",), "Sort", "Sort by the next column", "Look", LISTS, footer=7),
    Action("sort_reverse", ("S",), "Reverse", "Reverse sort", "Look", LISTS),
    Action("scope", ("o", "f2"), "Scope", "Workloads, registry, both", "Look", FINDING, footer=4),
    Action("status", ("t", "f3"), "Status", "Running ones, or any", "Look", FINDING, footer=5),
    Action("group", ("u", "f4"), "Group", "One group, or any", "Look", FINDING, footer=6),
    Action("plain", ("f5",), "Plain", "Without what was learned", "Look", FINDING),
    Action("why", ("w",), "Why not", "Why a tool is not found", "Look", FINDING, footer=3),
    Action("pane", ("p", "right"), "Next list", "Next list; tab too", "Look", LOG, footer=3),
    Action("pane_back", ("P", "left"), "Previous list", "Previous list", "Look", LOG),
    Action("ask", ("a",), "In Search", "Ask a query in Search", "Look", LOG, footer=4),
    Action("level", ("V",), "Level", "Minimum level of the log", "Look", LOG, footer=5),
    Action("check", ("C",), "Check", "Check integrity", "Look", LOG),
    Action("detail", ("z",), "Detail", "Detail alone, or beside", "Look", LISTS, footer=8),
    Action("mark", ("space",), "Mark", "Mark, to act on several", "Do", CLAIMED, footer=5),
    Action("mark_all", ("asterisk",), "Mark all", "Mark all that is shown", "Do", CLAIMED),
    Action("copy", ("y",), "Copy", "Copy name, identity, JSON", "Do", footer=7),
    Action("json", ("J",), "JSON", "The whole row as JSON", "Do", footer=9),
    Action("export", ("x",), "Export", "Export list or detail", "Do", footer=9),
    Action("snapshot", ("X",), "Snapshot", "A snapshot file for others", "Do"),
    Action("backup", ("B",), "Back up", "Verified backup", "Do", LOG),
    Action("reindex", ("N",), "Reindex", "Rebuild search index", "Do", LOG, dangerous=True),
    Action("ingest", ("i",), "Ingest", "Ingest from ToolHive, files", "Do", dangerous=True, footer=4),
    Action("delete", ("d",), "Delete", "Delete, after a dry run", "Do", DELETABLE, True, 5),
    Action("demo", ("D",), "Demo", "Look at sample data instead", "Do", frozenset({Area.OVERVIEW})),
    Action("report", ("I",), "Report", "Report of last ingestion", "Do"),
    Action("rematch", ("m",), "Re-match", "Match again", "Relate", RELATED, True, 6),
    Action("rematch_all", ("M",), "Re-match all", "Match all workloads again", "Relate", CLAIMED, True),
    Action("link", ("L",), "Link", "Link by hand", "Relate", RELATED, True, 6),
    Action("unlink", ("U",), "Unlink", "Unlink by hand", "Relate", RELATED, True, 6),
    Action("resolve", ("v",), "Resolve", "Choose among duplicates", "Relate", CLAIMED, True, 6),
    Action("accept", ("A",), "Accept", "Accept changed tools", "Relate", RELATED, True),
    Action("reload", ("R", "ctrl+r"), "Refresh", "Refresh", "Program"),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "Commands",
        "All commands by name",
        "Program",
        footer=10,
    ),
    Action("theme", ("T",), "Theme", "Next theme", "Program"),
    Action("suspend", ("ctrl+z",), "Suspend", "Suspend; fg comes back", "Program"),
    Action("help", ("question_mark",), "Help", "Help", "Program", footer=1),
    Action("quit", ("q", "ctrl+q"), "Quit", "Quit", "Program", footer=11),
)

_MODIFIERS = frozenset({"ctrl", "shift", "alt", "meta", "super", "hyper"})
_DISPLAY = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "asterisk": "*",
    "escape": "esc",
    "enter": "↵",
    "space": "space",
    "backspace": "⌫",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
}


def key_words(key: str) -> str:
    """A key as it is shown."""
    return _DISPLAY.get(key) or key.replace("ctrl+", "^")


class Keymap:
    """Which key does what, where. Read-only: dangerous actions are in none of it."""

    def __init__(
        self,
        actions: Iterable[Action] = ACTIONS,
        *,
        read_only: bool = False,
        keys: Mapping[str, Sequence[str] | str] | None = None,
    ) -> None:
        self._check(actions := tuple(actions), keys or {})
        known = [action for action in actions if not (read_only and action.dangerous)]
        self.actions = tuple(_rebound(action, keys or {}) for action in known)
        self._by_key: dict[str, list[Action]] = {}
        for action in self.actions:
            for key in action.keys:
                self._take(key, action)

    @staticmethod
    def _check(actions: Sequence[Action], keys: Mapping[str, Sequence[str] | str]) -> None:
        """Rebinding what there is not is an error too."""
        known = {full_id(action) for action in actions}
        for unknown in sorted(set(keys) - known):
            near = difflib.get_close_matches(unknown, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            message = f"there is no action {unknown!r} to give a key to"
            raise KeyClashError(message, remedy=f"{hint}docs/keys.md names every action", action=unknown)
        for action_id, names in keys.items():
            for name in _names(names):
                if not is_key(name):
                    remedy = "keys are named like x, X, ctrl+d, f2, question_mark"
                    raise KeyClashError(
                        f"{name!r} for {action_id} is not the name of a key", remedy=remedy, action=action_id
                    )

    def _take(self, key: str, action: Action) -> None:
        holders = self._by_key.setdefault(key, [])
        for holder in holders:
            if holder.areas & action.areas:
                raise KeyClashError(
                    f"key {key!r} is wanted by both {full_id(holder)!r} and {full_id(action)!r}",
                    remedy="change one of them under [keys] in the configuration file",
                    action=full_id(action),
                )
        holders.append(action)

    @property
    def keys(self) -> list[str]:
        """Every key that does something somewhere."""
        return list(self._by_key)

    def find(self, key: str, area: Area) -> Action | None:
        """What a key does in an area."""
        return next((action for action in self._by_key.get(key, ()) if area in action.areas), None)

    def named(self, action_id: str) -> Action | None:
        """The action of that id; None when there is none, or none now."""
        return next((action for action in self.actions if action_id in (action.id, full_id(action))), None)

    def words_for(self, action_id: str) -> str:
        """How the first key of an action is shown; empty when it has none now."""
        action = self.named(action_id)
        return key_words(action.keys[0]) if action and action.keys else ""

    def in_area(self, area: Area) -> list[Action]:
        """Everything that can be done in an area."""
        return [action for action in self.actions if area in action.areas]


def full_id(action: Action) -> str:
    """The name by which an action is rebound: ``filter``, ``area.search``."""
    return f"{action.id}.{action.argument}" if action.argument else action.id


def _rebound(action: Action, keys: Mapping[str, Sequence[str] | str]) -> Action:
    """The action with the keys that the mapping names for it, as a list or separated by commas."""
    names = keys.get(full_id(action))
    return action if names is None else replace(action, keys=tuple(_names(names)))


def _names(keys: Sequence[str] | str) -> list[str]:
    """The names of keys that are given as a list, or separated by commas."""
    names = keys.split(",") if isinstance(keys, str) else keys
    return [name.strip() for name in names if name.strip()]


def is_key(name: str) -> bool:
    """Whether a key has this name: a character, a named key or character, with modifiers before it."""
    *modifiers, last = name.split("+") if name != "+" else [name]
    if not set(modifiers) <= _MODIFIERS:
        return False
    if len(last) == 1 or last in {key.value for key in Keys}:
        return True
    try:
        unicodedata.lookup(last.replace("_", " "))
    except KeyError:
        return False
    return True

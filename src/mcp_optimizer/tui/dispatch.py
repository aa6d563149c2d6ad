"""From an action to the method that does it, and from what can be done to header and footer."""

from collections.abc import Awaitable, Callable
from typing import Any

from textual.dom import DOMNode
from textual.widget import Widget

from mcp_optimizer.domain.views import Overview
from mcp_optimizer.tui.actions import Action, Area, Keymap, full_id, key_words
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.header import HeaderState

type ActionHandler = Callable[..., Awaitable[Any] | None]


def find_handler(action: Action, focused: Widget | None, view: AreaView, app: DOMNode) -> ActionHandler | None:
    """``do_<id>`` of what has the focus, of what that is in, of the area, of the app: the first that has one."""
    owners = (*(focused.ancestors_with_self if focused is not None else ()), view, app)
    for owner in owners:
        handler = getattr(owner, f"do_{action.id}", None)
        if handler is not None:
            return handler
    return None


def footer_hints(keymap: Keymap, area: Area, focused: Widget | None, view: AreaView, app: DOMNode) -> tuple[Hint, ...]:
    """The keys that matter for what has the focus, most important first."""
    own = getattr(focused, "hints", None)
    if own is not None:
        return own
    target = [action for action in keymap.in_area(area) if action.footer and action.keys]
    target = [action for action in target if find_handler(action, focused, view, app) is not None]
    target.sort(key=lambda action: action.footer)
    return tuple(Hint(key_words(a.keys[0]), view.labels.get(a.id, a.label), full_id(a)) for a in target)


def source_words(overview: Overview | None) -> str:
    """That the source of the workloads did not answer the last time; nothing while all is well."""
    runs = [run for run in overview.runs if run.what in {"workloads", "all"}] if overview else []
    last = max(runs, key=lambda run: run.started_at, default=None)
    if last is None or last.outcome != "failed":
        return ""
    return "✗ ToolHive" if "toolhive" in last.source.casefold() else "✗ source"


def header_state(context: Context, area: Area) -> HeaderState:
    """What the header shows."""
    overview = context.feed.overview
    counts = ((Area.REGISTRY, overview.registry_servers), (Area.WORKLOADS, overview.workloads)) if overview else ()
    return HeaderState(
        area=area,
        counts=counts,
        database=overview.database if overview and not context.file else "",
        source=source_words(overview),
        badges=(*filter(None, (context.file,)), *context.badges, *(("READ-ONLY",) if context.read_only else ())),
        stale=bool(context.feed.errors) or not context.watching or context.opening_error is not None,
    )

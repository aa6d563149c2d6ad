"""Tools as catalogs, snapshots and MCP servers give them, made :class:`ToolDefinition` values."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.sources.json_values import MAX_DEPTH, clean_json, kind_of, label_of, list_of, texts_of
from mcp_optimizer.text import to_storable

_SHAPES: Final[Mapping[str, tuple[type, str]]] = {
    "title": (str, "a text"),
    "description": (str, "a text"),
    "inputSchema": (Mapping, "an object"),
    "outputSchema": (Mapping, "an object"),
    "annotations": (Mapping, "an object"),
    "execution": (Mapping, "an object"),
    "icons": (list, "a list"),
    "_meta": (Mapping, "an object"),
}
"""Members that MCP defines. Others are kept whatever they are."""
_SCHEMAS: Final = frozenset({"inputSchema", "outputSchema"})
_MAX_NAMED: Final = 5
"""Problems that are told one by one."""


def tool_definition(value: object) -> ToolDefinition | None:
    """One tool from its MCP JSON, as far as it is sound; None when it has no name."""
    return _examined(value, "")[0]


def _examined(value: object, place: str) -> tuple[ToolDefinition | None, list[str]]:
    """The tool, and what of it could not be kept.

    Members that are null are left out, as MCP does. Of a tool that is nested too deeply to be kept, name and
    description stay.
    """
    if not isinstance(value, Mapping):
        return None, [f"{place} is {kind_of(value)}, not a tool"]
    raw = value.get("name")
    name = to_storable(raw) if isinstance(raw, str) else ""
    if not name.strip():
        return None, [
            f"{place} has no name" if raw is None or name == raw else f"{place} has {kind_of(raw)} as its name"
        ]
    problems: list[str] = []
    given: dict[str, Any] = {}
    for key, member in value.items():
        problem = _problem(key, member)
        if problem:
            problems.append(f"{label_of(name)}: {problem}")
        elif member is not None:
            given[key] = member
    try:
        details: dict[str, Any] = clean_json(given)
    except (ValueError, RecursionError):
        details = {key: to_storable(given[key]) for key in ("title", "description") if key in given}
        problems.append(f"{label_of(name)}: it is nested deeper than {MAX_DEPTH} levels")
    details = {**details, "name": name}
    return ToolDefinition.trusted(name=name, details=details), problems


def _problem(key: str, member: object) -> str | None:
    """Why a member is not what MCP says; None when it is, or when MCP says nothing of it."""
    shape = _SHAPES.get(key)
    if shape is None or member is None:
        return None
    if not isinstance(member, shape[0]):
        return f"its {key} is {kind_of(member)}, not {shape[1]}"
    kind = member.get("type") if key in _SCHEMAS and isinstance(member, Mapping) else None
    return f"its {key} is not of type object" if isinstance(kind, str) and kind != "object" else None


def examined_tools(definitions: Sequence[object]) -> tuple[tuple[ToolDefinition, ...], list[str]]:
    """The tools that a server lists, as far as they are sound, and in words what is not. Of one name, the first."""
    tools: dict[str, ToolDefinition] = {}
    problems: list[str] = []
    for place, value in enumerate(definitions):
        tool, odd = _examined(value, f"tools[{place}]")
        problems += odd
        if tool is not None and tool.name in tools:
            problems.append(f"{label_of(tool.name)} is listed more than once; the first counts")
        elif tool is not None:
            tools[tool.name] = tool
    more = len(problems) - _MAX_NAMED
    shown = problems[:_MAX_NAMED] + ([f"and {more} more"] if more > 0 else [])
    return tuple(tools.values()), shown


def tool_definitions(definitions: object, names: object = None) -> tuple[ToolDefinition, ...]:
    """Tools from a list of definitions and a list of names: a definition wins, a name alone is a tool too.

    Where two tools have one name, the first is kept.
    """
    tools: dict[str, ToolDefinition] = {}
    for value in list_of(definitions):
        tool = tool_definition(value)
        if tool is not None:
            tools.setdefault(tool.name, tool)
    for name in texts_of(names):
        tools.setdefault(name, ToolDefinition.trusted(name=name, details={"name": name}))
    return tuple(tools.values())

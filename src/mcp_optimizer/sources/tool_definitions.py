"""Tools as catalogs, snapshots and MCP servers give them, made :class:`ToolDefinition` values."""

from collections.abc import Mapping
from typing import Any

from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.sources.json_values import clean_json, list_of, text_of, texts_of


def tool_definition(value: object) -> ToolDefinition | None:
    """One tool from its MCP JSON; None when it has no name.

    Members that are null are left out, as MCP does. Of a tool that is nested too deeply to be kept, name and
    description stay.
    """
    if not isinstance(value, Mapping):
        return None
    name = text_of(value.get("name"))
    if not name:
        return None
    given = {key: member for key, member in value.items() if member is not None}
    try:
        details: dict[str, Any] = clean_json(given)
    except ValueError:
        details = {"description": text_of(value.get("description"))}
    details["name"] = name
    return ToolDefinition.trusted(name=name, details=details)


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

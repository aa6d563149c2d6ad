"""The tools that the server offers, one row each: what it says of itself, its arguments, and what handles a call."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from mcp_types import CallToolResult, Tool, ToolAnnotations

from mcp_optimizer.config import Settings
from mcp_optimizer.server.arguments import (
    Arguments,
    CallToolArguments,
    FindToolArguments,
    InstallServerArguments,
    NoArguments,
    input_schema,
    parse_arguments,
)
from mcp_optimizer.server.handlers import Caller, ToolHandlers
from mcp_optimizer.server.results import FOUND_SCHEMA, LIST_SCHEMA, TEXT_SCHEMA
from mcp_optimizer.server.tokens import Access
from mcp_optimizer.text import one_line, shorten

INSTRUCTIONS: Final = (
    "Many MCP servers stand behind this one. Look for a tool with find_tool before each step that needs one, then "
    "run it with call_tool, giving the mcp_server_name and the name that find_tool returned. Search again when the "
    "next step needs another tool, rather than listing all of them."
)
SERVERS_PLACE: Final = "{servers}"
"""Where a hint is to name the running servers."""
_MAX_NAMED_SERVERS: Final = 20
_MAX_SERVER_NAME: Final = 40
_MAX_HINT: Final = 1000


class ToolSpec[A: Arguments](NamedTuple):
    """A tool of the server's own."""

    tool: Tool
    arguments: type[A]
    handler: Callable[[ToolHandlers, A, Caller], Awaitable[CallToolResult]]

    async def call(self, handlers: ToolHandlers, given: dict[str, Any] | None, caller: Caller) -> CallToolResult:
        """The result of a call. Raises BadArgumentsError, and what the handler raises."""
        return await self.handler(handlers, parse_arguments(self.arguments, self.tool.name, given), caller)


def tool_specs(settings: Settings, access: Access) -> dict[str, ToolSpec[Any]]:
    """The tools that are offered, by name. Installing needs ToolHive, which a cluster does not have.

    Whoever sees some groups only may not install: what is installed would be of no group of theirs.
    """
    specs: list[ToolSpec[Any]] = [_FIND_TOOL, _CALL_TOOL, _LIST_TOOLS]
    if settings.enable_dynamic_install and settings.runtime_mode != "k8s" and access.groups is None:
        specs += [_SEARCH_REGISTRY, _INSTALL_SERVER]
    return {spec.tool.name: spec for spec in specs}


def with_hint(tool: Tool, hint: str, servers: Sequence[str]) -> Tool:
    """A tool whose description ends with a hint at what can be found; ``{servers}`` in it becomes their names."""
    if not hint.strip() or (SERVERS_PLACE in hint and not servers):
        return tool
    text = hint.replace(SERVERS_PLACE, _names_in_words(servers)) if servers else hint
    ending = "" if text.rstrip().endswith((".", "!", "?")) else "."
    description = f"{tool.description} It finds: {shorten(one_line(text), _MAX_HINT)}{ending}"
    return tool.model_copy(update={"description": description})


def _names_in_words(names: Sequence[str]) -> str:
    shown = [shorten(one_line(name), _MAX_SERVER_NAME) for name in names[:_MAX_NAMED_SERVERS]]
    more = len(names) - len(shown)
    parts = [*shown, *([f"{more} more"] if more else [])]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_READS: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

_FIND_TOOL: Final = ToolSpec(
    Tool(
        name="find_tool",
        description=(
            "Find the tools, on any of the running MCP servers, that can do one step of your task. Describe that step "
            "in one sentence (tool_description) and give words the tool may be named with (tool_keywords). Returns the "
            "best tools first, each with its inputSchema and mcp_server_name, ready for call_tool. If nothing fits, "
            "ask again in other words or for a smaller step before you conclude that there is no such tool."
        ),
        input_schema=input_schema(FindToolArguments),
        output_schema=FOUND_SCHEMA,
        annotations=_READS,
    ),
    FindToolArguments,
    ToolHandlers.find_tool,
)
_CALL_TOOL: Final = ToolSpec(
    Tool(
        name="call_tool",
        description=(
            "Call a tool that find_tool returned. server_name is its mcp_server_name, tool_name its name, parameters "
            "an object as its inputSchema says. Returns that tool's own result."
        ),
        input_schema=input_schema(CallToolArguments),
        annotations=ToolAnnotations(open_world_hint=True),
    ),
    CallToolArguments,
    ToolHandlers.call_tool,
)
_LIST_TOOLS: Final = ToolSpec(
    Tool(
        name="list_tools",
        description=(
            "List every tool of every running MCP server. This can be very long: use find_tool instead, unless you "
            "are asked what there is as a whole."
        ),
        input_schema=input_schema(NoArguments),
        output_schema=LIST_SCHEMA,
        annotations=_READS,
    ),
    NoArguments,
    ToolHandlers.list_tools,
)
_SEARCH_REGISTRY: Final = ToolSpec(
    Tool(
        name="search_registry",
        description=(
            "Find tools of MCP servers that could be installed, when find_tool has nothing that fits. Takes the same "
            "arguments as find_tool. Tools returned here can't be called until their server is started: give its "
            "mcp_server_name to install_server first."
        ),
        input_schema=input_schema(FindToolArguments),
        output_schema=LIST_SCHEMA,
        annotations=_READS,
    ),
    FindToolArguments,
    ToolHandlers.search_registry,
)
_INSTALL_SERVER: Final = ToolSpec(
    Tool(
        name="install_server",
        description=(
            "Start an MCP server from the registry, by the mcp_server_name that search_registry returned. Returns when "
            "it answers, or says why it does not yet; after that find_tool finds its tools."
        ),
        input_schema=input_schema(InstallServerArguments),
        output_schema=TEXT_SCHEMA,
        annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=True),
    ),
    InstallServerArguments,
    ToolHandlers.install_server,
)

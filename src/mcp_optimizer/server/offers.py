"""The tools that the server offers: their names, what they say of themselves, and what they take and give."""

from typing import Final, NamedTuple

from mcp_types import Tool, ToolAnnotations

from mcp_optimizer.config import Settings
from mcp_optimizer.server.arguments import Arguments, Call, Install, NoArguments, Wanted, input_schema
from mcp_optimizer.server.results import FOUND_SCHEMA, LIST_SCHEMA, TEXT_SCHEMA

INSTRUCTIONS: Final = (
    "Many MCP servers stand behind this one. Look for a tool with find_tool before each step that needs one, then "
    "run it with call_tool, giving the mcp_server_name and the name that find_tool returned. Search again when the "
    "next step needs another tool, rather than listing all of them."
)


class Offer(NamedTuple):
    """A tool of the server's own."""

    tool: Tool
    arguments: type[Arguments]


def offers(settings: Settings) -> dict[str, Offer]:
    """The tools that the settings offer, by name. Installing needs ToolHive, which a cluster does not have."""
    made = [_FIND, _CALL, _LIST]
    if settings.enable_dynamic_install and settings.runtime_mode != "k8s":
        made += [_SEARCH_REGISTRY, _INSTALL]
    return {offer.tool.name: offer for offer in made}


_READS: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

_FIND: Final = Offer(
    Tool(
        name="find_tool",
        description=(
            "Find the tools, on any of the running MCP servers, that can do one step of your task. Describe that step "
            "in one sentence (tool_description) and give words the tool may be named with (tool_keywords). Returns the "
            "best tools first, each with its inputSchema and mcp_server_name, ready for call_tool. If nothing fits, "
            "ask again in other words or for a smaller step before you conclude that there is no such tool."
        ),
        input_schema=input_schema(Wanted),
        output_schema=FOUND_SCHEMA,
        annotations=_READS,
    ),
    Wanted,
)
_CALL: Final = Offer(
    Tool(
        name="call_tool",
        description=(
            "Call a tool that find_tool returned. server_name is its mcp_server_name, tool_name its name, parameters "
            "an object as its inputSchema says. Returns that tool's own result."
        ),
        input_schema=input_schema(Call),
        annotations=ToolAnnotations(open_world_hint=True),
    ),
    Call,
)
_LIST: Final = Offer(
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
)
_SEARCH_REGISTRY: Final = Offer(
    Tool(
        name="search_registry",
        description=(
            "Find tools of MCP servers that could be installed, when find_tool has nothing that fits. Takes the same "
            "arguments as find_tool. Tools returned here can't be called until their server is started: give its "
            "mcp_server_name to install_server first."
        ),
        input_schema=input_schema(Wanted),
        output_schema=LIST_SCHEMA,
        annotations=_READS,
    ),
    Wanted,
)
_INSTALL: Final = Offer(
    Tool(
        name="install_server",
        description=(
            "Start an MCP server from the registry, by the mcp_server_name that search_registry returned. Returns when "
            "it answers, or says why it does not yet; after that find_tool finds its tools."
        ),
        input_schema=input_schema(Install),
        output_schema=TEXT_SCHEMA,
        annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=True),
    ),
    Install,
)

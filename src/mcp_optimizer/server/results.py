"""What the server's tools answer: models, from which their output schemas are made too."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from mcp_types import CallToolResult, TextContent

from mcp_optimizer.domain.models import Value

_ANY_TOOL: Final = {
    "type": "object",
    "description": "An MCP tool, and the server to call it on.",
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "inputSchema": {"type": "object"},
        "mcp_server_name": {"type": "string", "description": "Give this to call_tool as server_name."},
    },
    "required": ["name", "inputSchema", "mcp_server_name"],
}


class TokenMetrics(Value):
    """What a search saved: the tokens of all tools an agent would else be shown, and of those it was given."""

    baseline_tokens: int
    returned_tokens: int
    tokens_saved: int
    savings_percentage: float
    """0 to 100, one decimal."""

    @classmethod
    def of(cls, *, baseline: int, returned: int) -> "TokenMetrics":
        """Never negative: what is returned is among all tools, whatever changed between the two counts."""
        baseline = max(baseline, returned)
        saved = baseline - returned
        return cls(
            baseline_tokens=baseline,
            returned_tokens=returned,
            tokens_saved=saved,
            savings_percentage=round(100 * saved / baseline, 1) if baseline else 0.0,
        )


FOUND_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "tools": {"type": "array", "items": _ANY_TOOL, "description": "The best first."},
        "token_metrics": {
            "type": "object",
            "properties": {
                "baseline_tokens": {"type": "integer"},
                "returned_tokens": {"type": "integer"},
                "tokens_saved": {"type": "integer", "minimum": 0},
                "savings_percentage": {"type": "number", "minimum": 0, "maximum": 100},
            },
            "required": list(TokenMetrics.model_fields),
        },
        "weak": {"type": "boolean", "description": "True where none of the tools fits well."},
    },
    "required": ["tools", "token_metrics"],
}
LIST_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"result": {"type": "array", "items": _ANY_TOOL}},
    "required": ["result"],
}
TEXT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"result": {"type": "string"}},
    "required": ["result"],
}


def found(tools: Sequence[Mapping[str, Any]], metrics: TokenMetrics, *, weak: bool = False) -> CallToolResult:
    """The result of find_tool; ``weak`` where nothing fits well."""
    answer = {"tools": list(tools), "token_metrics": metrics.model_dump(), **({"weak": True} if weak else {})}
    return CallToolResult(content=[_json(answer)], structured_content=answer)


def listed(tools: Iterable[Mapping[str, Any]]) -> CallToolResult:
    """A list of tools: one text each, and all of them as structured content."""
    every = list(tools)
    return CallToolResult(content=[_json(tool) for tool in every], structured_content={"result": every})


def told(text: str) -> CallToolResult:
    """A text."""
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content={"result": text})


def failed(text: str) -> CallToolResult:
    """An error that a model is meant to read."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _json(value: object) -> TextContent:
    """What a value is as JSON; numbers beyond 64 bits and halves of characters go the slow way."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = json.dumps(value, ensure_ascii=False)
    return TextContent(type="text", text=text)

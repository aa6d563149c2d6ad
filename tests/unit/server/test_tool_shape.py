"""Whatever is stored of a tool, what is answered is an MCP tool, and holds to our own schema."""

import math
from typing import Any

import jsonschema
import pytest
from mcp_types import Tool

from mcp_optimizer.server.results import FOUND_SCHEMA, LIST_SCHEMA, TokenMetrics, found, listed
from mcp_optimizer.server.tool_shape import to_tool

BARE = {"type": "object"}
ODD_VALUES: list[Any] = [
    None, True, False, 0, 42, -1.5, math.nan, "", "text", [], [1], ["a"], [None], {}, {"a": 1},
    {"type": "string"}, {"type": None},
    {"type": ["object", "null"]}, {"properties": []}, {"type": "object", "properties": {"a": True, "b": False, "c": 3}},
    {"type": "object", "required": "a"}, {"type": "object", "required": [1, "a"]}, {"title": 5},
    {"readOnlyHint": "yes"},
    [{"src": 1}], [{"src": "x", "sizes": "48x48", "mimeType": 7, "theme": "blue"}],
    {"taskSupport": "maybe"}, {"taskSupport": None},
]  # fmt: skip
MEMBERS = ["title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution", "_meta", "name"]


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_a_tool_with_an_odd_member_is_answered_as_specified(member: str, value: Any) -> None:
    tool = to_tool({"name": "t", "description": "D.", member: value}, name="t", server="s")
    parsed = Tool.model_validate(tool)
    assert (parsed.name, tool["mcp_server_name"]) == ("t", "s")
    for result, schema in (
        (found([tool], TokenMetrics.of(baseline=1, returned=1)), FOUND_SCHEMA),
        (listed([tool]), LIST_SCHEMA),
    ):
        jsonschema.validate(result.structured_content, schema)
        assert tool["inputSchema"]["type"] == "object"


@pytest.mark.parametrize(
    ("schema", "answered"),
    [
        (True, BARE),
        (None, BARE),
        ({}, BARE),
        ({"anyOf": [{"required": ["a"]}]}, {"anyOf": [{"required": ["a"]}], "type": "object"}),
        ({"properties": {"a": True, "b": False}}, {"properties": {"a": {}, "b": {"not": {}}}, "type": "object"}),
        ({"type": "object", "x-own": [1]}, {"type": "object", "x-own": [1]}),
    ],
)
def test_an_odd_input_schema_asks_for_what_it_did(schema: Any, answered: Any) -> None:
    assert to_tool({"inputSchema": schema}, name="t", server="s")["inputSchema"] == answered


def test_what_is_as_specified_or_unknown_is_kept_as_it_is() -> None:
    details = {
        "title": "T", "description": "", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
        "outputSchema": {"type": "object"}, "annotations": {"title": "A", "readOnlyHint": False, "own": None},
        "icons": [{"src": "data:,", "sizes": ["any"], "theme": "dark"}], "execution": {"taskSupport": "optional"},
        "_meta": {"own": 1}, "own": None,
    }  # fmt: skip
    assert to_tool(details, name="t", server="s") == {**details, "name": "t", "mcp_server_name": "s"}


def test_a_tool_can_not_say_that_it_is_of_another_server() -> None:
    answered = to_tool({"name": "x", "mcp_server_name": "trusted", "description": "d"}, name="t", server="s")
    assert answered == {"inputSchema": BARE, "name": "t", "mcp_server_name": "s", "description": "d"}


@pytest.mark.parametrize("weak", [True, False])
def test_an_answer_in_which_nothing_fits_says_so(weak: bool) -> None:
    result = found([], TokenMetrics.of(baseline=1, returned=0), weak=weak)
    jsonschema.validate(result.structured_content, FOUND_SCHEMA)
    assert result.structured_content.get("weak", False) is weak

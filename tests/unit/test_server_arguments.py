"""Arguments of the server's tools, and what is said of bad ones."""

from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.server.arguments import Arguments, BadArgumentsError, Call, Install, NoArguments, Wanted, parsed
from mcp_optimizer.server.offers import offers
from mcp_optimizer.server.results import TokenMetrics, offered


def test_keywords_may_be_a_list() -> None:
    assert parsed(Wanted, "find_tool", {"tool_keywords": ["a", "b"]}).tool_keywords == "a b"
    assert parsed(Wanted, "find_tool", {"tool_keywords": "a b"}).tool_keywords == "a b"
    assert parsed(Wanted, "find_tool", {"tool_description": "x", "tool_keywords": None}).tool_keywords == ""


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        (Call, {"tool_name": "t"}, "call_tool: server_name is missing"),
        (Call, {"server_name": "s", "tool_name": ""}, "tool_name: string should have at least 1 character"),
        (
            Call,
            {"server_name": "s", "tool_name": "t", "parameters": "{}"},
            "parameters must be an object, not a string",
        ),
        (Call, {"server_name": "s", "tool_name": "t", "parameters": None}, "parameters must be an object, not null"),
        (Call, {"server_name": ["s"], "tool_name": "t"}, "server_name must be a string, not an array"),
        (Wanted, {"tool_description": 5}, "tool_description must be a string, not a number"),
        (Wanted, {"tool_keywords": ["a", 5]}, "tool_keywords must be a string, or an array of strings"),
        (Wanted, {"query": "x"}, "query is no argument of it (there are: tool_description, tool_keywords)"),
        (NoArguments, {"all": True}, "all is no argument of it (there are: none)"),
        (Install, None, "server_name is missing"),
        (Call, {"server_name": "s", "tool_name": "t", "\x1b[2J" * 99: 1}, "is no argument of it"),
    ],
)
def test_each_bad_argument_is_named(model: type[Arguments], arguments: dict[str, Any] | None, said: str) -> None:
    with pytest.raises(BadArgumentsError) as error:
        parsed(model, "call_tool", arguments)
    assert said in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


def test_installing_is_offered_only_where_it_is_meant_and_can_be() -> None:
    three = ["find_tool", "call_tool", "list_tools"]
    assert list(offers(Settings())) == three
    assert list(offers(Settings(enable_dynamic_install=True))) == [*three, "search_registry", "install_server"]
    assert list(offers(Settings(enable_dynamic_install=True, runtime_mode="k8s"))) == three


def test_schemas_name_every_argument() -> None:
    tools = {name: offer.tool for name, offer in offers(Settings(enable_dynamic_install=True)).items()}
    assert set(tools["find_tool"].input_schema["properties"]) == {"tool_description", "tool_keywords"}
    assert tools["search_registry"].input_schema == tools["find_tool"].input_schema
    assert set(tools["call_tool"].input_schema["properties"]) == {"server_name", "tool_name", "parameters"}
    assert tools["call_tool"].input_schema["required"] == ["server_name", "tool_name"]
    keywords = tools["find_tool"].input_schema["properties"]["tool_keywords"]
    assert [kind["type"] for kind in keywords["anyOf"]] == ["string", "array"]
    assert tools["list_tools"].input_schema["properties"] == {}


@pytest.mark.parametrize(("baseline", "returned"), [(0, 0), (100, 20), (20, 100), (0, 5), (3, 3)])
def test_savings_are_never_negative(baseline: int, returned: int) -> None:
    metrics = TokenMetrics.of(baseline=baseline, returned=returned)
    assert metrics.tokens_saved == metrics.baseline_tokens - metrics.returned_tokens >= 0
    assert metrics.returned_tokens == returned
    assert 0 <= metrics.savings_percentage <= 100


def test_savings_in_percent() -> None:
    assert TokenMetrics.of(baseline=300, returned=100).savings_percentage == 66.7


def test_a_tool_can_not_say_that_it_is_of_another_server() -> None:
    told = offered({"name": "x", "mcp_server_name": "trusted", "description": "d"}, name="t", server="s")
    assert told == {"inputSchema": {"type": "object"}, "name": "t", "mcp_server_name": "s", "description": "d"}

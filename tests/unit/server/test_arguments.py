"""Arguments of the server's tools, and what is said of bad ones."""

from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.server.arguments import (
    Arguments,
    BadArgumentsError,
    CallToolArguments,
    FindToolArguments,
    InstallServerArguments,
    NoArguments,
    nothing_asked,
    parse_arguments,
)
from mcp_optimizer.server.results import TokenMetrics
from mcp_optimizer.server.tokens import FULL_ACCESS, Access
from mcp_optimizer.server.tool_specs import tool_specs, with_hint


def test_keywords_may_be_a_list() -> None:
    for given, taken in ((["a", "b"], "a b"), ("a b", "a b"), (None, ""), ([], ""), (["a", None, "b"], "a b")):
        assert parse_arguments(FindToolArguments, "find_tool", {"tool_keywords": given}).tool_keywords == taken
        assert parse_arguments(FindToolArguments, "find_tool", {"tool_description": given}).tool_description == taken


CALL = {"server_name": "s", "tool_name": "t"}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, {}),
        ({"parameters": None}, {}),
        ({"parameters": ""}, {}),
        ({"parameters": "  "}, {}),
        ({"parameters": "null"}, {}),
        ({"parameters": "{}"}, {}),
        ({"parameters": '{"a": [1, {"b": null}]}'}, {"a": [1, {"b": None}]}),
        ({"parameters": '"{\\"a\\": 1}"'}, {"a": 1}),
        ({"parameters": {"a": "{}"}}, {"a": "{}"}),
        ({"parameters": {"a": 1}, "arguments": {"b": 2}}, {"a": 1}),
        ({"random_string": "x"}, {}),
        ({"toolCallId": "1", "_meta": {"x": 1}, "sessionId": None, "action": "sendMessage", "chatInput": ""}, {}),
    ],
)
def test_parameters_are_taken_as_they_are_meant(given: dict[str, Any], taken: dict[str, Any]) -> None:
    assert parse_arguments(CallToolArguments, "call_tool", {**CALL, **given}).parameters == taken


@pytest.mark.parametrize("model", [FindToolArguments, NoArguments, InstallServerArguments])
@pytest.mark.parametrize("more", [{"random_string": ""}, {"toolCallId": 7}, {"_meta": None}, {"arguments": {}}])
def test_arguments_that_a_client_adds_are_passed_over(model: type[Arguments], more: dict[str, Any]) -> None:
    assert parse_arguments(model, "t", {"server_name": "s", **more}) == parse_arguments(
        model, "t", {"server_name": "s"}
    )


@pytest.mark.parametrize(
    ("model", "arguments", "reason"),
    [
        (CallToolArguments, {"tool_name": "t"}, "call_tool: server_name is missing"),
        (CallToolArguments, {"server_name": "s", "tool_name": ""}, "tool_name is missing"),
        (CallToolArguments, {"server_name": None, "tool_name": " "}, "server_name is missing; tool_name is missing"),
        (CallToolArguments, {**CALL, "parameters": "{"}, "parameters must be an object, not a string"),
        (CallToolArguments, {**CALL, "parameters": "a=1"}, "parameters must be an object, not a string"),
        (CallToolArguments, {**CALL, "parameters": "[1]"}, "parameters must be an object, not an array"),
        (CallToolArguments, {**CALL, "parameters": [1]}, "parameters must be an object, not an array"),
        (CallToolArguments, {**CALL, "parameters": 7}, "parameters must be an object, not a number"),
        (CallToolArguments, {**CALL, "parameters": "[" * 100_000}, "parameters must be an object, not a string"),
        (CallToolArguments, {**CALL, "arguments": {"a": 1}}, "arguments is not an argument of it"),
        (CallToolArguments, {**CALL, "params": "{}"}, "give the tool's own as parameters"),
        (CallToolArguments, {"server_name": ["s"], "tool_name": "t"}, "server_name must be a string, not an array"),
        (CallToolArguments, {"server": "s", "tool_name": "t"}, "is missing; not an argument of it: server"),
        (FindToolArguments, {"tool_description": 5}, "tool_description must be a string, or an array of strings"),
        (FindToolArguments, {"tool_keywords": ["a", 5]}, "tool_keywords must be a string, or an array of strings"),
        (FindToolArguments, {"tool_keywords": {"a": 5}}, "tool_keywords must be a string, or an array of strings"),
        (InstallServerArguments, None, "server_name is missing"),
        (CallToolArguments, {"tool_name": "t", "\x1b[2J" * 99: 1}, "not an argument of it"),
    ],
)
def test_each_bad_argument_is_named(model: type[Arguments], arguments: dict[str, Any] | None, reason: str) -> None:
    with pytest.raises(BadArgumentsError) as error:
        parse_arguments(model, "call_tool", arguments)
    assert reason in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


def test_who_asks_for_nothing_is_told_what_was_not_understood() -> None:
    assert str(nothing_asked("find_tool", {"query": "x"})).endswith("(tool_keywords); not an argument of it: query")


def test_installing_is_offered_only_where_it_is_meant_and_can_be() -> None:
    three = ["find_tool", "call_tool", "list_tools"]
    some = Access("dev", frozenset({"dev"}))
    assert list(tool_specs(Settings(), FULL_ACCESS)) == three
    assert list(tool_specs(Settings(enable_dynamic_install=True), FULL_ACCESS)) == [
        *three, "search_registry", "install_server"
    ]  # fmt: skip
    assert list(tool_specs(Settings(enable_dynamic_install=True), some)) == three
    assert list(tool_specs(Settings(enable_dynamic_install=True, runtime_mode="k8s"), FULL_ACCESS)) == three


def test_schemas_name_every_argument() -> None:
    specs = tool_specs(Settings(enable_dynamic_install=True), FULL_ACCESS)
    tools = {name: spec.tool for name, spec in specs.items()}
    assert set(tools["find_tool"].input_schema["properties"]) == {"tool_description", "tool_keywords"}
    assert tools["search_registry"].input_schema == tools["find_tool"].input_schema
    assert set(tools["call_tool"].input_schema["properties"]) == {"server_name", "tool_name", "parameters"}
    assert tools["call_tool"].input_schema["required"] == ["server_name", "tool_name"]
    keywords = tools["find_tool"].input_schema["properties"]["tool_keywords"]
    assert [kind["type"] for kind in keywords["anyOf"]] == ["string", "array"]
    assert tools["list_tools"].input_schema["properties"] == {}
    assert all(tool.input_schema.get("additionalProperties", True) for tool in tools.values())


@pytest.mark.parametrize(
    ("hint", "servers", "ending"),
    [
        ("", ["a"], "no such tool."),
        ("tools for GitHub and Datadog", ["a"], "It finds: tools for GitHub and Datadog."),
        ("tools of {servers}", ["a", "b", "c"], "It finds: tools of a, b and c."),
        ("tools of {servers}.", ["a"], "It finds: tools of a."),
        ("tools of {servers}", [], "no such tool."),
        ("{servers}", [f"w{n}" for n in range(22)], "w18, w19 and 2 more."),
        ("{servers}", ["a\n\nIgnore all \x1b[2J", "b" * 99], f"a  Ignore all  [2J and {'b' * 39}…."),
    ],
)
def test_the_description_ends_with_the_hint(hint: str, servers: list[str], ending: str) -> None:
    tool = tool_specs(Settings(), FULL_ACCESS)["find_tool"].tool
    description = with_hint(tool, hint, servers).description or ""
    assert description.startswith(tool.description or "?")
    assert description.endswith(ending), description
    assert description.isprintable()


@pytest.mark.parametrize(("baseline", "returned"), [(0, 0), (100, 20), (20, 100), (0, 5), (3, 3)])
def test_savings_are_never_negative(baseline: int, returned: int) -> None:
    metrics = TokenMetrics.of(baseline=baseline, returned=returned)
    assert metrics.tokens_saved == metrics.baseline_tokens - metrics.returned_tokens >= 0
    assert metrics.returned_tokens == returned
    assert 0 <= metrics.savings_percentage <= 100


def test_savings_in_percent() -> None:
    assert TokenMetrics.of(baseline=300, returned=100).savings_percentage == 66.7

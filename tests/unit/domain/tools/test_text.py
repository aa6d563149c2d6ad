"""The texts that are embedded (L6, E2), and what an autonomous workload says of itself (S2)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.models import ToolDefinition
from mcp_optimizer.domain.tools.text import (
    details_json,
    first_sentence,
    name_words,
    own_description,
    parameter_words,
    parts_of,
    server_text,
    text_hash,
    tool_text,
    tools_digest,
)
from tests.support.builders import tool, tools


@pytest.mark.parametrize(
    ("context", "name", "description", "parts"),
    [
        ("gofetch", "fetchPage", "Fetches a page. Then it does more.", ["gofetch: fetch Page", "Fetches a page."]),
        ("gofetch", "fetchPage", "", ["gofetch: fetch Page"]),
        ("a\x1eb", "get\x1eit", "One\x1etwo.", ["a b: get it", "One two."]),
        ("", "__", "\x1e", [": __"]),
    ],
)
def test_l6_a_tools_name_in_its_context_and_its_first_sentence_are_embedded_apart(
    context: str, name: str, description: str, parts: list[str]
) -> None:
    assert parts_of(tool_text(context, tool(name, description))) == parts


@pytest.mark.parametrize("text", ["A server. Its tags", "", "two\nlines", "\x1e"])
def test_a_text_without_parts_is_its_own(text: str) -> None:
    assert parts_of(text) == [text]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("Costs 1.5 credits. Two.", "Costs 1.5 credits."),
        ("A heading\n\nAnd a text.", "A heading"),
        ("Wrapped\n  over lines! Next", "Wrapped over lines!"),
        ("取得します。次に", "取得します。"),
        ("  \n ", ""),
        ("word " * 200, ("word " * 200)[:400]),
    ],
)
def test_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getHTTPPage_v2", "get HTTP Page v2"),
        ("list-issues", "list issues"),
        ("ns/tool.name", "ns tool name"),
        ("__", "__"),
        ("plain", "plain"),
    ],
)
def test_name_words(name: str, words: str) -> None:
    assert name_words(name) == words


def test_server_text_prefers_the_title_and_leaves_out_what_is_missing() -> None:
    assert server_text(name="n", title="", description="Does it.", tags=()) == "n. Does it"
    assert server_text(name="n", title="T", description="", tags=("a", "b")) == "T. a b"


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({}, ""),
        ({"inputSchema": None}, ""),
        ({"inputSchema": {"properties": ["no", "object"]}}, ""),
        ({"inputSchema": {"properties": {"pageUrl": {"description": "Where"}}}}, "pageUrl page Url Where"),
        ({"inputSchema": {"properties": {"a": True, "b": {"description": 7}}}}, "a a b b"),
    ],
)
def test_b_parameter_words_of_any_schema(details: dict, words: str) -> None:
    assert parameter_words(details) == words


def test_e2_a_texts_hash_depends_on_text_and_model() -> None:
    assert text_hash("m", "a") == text_hash("m", "a")
    assert len({text_hash("m", "a"), text_hash("n", "a"), text_hash("m", "b"), text_hash("m", "\ud800")}) == 4


def test_e2_a_digest_depends_on_context_and_tools_but_not_on_their_order() -> None:
    both = tools("a", "b")
    assert tools_digest("x", both) == tools_digest("x", both[::-1])
    assert tools_digest("x", both) != tools_digest("y", both)
    assert tools_digest("x", both) != tools_digest("x", both[:1])
    assert tools_digest("x", [tool("a", "one")]) != tools_digest("x", [tool("a", "two")])


def test_e2_a_digest_is_that_of_the_tools_a_store_keeps() -> None:
    """Of several tools with one name a store keeps the first; the others must not look like a change for ever."""
    assert tools_digest("x", [tool("a", "first"), tool("a", "second")]) == tools_digest("x", [tool("a", "first")])


@settings(max_examples=60, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]))
def test_e2_key_order_within_details_is_no_change(keys: list[str]) -> None:
    details = {key: {"x": 1, "y": [True]} for key in keys}
    assert details_json(details) == details_json(dict(sorted(details.items())))
    same = [ToolDefinition(name="t", details=found) for found in (details, dict(sorted(details.items())))]
    assert tools_digest("x", same[:1]) == tools_digest("x", same[1:])


def test_s2_an_autonomous_workload_always_has_a_description() -> None:
    assert own_description([])
    assert own_description(["b", "a"]) == "Offers a, b"
    assert own_description(f"t{n:02}" for n in range(20)).endswith("t11 and 8 more")

"""Catalog documents: both formats, and everything that can be wrong with them (C5, C6, B)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.demo.sample import sample_catalog, sample_catalog_before
from mcp_optimizer.demo.simulator_state import server_json_list
from mcp_optimizer.domain.models import Catalog, Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import parse_json, text_of
from mcp_optimizer.sources.registry.documents import parse_catalog

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "registry"


def catalog(document: object) -> Catalog:
    return parse_catalog(document, source="test")


def reasons(document: object) -> dict[str, str]:
    return {item.name: item.reason for item in catalog(document).skipped}


@pytest.mark.parametrize(
    ("name", "containers", "remotes"),
    [
        ("toolhive-2025-04-18.json", 28, 0),
        ("toolhive-2025-12-30.json", 78, 23),
        ("toolhive-2026-02-17.json", 79, 23),
        ("toolhive-2026-02-18.json", 79, 23),
        ("upstream-format-sample.json", 1, 1),
    ],
)
def test_real_documents_are_read_whole(name: str, containers: int, remotes: int) -> None:
    if not REAL.is_dir():
        pytest.skip("the real documents are not beside this checkout")
    parsed = catalog(parse_json((REAL / name).read_bytes(), label=name))
    kinds = [entry.identity.kind for entry in parsed.entries]
    assert (kinds.count(Kind.CONTAINER), kinds.count(Kind.REMOTE)) == (containers, remotes)
    assert parsed.skipped == ()
    assert parsed.complete


def test_legacy_entries_carry_what_the_catalog_gives() -> None:
    entries = {entry.name: entry for entry in catalog(sample_catalog()).entries}
    files = entries["harbor-files"]
    assert files.identity.canonical == "registry.harborlight.example/mcp/files:2.4.1"
    assert (files.title, files.tier, files.transport, files.group) == ("Harborlight Files", "Official", "stdio", "")
    assert files.tags == ("files", "storage", "filesystem")
    assert files.tools[0].details["inputSchema"]["required"] == ["path"]
    assert entries["nimbus-deploy"].group == "platform"
    assert entries["cobalt-metrics"].tools[0].details == {"name": "query_metrics"}
    assert entries["skyroute-flights"].identity.kind is Kind.REMOTE


def test_both_formats_say_the_same() -> None:
    legacy = {entry.name: entry.model_copy(update={"group": ""}) for entry in catalog(sample_catalog()).entries}
    upstream = {
        entry.name: entry for entry in catalog({"data": {"servers": server_json_list(sample_catalog())}}).entries
    }
    assert upstream == legacy
    assert catalog({"servers": server_json_list(sample_catalog())}).entries


def test_two_versions_of_the_sample_differ_as_documented() -> None:
    before = {entry.name: entry.identity.raw for entry in catalog(sample_catalog_before()).entries}
    now = {entry.name: entry.identity.raw for entry in catalog(sample_catalog()).entries}
    assert set(before) - set(now) == {"lantern", "foxglove-notes"}
    assert set(now) - set(before) == {"lantern-search"}
    assert before["lantern"] == now["lantern-search"]
    assert before["quillbase"] != now["quillbase"]


def server(**fields: Any) -> dict[str, Any]:
    return {"name": "io.example/one", "description": "d", **fields}


def test_each_image_and_remote_of_a_server_json_is_an_entry() -> None:
    parsed = catalog(
        {
            "servers": [
                server(
                    packages=[
                        {"registryType": "oci", "identifier": "a/b:1", "transport": {"type": "stdio"}},
                        {"registryType": "npm", "identifier": "@a/b"},
                        {
                            "registryType": "oci",
                            "registryBaseUrl": "https://ghcr.io",
                            "identifier": "a/b",
                            "version": "2",
                        },
                    ],
                    remotes=[{"type": "sse", "url": "https://a.example/sse"}],
                )
            ]
        }
    )
    assert [(entry.identity.canonical, entry.transport) for entry in parsed.entries] == [
        ("docker.io/a/b:1", "stdio"),
        ("ghcr.io/a/b:2", ""),
        ("https://a.example/sse", "sse"),
    ]
    assert {entry.name for entry in parsed.entries} == {"io.example/one"}


def test_packages_that_are_no_images_are_skipped_with_the_reason() -> None:
    packages = [{"registryType": "npm", "identifier": "x"}, {"registryType": "pypi", "identifier": "x"}]
    assert "npm, pypi" in reasons({"servers": [server(packages=packages)]})["io.example/one"]
    assert reasons({"servers": [server()]})["io.example/one"] == "no image and no URL"


def test_official_pages_count_only_the_latest_that_is_not_deleted() -> None:
    def item(name: str, **official: Any) -> dict[str, Any]:
        meta = {"io.modelcontextprotocol.registry/official": official}
        remotes = [{"type": "sse", "url": f"https://{name}.example/"}]
        return {"server": {"name": name, "remotes": remotes}, "_meta": meta}

    page = {
        "servers": [
            item("new", status="active", isLatest=True),
            item("old", status="active", isLatest=False),
            item("gone", status="deleted", isLatest=True),
        ],
        "metadata": {"nextCursor": "x"},
    }
    assert [entry.name for entry in catalog(page).entries] == ["new"]
    assert not catalog(page).complete


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"image": ""}, "no image"),
        ({}, "no image"),
        ({"image": 5}, "no image"),
        ({"image": "Upper/Case:1"}, "upper case"),
        ({"image": "a b"}, "white space"),
        ("text", "expected an object, got a text"),
        (None, "expected an object, got null"),
        ([], "expected an object, got a list"),
    ],
)
def test_an_unusable_entry_is_skipped_and_the_others_stay(entry: object, reason: str) -> None:
    document = {"servers": {"bad": entry, "good": {"image": "a/b:1"}, "": {"image": "c/d"}}}
    assert [kept.name for kept in catalog(document).entries] == ["good"]
    assert reason in reasons(document)["bad"]
    assert "no name" in reasons(document)["(no name)"]


def test_a_secret_in_a_refused_url_is_not_in_the_reason() -> None:
    reason = reasons({"remote_servers": {"a": {"url": "https://user:hunter2@a.example/?token=hunter2 x"}}})["a"]
    assert "hunter2" not in reason


@pytest.mark.parametrize(
    "document",
    [None, 5, "x", [], {}, {"error": "no"}, {"servers": "x"}, {"servers": 1}, {"data": {}}, {"data": []}],
)
def test_what_is_no_catalog_is_an_error(document: object) -> None:
    with pytest.raises(SourceError, match="not a catalog"):
        catalog(document)


def test_a_section_of_the_wrong_type_makes_the_catalog_incomplete() -> None:
    parsed = catalog({"servers": {"a": {"image": "a/b"}}, "remote_servers": "x", "groups": {"x": 1}})
    assert [entry.name for entry in parsed.entries] == ["a"]
    assert {item.name for item in parsed.skipped} == {"remote_servers", "groups"}
    assert not parsed.complete
    assert catalog({"servers": {}, "remote_servers": None, "groups": None}).complete


def test_repeated_names_survive_and_a_repeated_entry_is_reported() -> None:
    text = (
        b'{"servers": {"a": {"image": "x/y:1"}, "a": {"image": "x/y:2"}, "b": {"image": "z/z"}, "b": {"image": "z/z"}}}'
    )
    parsed = catalog(parse_json(text, label="test"))
    assert sorted(entry.identity.raw for entry in parsed.entries) == ["x/y:1", "x/y:2", "z/z"]
    assert [item.name for item in parsed.skipped] == ["b"]


def test_the_result_does_not_depend_on_the_order_of_repeated_entries() -> None:
    groups = [
        {"name": name, "servers": {"b": {"image": "z/z", "description": name}}} for name in ("one", "two", "three")
    ]
    one, other = catalog({"groups": groups}), catalog({"groups": groups[::-1]})
    assert one == other
    assert (len(one.entries), len(one.skipped)) == (1, 1)


def test_hostile_text_stays_but_what_can_not_be_stored_goes() -> None:
    document = {
        "servers": {"[/red]\u202e\ud800\0x": {"image": "a/b", "description": "\udfff\0", "tags": [1, "", "ok", None]}}
    }
    entry = catalog(document).entries[0]
    assert entry.name == "[/red]\u202e\ufffdx"
    assert entry.tags == ("ok",)
    entry.model_dump_json()


def test_tools_definitions_win_names_fill_up_the_first_of_a_name_stays() -> None:
    entry = {
        "image": "a/b",
        "tools": ["one", "two", "two", 3, ""],
        "tool_definitions": [
            {"name": "one", "description": "first", "x": None, "n": float("inf")},
            {"name": "one", "description": "second"},
            {"description": "no name"},
            "text",
        ],
    }
    tools = catalog({"servers": {"a": entry}}).entries[0].tools
    assert [tool.details for tool in tools] == [{"name": "one", "description": "first", "n": None}, {"name": "two"}]


def test_deep_documents_do_not_crash() -> None:
    deep: Any = "x"
    for _ in range(200_000):
        deep = {"a": deep}
    tool = {"name": "t", "description": "d", "inputSchema": deep}
    tools = catalog({"servers": {"a": {"image": "a/b", "tool_definitions": [tool]}}}).entries[0].tools
    assert tools[0].details == {"name": "t", "description": "d"}
    while isinstance(deep, dict):  # taken apart by hand: the interpreter would recurse
        deep = deep["a"]
    with pytest.raises(SourceError, match="nested too deeply"):
        parse_json(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, label="test")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
entries = st.dictionaries(
    st.sampled_from(["image", "url", "tools", "tool_definitions", "tags", "description", "tier", "title", "transport"]),
    json_values | st.sampled_from(["a/b:1", "https://a.example/mcp", "localhost:5000/x", "http://[::1"]),
)
sections = st.dictionaries(st.text(max_size=6), entries | json_values, max_size=5) | json_values
servers = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": json_values,
            "packages": json_values,
            "remotes": st.lists(entries) | json_values,
            "_meta": json_values,
        },
    )
    | json_values,
    max_size=4,
)
documents = st.fixed_dictionaries(
    {}, optional={"servers": sections | servers, "remote_servers": sections, "groups": json_values, "data": json_values}
)


@given(documents)
def test_hostile_documents_are_read_or_refused_in_words(document: dict[str, Any]) -> None:
    try:
        parsed = catalog(document)
    except SourceError:
        return
    assert all(item.name and item.reason.isprintable() for item in parsed.skipped)
    assert parsed == catalog(document)
    json.loads(parsed.model_dump_json())
    json.dumps([tool.details for entry in parsed.entries for tool in entry.tools], allow_nan=False)
    if isinstance(document.get("servers"), dict):
        named = {entry.name for entry in parsed.entries} | {item.name for item in parsed.skipped}
        assert named >= {text_of(name) or "(no name)" for name in document["servers"]}

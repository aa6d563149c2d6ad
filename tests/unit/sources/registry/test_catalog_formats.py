"""Formats of catalogs, parts of wholes, versions of servers, and words for what is no identity (C5, C6, C8, B)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.domain.models import Catalog, Kind
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import parse_document
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.registry.server_versions import version_order

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "registry"
OFFICIAL = "io.modelcontextprotocol.registry/official"


def catalog(document: object) -> Catalog:
    return parse_catalog(document, source="test")


def yaml_catalog(text: str) -> Catalog:
    return catalog(parse_document(text.encode(), location="catalog.yaml"))


def places(document: object) -> list[tuple[str, str]]:
    return [(entry.name, entry.identity.canonical) for entry in catalog(document).entries]


def remote(name: str, version: str = "", **more: Any) -> dict[str, Any]:
    server = {"name": name, "remotes": [{"type": "sse", "url": f"https://{name}.example/{version}"}]}
    return {**server, **({"version": version} if version else {}), **more}


A = ("a", "https://a.example/")
LEGACY = {"image": "x/y:1", "transport": "stdio"}


# Formats


@pytest.mark.parametrize(
    "document",
    [
        remote("a"),
        {"server": remote("a")},
        {"server": remote("a"), "_meta": {}},
        [remote("a")],
        [{"server": remote("a")}],
        {"servers": [remote("a")]},
        {"registry": {"servers": [remote("a")]}, "name": "default"},
        {"registry": [remote("a")]},
        {"data": [remote("a")]},
        {"data": {"servers": [remote("a")]}},
        {"servers": {"a": remote("a")}},
        {"groups": [{"name": "g", "servers": [remote("a")]}]},
        {"remote_servers": {"a": {"url": "https://a.example/"}}},
        {"remote_servers": [{"name": "a", "url": "https://a.example/"}]},
        {"servers": [{"name": "a", "url": "https://a.example/", "transport": "sse"}]},
        {"groups": [{"name": "g", "remote_servers": [{"name": "a", "url": "https://a.example/"}]}]},
        {"groups": [{"name": "g", "servers": [{"name": "a", "url": "https://a.example/"}]}]},
        {"groups": {"g": {"remote_servers": {"a": {"url": "https://a.example/"}}}}},
        {"registry": {"a": {"type": "remote", "remote": {"url": "https://a.example/", "transport_type": "sse"}}}},
        {"registry": {"a": {"sseEndpoint": "https://a.example/"}}},
        {"name": "a", "type": "remote", "title": "A", "remote": {"url": "https://a.example/"}},
        {"servers": [{"type": "remote", "endpoint": "https://a.example/", "snapshot": {"server": {"name": "a"}}}]},
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_c5_one_remote_in_every_format(document: object) -> None:
    parsed = catalog(document)
    assert places(document) == [A]
    assert (parsed.skipped, parsed.complete) == ((), True)


@pytest.mark.parametrize(
    "document",
    [
        {"servers": {"a": LEGACY}},
        {"servers": [{"name": "a", **LEGACY}]},
        [{"name": "a", **LEGACY}],
        {"name": "a", **LEGACY},
        {"groups": [{"name": "g", "servers": {"a": LEGACY}}]},
        {"groups": [{"name": "g", "servers": [{"name": "a", **LEGACY}]}]},
        {"registry": {"a": {"image": "x/y:1"}}},
        {"registry": {"a": {"image": "x/y:1", "type": "server", "tools": [{"name": "t"}]}}},
        {"name": "a", "image": "x/y:1", "type": "server", "about": {"title": "A"}, "meta": {"tags": ["t"]}},
        {"title": "C", "servers": [{"type": "image", "image": "x/y:1", "snapshot": {"server": {"name": "a"}}}]},
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_c5_one_image_in_every_format(document: object) -> None:
    parsed = catalog(document)
    assert places(document) == [("a", "docker.io/x/y:1")]
    assert (parsed.skipped, parsed.complete) == ((), True)


def test_c5_groups_keep_their_names_in_maps_and_lists() -> None:
    entries = catalog(
        {"groups": [{"name": "one", "servers": [{"name": "a", **LEGACY}]}, {"name": "two", "servers": {"b": LEGACY}}]}
    ).entries
    assert [(entry.name, entry.group) for entry in entries] == [("a", "one"), ("b", "two")]


DOCKER = """
version: 3
name: docker-mcp
displayName: Docker MCP Catalog
registry:
  duckduckgo: &shared
    description: Web search
    title: DuckDuckGo
    type: server
    dateAdded: 2025-05-05T20:05:41Z
    image: mcp/duckduckgo@sha256:68eb20db6109f5c312a695fc5ec3386ad15d93ffb765a0b4eb1baf4328dec14f
    source: https://github.com/nickclyde/duckduckgo-mcp-server
    tools:
      - name: search
        description: Search the web
        parameters: {type: object, properties: {query: {type: string}}, required: [query]}
      - name: fetch
    metadata: {category: search, tags: [web, search], stars: 12}
  cloudflare-docs:
    description: Cloudflare's documentation
    title: Cloudflare Docs
    type: remote
    remote: {transport_type: http, url: "https://docs.mcp.cloudflare.com/mcp"}
  curl:
    description: Standard curl tool.
    type: poci
    tools: [{name: curl, container: {image: alpine/curl}}]
  404:
    <<: *shared
    image: mcp/404
"""


def test_c5_docker_catalog_in_yaml_and_json() -> None:
    parsed = yaml_catalog(DOCKER)
    search, docs, other = parsed.entries
    digest = "68eb20db6109f5c312a695fc5ec3386ad15d93ffb765a0b4eb1baf4328dec14f"
    assert search.identity.canonical == f"docker.io/mcp/duckduckgo@sha256:{digest}"
    assert (search.title, search.tags, search.transport) == ("DuckDuckGo", ("web", "search"), "stdio")
    assert search.repository == "https://github.com/nickclyde/duckduckgo-mcp-server"
    assert search.tools[0].details["inputSchema"]["required"] == ["query"]
    assert search.tools[1].details == {"name": "fetch"}
    assert (docs.identity.kind, docs.transport) == (Kind.REMOTE, "streamable-http")
    assert (other.name, other.description) == ("404", "Web search")
    assert [(item.name, "poci" in item.reason) for item in parsed.skipped] == [("curl", True)]
    assert parsed.complete
    document = parse_document(DOCKER.encode(), location="catalog.yaml")
    assert catalog(parse_document(json.dumps(document).encode(), location="catalog.json")) == parsed
    assert catalog(parse_document(DOCKER.encode(), location="https://x.example/catalog")) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: &a [*a]", "stands for too much"),
        (b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)
        ), "stands for too much"),
        (b"a: &a {k: 1}\n" + b"".join(
            b"%c: &%c {<<: [%s]}\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)
        ), "stands for too much"),
        (b"[" * 5000, "nested too deeply"),
        (b"!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        (b"a: b: c", "line 1"),
        (b"? [1]\n: 2", "unhashable"),
        (b"\xff", "not UTF-8"),
        (b"a: " + b"1" * 5000, "not usable YAML"),
    ],
)  # fmt: skip
def test_b_hostile_yaml_is_an_error_in_words(text: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_document(text, location="catalog.yml")


@pytest.mark.parametrize("text", [b"<html>a: b</html>", b"just words", b"{'a': 1}", b"5", b'{"a": 1'])
def test_b_what_is_neither_json_nor_yaml_says_what_is_wrong_with_its_json(text: bytes) -> None:
    if text == b"5":
        assert parse_document(text, location="x") == 5
        return
    with pytest.raises(SourceError, match="JSON"):
        parse_document(text, location="x")


@pytest.mark.parametrize(
    "document", [{"name": "a"}, {"registry": {}}, {"registry": {}, "name": "x", "type": "file"}, [1]]
)
def test_b_what_is_no_catalog_in_any_format(document: object) -> None:
    with pytest.raises(SourceError, match="not a catalog"):
        catalog(document)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({**LEGACY, "description": 5}, "description"),
        ({**LEGACY, "tags": "one"}, "tags"),
        ({**LEGACY, "tools": {"a": 1}}, "tools"),
        ({**LEGACY, "title": ["x"]}, "title"),
        ({"packages": "x", "remotes": [{"url": "https://a.example/"}]}, "packages"),
        ({"remotes": {"url": "u"}, "packages": [{"registryType": "oci", "identifier": "x/y:1"}]}, "remotes"),
    ],
)
def test_b_a_member_of_the_wrong_type_is_left_out_and_told(entry: dict[str, Any], field: str) -> None:
    parsed = catalog({"servers": [{"name": "a", **entry}, {"name": "b", **LEGACY}]})
    assert sorted(found.name for found in parsed.entries) == ["a", "b"]
    assert [(item.name, f"`{field}`" in item.reason) for item in parsed.skipped] == [("a", True)]
    assert parsed.complete


# Parts of a whole


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"nextCursor": "x"}},
        {"metadata": {"next_cursor": "x", "count": 2}},
        {"metadata": {"total": 3}},
        {"metadata": {"count": 3}},
        {"metadata": {"total": "3"}},
        {"metadata": {"totalCount": 3, "page": 1}},
        {"metadata": {"page": 2, "total": 2}},
        {"metadata": {"continue": "x", "remainingItemCount": 4}},
        {"meta": {"total_pages": 2}},
        {"pagination": {"has_more": True}},
        {"paging": {"next": "https://x.example/?p=2"}},
        {"page_info": {"hasNextPage": True}},
        {"next": "/v0/servers?cursor=x"},
        {"next_page": 2},
        {"nextPageToken": "x"},
        {"has_more": True},
        {"truncated": True},
        {"total_count": 9},
        {"offset": 2},
        {"previous": "https://x.example/?p=1"},
        {"links": {"next": "https://x.example/?p=2"}},
        {"links": {"next": {"href": "/?p=2"}}},
        {"links": [{"rel": "next", "href": "/?p=2"}]},
        {"_links": {"next": {"href": "/?p=2"}}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_c6_a_document_that_says_that_it_is_a_part(more: dict[str, Any], wrapped: bool) -> None:
    for servers in ([remote("a"), remote("b")], {"a": LEGACY, "b": {"image": "x/z"}}):
        document: dict[str, Any] = {"servers": servers, **more}
        if wrapped:
            document = {"data": {"servers": servers}, **more}
        parsed = catalog(document)
        assert (len(parsed.entries), parsed.complete) == (2, False)
        assert "is not whole" in parsed.skipped[-1].reason


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"metadata": {}},
        {"metadata": {"nextCursor": None, "count": 2}},
        {"metadata": {"nextCursor": "", "total": 2, "page": 1, "limit": 200}},
        {"metadata": {"total": 1}},
        {"meta": {"last_updated": "2025-01-01T00:00:00Z"}},
        {"has_more": False, "next": None, "total_pages": 1, "offset": 0},
        {"pageInfo": {"hasNextPage": False, "endCursor": "x"}},
        {"links": {"self": "/x", "next": None}},
        {"links": [{"rel": "self", "href": "/"}]},
        {"server_count": 2},
        {"version": "1.0.0", "last_updated": "x"},
    ],
    ids=json.dumps,
)
def test_c6_a_whole_document(more: dict[str, Any]) -> None:
    assert catalog({"servers": [remote("a"), remote("b")], **more}).complete


def test_c6_toolhive_counts_containers_or_all() -> None:
    registry = {"servers": {"a": LEGACY}, "remote_servers": {"b": {"url": "https://b.example"}}}
    assert [catalog({"registry": registry, "server_count": n}).complete for n in (0, 1, 2, 3)] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"servers": [remote("a"), 5]},
        {"servers": [remote("a"), None]},
        {"servers": [remote("a"), {"remotes": [{"url": "https://b.example"}]}]},
        {"servers": [remote("a"), {"server": remote("")}]},
        {"servers": [remote("a"), {}]},
        {"servers": [remote("a"), {"server": "x"}]},
        {"servers": {"a": remote("a"), "": LEGACY}},
        {"servers": {"a": remote("a"), "b": None}},
        {"servers": [remote("a")], "remote_servers": 5},
        {"servers": [remote("a")], "groups": [5]},
        {"servers": [remote("a")], "groups": [{"name": "g", "servers": "x"}]},
        {"registry": {"a": {"sseEndpoint": "https://a.example/"}, "b": 5}},
        [remote("a"), "x"],
    ],
    ids=lambda document: json.dumps(document)[:70],
)
def test_c6_an_item_that_is_no_object_or_has_no_name_makes_a_part(document: object) -> None:
    parsed = catalog(document)
    assert places(document) == [A]
    assert not parsed.complete
    assert len(parsed.skipped) == 1


# Versions


@pytest.mark.parametrize(
    ("versions", "highest"),
    [
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-alpha"], "1.0.0-alpha.10"),
        (["1.0.0-rc.1", "1.0.0", "0.9.9"], "1.0.0"),
        (["1.0.0-1", "1.0.0"], "1.0.0"),
        (["v1.2.0", "v1.10.0"], "v1.10.0"),
        (["1.0", "1.0.post1", "1.0rc1"], "1.0.post1"),
        (["1.0.dev3", "1.0a1", "1.0b2"], "1.0b2"),
        (["2.0", "10.0", "9"], "10.0"),
        (["2025.09.01", "2025.10.01"], "2025.10.01"),
        (["1!1.0", "2025.1"], "1!1.0"),
        (["alpha", "beta"], "beta"),
        (["latest", "1.0.0", ""], "1.0.0"),
        (["nightly", "0.1"], "0.1"),
    ],
)
def test_c8_the_highest_version_by_its_own_rules(versions: list[str], highest: str) -> None:
    assert max(versions, key=version_order(versions)) == highest
    for order in (versions, versions[::-1]):
        assert places([remote("a", version) for version in order]) == [("a", f"https://a.example/{highest}")]


def mark(**official: Any) -> dict[str, Any]:
    return {"_meta": {OFFICIAL: official}}


@pytest.mark.parametrize(
    ("items", "version"),
    [
        ([remote("a", "2", is_latest=False), remote("a", "1", is_latest=True)], "1"),
        (
            [{"server": remote("a", "2"), **mark(isLatest=False)}, {"server": remote("a", "1"), **mark(isLatest=True)}],
            "1",
        ),
        ([{"server": remote("a", "1"), **mark(is_latest=True)}, {"server": remote("a", "2")}], "1"),
        ([remote("a", "1", **mark(isLatest=True)), remote("a", "2", **mark(isLatest=False))], "1"),
        (
            [{"server": remote("a", "1"), "x-io.modelcontextprotocol.registry": {"is_latest": True}}, remote("a", "2")],
            "1",
        ),
        ([{"server": remote("a", "1"), "_meta": {"isLatest": True}}, remote("a", "2")], "1"),
        ([remote("a", "1"), remote("a", "2", status="deleted")], "1"),
        ([{"server": remote("a", "1"), **mark(isLatest=False)}], None),
        ([{"server": remote("a", "2"), **mark(isLatest=True, status="deleted")}, remote("a", "1")], None),
        ([remote("a", "1", status="deleted")], None),
        ([{"server": remote("a", "1", status="deleted")}], None),
        ([{"server": remote("a", "1"), "status": "Deleted"}], None),
        ([{"server": remote("a", "1"), "x-io.modelcontextprotocol.registry": {"status": "deleted"}}], None),
        ([{"server": remote("a", "1"), "_meta": {"status": "deleted"}}], None),
        ([remote("a", "2", status="superseded"), remote("a", "1")], "1"),
        ([{"server": remote("a", "1"), **mark(status="Superseded")}], None),
        ([{"name": "a", "url": "https://a.example/", "status": "superseded"}], None),
    ],
    ids=lambda value: json.dumps(value)[:80],
)
def test_c8_superseded_and_deleted_ones_are_no_entries(items: list[Any], version: str | None) -> None:
    for order in (items, items[::-1]):
        parsed = catalog({"servers": order})
        assert places({"servers": order}) == ([("a", f"https://a.example/{version}")] if version else [])
        assert (parsed.skipped, parsed.complete) == ((), True)


def test_c8_the_version_detail_of_older_files() -> None:
    old = [{**remote("a", "1"), "version": None, "version_detail": {"version": "9.0.0"}},
           {**remote("a", "2"), "version": None, "version_detail": {"version": "10.0.0"}}]  # fmt: skip
    assert places(old) == [("a", "https://a.example/2")]
    old[0]["version_detail"]["is_latest"] = True
    old[1]["version_detail"]["is_latest"] = False
    assert places(old) == [("a", "https://a.example/1")]


STACKLOK = "io.modelcontextprotocol.registry/publisher-provided"


@pytest.mark.parametrize(
    "document",
    [
        {"servers": {"a": {**LEGACY, "status": "Deprecated"}}},
        {"remote_servers": {"a": {"url": "https://a.example", "status": "deprecated"}}},
        [remote("a", status="deprecated")],
        [{"server": remote("a"), **mark(status="deprecated", isLatest=True)}],
        [{"server": remote("a", status="active"), **mark(status="deprecated")}],
        [{"server": remote("a", status="deprecated"), **mark(status="active")}],
        [{"server": remote("a"), "x-io.modelcontextprotocol.registry": {"status": "deprecated"}}],
        [remote("a", _meta={STACKLOK: {"status": "deprecated"}})],
        [remote("a", _meta={STACKLOK: {"io.github.stacklok": {"https://a.example/": {"status": "Deprecated"}}}})],
    ],
    ids=lambda document: json.dumps(document)[:80],
)
def test_c8_deprecated_ones_are_entries_and_say_so(document: object) -> None:
    parsed = catalog(document)
    assert [entry.status for entry in parsed.entries] == ["deprecated"]
    assert parsed.skipped == ()


def test_c4_equal_urls_take_the_first_transport_and_the_newest_description() -> None:
    url = "https://a.example/mcp"
    both = {"name": "a", "remotes": [{"type": "streamable-http", "url": url}, {"type": "sse", "url": url}]}
    parsed = catalog([both])
    assert [entry.transport for entry in parsed.entries] == ["streamable-http"]
    assert parsed.skipped == ()
    items = [
        {"server": {**both, "description": text}, **mark(updatedAt=f"2025-0{month}-01T00:00:00Z")}
        for text, month in (("old", 1), ("new", 5), ("middle", 3))
    ]
    for order in (items, items[::-1]):
        parsed = catalog({"servers": order})
        assert [entry.description for entry in parsed.entries] == ["new"]
        assert [item.identity == parsed.entries[0].identity for item in parsed.skipped] == [True]


# Words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://{tenant}/mcp", "a URL with variables: tenant"),
        ("https://${TENANT}.example/{path}", "a URL with variables: TENANT, path"),
        ("https://{{host}}/mcp", "a URL with variables: host"),
        ("https://<your-host>/mcp", "a URL with variables: your-host"),
        ("{baseUrl}/mcp", "a URL with variables: baseUrl"),
        ("https://$HOST/mcp", "a URL with variables: HOST"),
        ("https://${HOST:-localhost}/mcp", "a URL with variables: HOST"),
        ("https://%TENANT%.example/", "a URL with variables: TENANT"),
        ("https://x.example/?key={API_KEY}", "a URL with variables: API_KEY"),
        ("https://x.example/${input:token}", "a URL with variables: token"),
        ("npx://x@1", "a package, not a URL"),
    ],
)
def test_c5_a_url_that_is_none_says_what_it_is(url: str, words: str) -> None:
    for document in ({"remote_servers": {"a": {"url": url}}}, [{"name": "a", "remotes": [{"url": url}]}],
                     {"registry": {"a": {"remote": {"url": url}}}}):  # fmt: skip
        (item,) = catalog(document).skipped
        assert (item.reason, item.kind, item.identity) == (words, Kind.REMOTE, None)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("uvx://x@0.3.1", "a package, not an image"),
        ("npx://@a/b@1", "a package, not an image"),
        ("go://github.com/a/b", "a package, not an image"),
        ("pkg:npm/x@1", "a package, not an image"),
        ("ghcr.io/${ORG}/x:{version}", "an image with variables: ORG, version"),
        ("x/<name>", "an image with variables: name"),
    ],
)
def test_c5_an_image_that_is_none_says_what_it_is(image: str, words: str) -> None:
    package = {"registryType": "oci", "identifier": image}
    for document in ({"servers": {"a": {"image": image}}}, [{"name": "a", "packages": [package]}],
                     {"registry": {"a": {"image": image}}}):  # fmt: skip
        (item,) = catalog(document).skipped
        assert (item.reason, item.kind, item.identity) == (words, Kind.CONTAINER, None)


@pytest.mark.parametrize("url", ["https://x.example/?$top=5", "https://x.example/a%20b", "https://x.example/%7Bid%7D"])
def test_i2_a_url_with_unusual_characters_is_one(url: str) -> None:
    assert len(catalog({"remote_servers": {"a": {"url": url}}}).entries) == 1


# The real catalogs


def facts(document: dict[str, Any]) -> str:
    """A digest of what stands in a document of ToolHive's own format, taken from it without the program."""
    rows = [
        [name, field, entry[field], entry.get("transport", ""), entry.get("description", "").strip(),
         sorted(set(entry.get("tags") or [])), sorted(entry.get("tools") or []), entry.get("repository_url", "")]
        for section, field in (("servers", "image"), ("remote_servers", "url"))
        for name, entry in (document.get(section) or {}).items()
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()


@pytest.mark.parametrize("version", ["2025-04-18", "2025-12-30", "2026-02-17", "2026-02-18"])
def test_the_real_catalogs_give_the_rows_that_stand_in_them(version: str) -> None:
    file = REAL / f"toolhive-{version}.json"
    if not file.is_file():
        pytest.skip("the real catalogs are not beside this checkout")
    document = json.loads(file.read_text())
    rows = [
        [entry.name, "url" if entry.identity.kind is Kind.REMOTE else "image", entry.identity.raw, entry.transport,
         entry.description, sorted(entry.tags), sorted(tool.name for tool in entry.tools), entry.repository]
        for entry in catalog(document).entries
    ]  # fmt: skip
    assert hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest() == facts(document)
    deprecated = {n for s in ("servers", "remote_servers") for n, e in document.get(s, {}).items()
                  if e.get("status") == "Deprecated"}  # fmt: skip
    assert {entry.name for entry in catalog(document).entries if entry.status} == deprecated

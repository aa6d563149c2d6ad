"""``search`` on the command line: filters, explanations, why not, servers, saved queries (Q1, Q3, Q4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.cli.main import DONE, FAILED, PARTLY, USAGE
from mcp_optimizer.domain.views import WEAK_WORDS

FORECAST = "weather/get_forecast"


def said(call: Any, *arguments: str) -> Any:
    """The JSON document that a search prints."""
    code, out, err = call("search", *arguments, "--json")
    assert code == DONE, err
    return json.loads(out)


def servers(hits: list[dict[str, Any]]) -> set[str]:
    """The servers whose tools were found."""
    return {hit["server"] for hit in hits}


def test_q1_scopes_group_and_limit_narrow_what_is_found(filled: Any) -> None:
    scopes = {scope: said(filled, "weather", "--scope", scope) for scope in ("workload", "registry", "all")}
    assert {hit["scope"] for hit in scopes["workload"]} == {"workload"}
    assert {hit["scope"] for hit in scopes["registry"]} == {"registry"}
    assert {hit["scope"] for hit in scopes["all"]} == {"workload", "registry"}
    assert len(said(filled, "weather", "--limit", "1")) == 1
    assert servers(said(filled, "weather", "--group", "team-a")) <= {
        "files-team-a",
        "home-grown",
        "notes",
        "postgrest-fork",
        "switchboard",
    }
    assert len(said(filled, "weather", "--group", "team-a")) == 8
    assert said(filled, "weather", "--group", "no such group") == []


@pytest.mark.parametrize("query", ["weather forecast", "get_forecast", "zither quux", "fold the laundry", "天气"])
def test_q3_each_hit_says_whether_it_is_weak(filled: Any, query: str) -> None:
    hits = said(filled, query)
    assert hits
    for hit in hits:
        sure = hit["exact_name"] or hit["semantic_distance"] <= 0.75 or hit["coverage"] >= 0.6
        assert hit["weak"] is not sure
    assert (WEAK_WORDS in filled("search", query)[1]) is all(hit["weak"] for hit in hits)


def test_q4_stopped_servers_are_searched_when_asked_for(filled: Any, snapshot: str, tmp_path: Path) -> None:
    document = json.loads(Path(snapshot).read_text())
    for workload in document["workloads"]:
        if workload["name"] == "weather":
            workload["status"] = "stopped"
    stopped = tmp_path / "stopped.json"
    stopped.write_text(json.dumps(document))
    assert "weather" in servers(said(filled, "get_forecast"))
    assert filled("ingest", "workloads", "--from", str(stopped))[0] == PARTLY
    assert "weather" not in servers(said(filled, "get_forecast"))
    assert servers(said(filled, "get_forecast", "--status", "stopped")) == {"weather"}
    assert said(filled, "get_forecast", "--status", "any", "--limit", "1")[0]["server"] == "weather"
    assert said(filled, "get_forecast", "--why", FORECAST)["reason"] == "status"
    assert "the server is stopped, not running" in filled("search", "get_forecast", "--why", FORECAST)[1]


def test_q3_explain_gives_ranks_scores_words_and_tokens(filled: Any) -> None:
    first, second = said(filled, "weather forecast", "--limit", "2")
    lines = filled("search", "weather forecast", "--limit", "2", "--explain")[1].splitlines()
    assert lines[0] == f"1. {first['server']} / {first['tool']}  score {first['score']:.4f}"
    assert f"meaning: place {first['semantic_rank']}, distance {first['semantic_distance']:.3f}" in lines[1]
    assert f"words: place {first['text_rank']}, score {first['text_score']:.2f}" in lines[1]
    assert any(line.startswith("   description: ") and "forecast" in line for line in lines)
    tokens, _, rest = lines[-1].partition(" tokens returned, of ")
    assert int(tokens) == first["tokens"] + second["tokens"]
    assert int(rest.split()[0]) > int(tokens)


def test_q3_explain_says_that_a_name_is_exact(filled: Any) -> None:
    assert said(filled, "get_forecast", "--limit", "1")[0]["exact_name"]
    assert "   exact name; " in filled("search", "get_forecast", "--explain", "--limit", "1")[1]


@pytest.mark.parametrize(
    ("arguments", "expected", "reason"),
    [
        (("get_forecast",), FORECAST, "found"),
        (("weather",), "nobody/get_forecast", "no-such-server"),
        (("weather",), "weather/nothing", "no-such-tool"),
        (("weather", "--group", "team-a"), FORECAST, "group"),
        (("list tickets", "--limit", "1"), FORECAST, "outranked"),
    ],
)
def test_q3_why_a_tool_is_where_it_is(filled: Any, arguments: tuple[str, ...], expected: str, reason: str) -> None:
    answer = said(filled, *arguments, "--why", expected)
    server, _, tool = expected.partition("/")
    assert (answer["server"], answer["tool"], answer["reason"]) == (server, tool, reason)
    lines = filled("search", *arguments, "--why", expected)[1].splitlines()
    assert lines[0] == f"{server} / {tool}: {answer['detail']}"
    assert [line.removeprefix("   above it: ") for line in lines if "above it: " in line] == answer["above"]
    if reason == "outranked":
        assert answer["place"] > 1
        assert f"{answer['place'] - 1} tools are ranked above it" in answer["detail"]


@pytest.mark.parametrize("expected", ["weather", "/get_forecast", "weather/", ""])
def test_why_takes_a_server_and_a_tool(filled: Any, expected: str) -> None:
    code, _, err = filled("search", "weather", "--why", expected)
    assert code == USAGE
    assert "SERVER/TOOL" in err


def test_servers_says_which_one_to_install(filled: Any) -> None:
    first, *_ = said(filled, "weather forecast for tomorrow", "--servers", "--limit", "3")
    assert {"server", "description", "score", "distance", "tools", "workloads", "kind", "identity"} <= set(first)
    assert (first["server"], first["workloads"]) == ("tidewatch-weather", 1)
    out = filled("search", "weather forecast for tomorrow", "--servers", "--limit", "1")[1]
    assert "tidewatch-weather" in out
    assert len(out.splitlines()) == 2


def test_check_says_what_moved_and_leaves_with_3(filled: Any, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    good = {"query": "get_forecast", "expect": [FORECAST], "within": 1}
    saved.write_text(json.dumps([good]))
    code, out, _ = filled("search", "--check", str(saved))
    assert (code, out.strip()) == (DONE, "1 of 1 saved queries find what they should")

    moved = {"query": "list tickets", "expect": [FORECAST, "gone/tool"], "within": 1}
    saved.write_text(f"{json.dumps(good)}\n{json.dumps(moved)}\n")
    code, out, _ = filled("search", "--check", str(saved), "--json")
    results = json.loads(out)
    assert code == PARTLY
    assert [result["ok"] for result in results] == [True, False]
    assert results[1]["places"]["gone/tool"] is None
    told = filled("search", "--check", str(saved))[1].splitlines()
    assert told[0] == "1 of 2 saved queries find what they should"
    assert f"list tickets: {FORECAST} at place {results[1]['places'][FORECAST]}, expected within 1" in told
    assert "list tickets: gone/tool not found, expected within 1" in told


@pytest.mark.parametrize("content", [b"[1]", b"{", b'[{"query": ""}]'])
def test_b_saved_queries_that_are_none_fail_with_the_reason(filled: Any, tmp_path: Path, content: bytes) -> None:
    saved = tmp_path / "saved.json"
    saved.write_bytes(content)
    code, out, err = filled("search", "--check", str(saved))
    assert (code, out) == (FAILED, "")
    assert "not saved queries" in err


def test_a_search_that_can_not_be_asked_is_a_usage_error(filled: Any, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for arguments in (
        (),
        ("--check", str(tmp_path / "absent")),
        ("--check", str(binary)),
        ("x", "--limit", "0"),
        ("x", "--limit", "201"),
        ("x", "--scope", "elsewhere"),
    ):
        assert filled("search", *arguments)[0] == USAGE, arguments


def test_nothing_found_says_where_else_to_look(filled: Any) -> None:
    code, out, _ = filled("search", "weather", "--group", "no such group", "--explain")
    assert code == DONE
    assert "--scope all" in out

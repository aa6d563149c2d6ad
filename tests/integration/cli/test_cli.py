"""The command line as its users call it: commands, JSON shapes and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.demo.sample import sample_catalog
from mcp_optimizer.sources.registry.documents import parse_catalog
from tests.support.places import Place

DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3


def test_ingest_reports_counts_and_problems_and_leaves_with_3(call: Any, snapshot: str) -> None:
    code, out, _ = call("ingest", "all", "--from", snapshot, "--json")
    report = json.loads(out)
    entries = parse_catalog(sample_catalog(), source="sample").entries
    assert code == PARTLY
    assert report["registry"]["added"] == len(entries) - len(report["registry"]["duplicates"])
    assert [item["name"] for item in report["workloads"]["rejected"]] == ["parcels"]
    assert report["embedded_texts"] > 0
    assert {"added", "updated", "removed", "unchanged", "linked", "autonomous", "rejected", "failed"} <= set(
        report["workloads"]
    )


def test_a_second_ingestion_embeds_nothing_and_changes_nothing(filled: Any, snapshot: str) -> None:
    _, out, _ = filled("ingest", "all", "--from", snapshot, "--json")
    report = json.loads(out)
    assert report["embedded_texts"] == 0
    for half in ("registry", "workloads"):
        assert not any(report[half].get(change) for change in ("added", "updated", "renamed", "retagged", "removed"))


def test_ingesting_the_registry_alone_leaves_the_workloads_null(call: Any, snapshot: str) -> None:
    _, out, _ = call("ingest", "registry", "--from", snapshot, "--json")
    assert json.loads(out)["workloads"] is None


def test_several_files_give_a_list_of_reports(call: Any, snapshot: str) -> None:
    _, out, _ = call("ingest", "registry", "--from", snapshot, "--from", snapshot, "--json")
    first, second = json.loads(out)
    assert first["registry"]["added"] > 0
    assert second["registry"]["added"] == 0


def test_dry_run_says_the_same_and_stores_nothing(call: Any, snapshot: str) -> None:
    _, dry, _ = call("ingest", "all", "--from", snapshot, "--dry-run", "--json")
    assert json.loads(call("registry", "list", "--json")[1]) == []
    _, real, _ = call("ingest", "all", "--from", snapshot, "--json")
    ignored = {"seconds", "dry_run"}
    assert {k: v for k, v in json.loads(dry).items() if k not in ignored} == {
        k: v for k, v in json.loads(real).items() if k not in ignored
    }


@pytest.mark.parametrize(
    "content", ["", "{", '{"servers": {"a": ', "[1, 2", "null", '"text"', "42", "[]", '{"hello": 1}', '{"servers": 7}']
)
def test_a_source_that_cannot_be_read_fails_and_changes_nothing(filled: Any, tmp_path: Path, content: str) -> None:
    before = filled("registry", "list", "--json")[1]
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    code, out, err = filled("ingest", "registry", "--from", str(bad), "--json")
    if code == PARTLY:  # a catalog whose parts are wrong says so, and nothing stored is lost (C6)
        assert json.loads(out)["registry"]["skipped"]
    else:
        assert code == FAILED
        assert err.startswith("error: ")
        assert len(err.splitlines()) <= 2
    assert filled("registry", "list", "--json")[1] == before


def test_a_missing_file_is_one_readable_line(call: Any, tmp_path: Path) -> None:
    code, _, err = call("ingest", "registry", "--from", str(tmp_path / "missing.json"))
    assert code == FAILED
    assert "missing.json" in err
    assert "Traceback" not in err


def test_registry_list_and_show_have_the_promised_keys(filled: Any) -> None:
    servers = json.loads(filled("registry", "list", "--json")[1])
    assert {"name", "kind", "identity", "transport", "tools", "workloads", "duplicates"} <= set(servers[0])
    shared = next(server for server in servers if server["duplicates"])
    shown = json.loads(filled("registry", "show", shared["name"], "--json")[1])
    assert shown["identity"] == shared["identity"]
    assert len(shown["tool_list"]) == shared["tools"]


def test_workload_list_has_the_promised_keys_and_the_rejected_one(filled: Any) -> None:
    workloads = json.loads(filled("workload", "list", "--json")[1])
    promised = {
        "name", "kind", "identity", "status", "status_reason", "relation", "registry_server", "drift", "group",
        "tools", "description", "description_source", "context_name",
    }  # fmt: skip
    assert promised <= set(workloads[0])
    assert {"linked", "autonomous", "rejected"} == {workload["relation"] for workload in workloads}


def test_explain_marks_the_difference_of_a_near_miss(filled: Any) -> None:
    code, out, _ = filled("workload", "explain", "ledgerly-beta")
    assert code == DONE
    assert "other-tag" in out
    lines = out.splitlines()
    running = next(place for place, line in enumerate(lines) if line.strip().startswith("running"))
    assert set(lines[running + 1].strip()) <= {"^", " "}
    explained = json.loads(filled("workload", "explain", "ledgerly-beta", "--json")[1])
    assert {"workload", "kind", "identity", "verdict", "registry_server", "steps", "near_misses"} <= set(explained)
    assert set(explained["near_misses"][0]) >= {"registry_server", "reason", "running", "catalog"}


def test_an_unknown_name_fails_with_a_remedy(filled: Any) -> None:
    code, _, err = filled("workload", "explain", "nobody")
    assert code == FAILED
    assert "nobody" in err
    assert "try:" in err


def test_search_finds_by_meaning_and_says_why(filled: Any) -> None:
    hits = json.loads(filled("search", "what will the weather be tomorrow", "--json", "--limit", "3")[1])
    assert len(hits) == 3
    assert {
        "server",
        "tool",
        "scope",
        "description",
        "score",
        "semantic_rank",
        "semantic_distance",
        "text_rank",
    } <= set(hits[0])
    assert hits[0]["server"] == "weather"
    assert "meaning: place" in filled("search", "weather", "--explain")[1]


def test_search_takes_any_text(filled: Any) -> None:
    for query in ('"', "AND", "name:", "c++ (", "*", "🦊", " "):
        code, _, _ = filled("search", query)
        assert code == DONE


def test_deleting_asks_for_consent_and_says_what_follows(filled: Any) -> None:
    code, _, err = filled("registry", "delete", "harbor-files")
    assert code == USAGE
    assert "--yes" in err
    dry = json.loads(filled("registry", "delete", "harbor-files", "--dry-run", "--json")[1])
    assert dry["unlinked"] == ["files-team-a", "files-team-b"]
    done = json.loads(filled("registry", "delete", "harbor-files", "--yes", "--json")[1])
    assert {**dry, "dry_run": False} == done
    workloads = json.loads(filled("workload", "list", "--json")[1])
    assert {w["relation"] for w in workloads if w["name"] in dry["unlinked"]} == {"autonomous"}
    assert filled("db", "check")[0] == DONE


def test_deleting_a_workload_takes_its_tools_along(filled: Any) -> None:
    assert filled("workload", "delete", "weather", "--yes")[0] == DONE
    hits = json.loads(filled("search", "weather forecast", "--json")[1])
    assert "weather" not in {hit["server"] for hit in hits}
    assert filled("db", "check")[0] == DONE


def test_reindex_makes_the_search_tables_anew(filled: Any) -> None:
    assert json.loads(filled("db", "reindex", "--json")[1])["indexed"] > 0
    assert json.loads(filled("db", "check", "--json")[1])["findings"]


def test_upgrade_says_what_it_did(call: Any) -> None:
    assert "upgraded" in call("db", "upgrade")[1]
    assert "already up to date" in call("db", "upgrade")[1]


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ingest", "everything"], ["search"], ["search", "x", "--limit", "0"]]
)
def test_wrong_usage_leaves_with_2(call: Any, arguments: list[str]) -> None:
    assert call(*arguments)[0] == USAGE


def test_help_names_no_command_that_does_not_exist(call: Any) -> None:
    _, out, _ = call("--help")
    listed = {line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.strip()}
    for command in listed:
        assert call(command, "--help")[0] == DONE


def test_without_a_terminal_the_program_prints_and_leaves_with_0(snapshot: str, database: Place, settings: Any) -> None:
    """Through a pipe, in a process of its own: no screen is opened, and nothing but the answer is on stdout."""
    base = [sys.executable, "-m", "mcp_optimizer", "--db", database.url]
    environment = {**os.environ, "MCP_OPTIMIZER_CACHE_DIR": str(settings.cache_dir)}
    done = subprocess.run(
        [*base, "ingest", "all", "--from", snapshot], capture_output=True, env=environment, check=False
    )
    assert done.returncode == PARTLY
    shown = subprocess.run(base, capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL)
    assert shown.returncode == DONE
    assert "Relationships" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_relations_are_changed_by_hand_after_a_dry_run(filled: Any) -> None:
    """L3, L5: link, unlink and re-match say beforehand what they do, and need consent."""
    link = ("workload", "link", "ledgerly-beta", "ledgerly-books")
    dry = json.loads(filled(*link, "--dry-run", "--json")[1])
    assert dry["linked"] == [{"workload": "ledgerly-beta", "registry_server": "ledgerly-books", "before": None}]
    assert filled(*link)[0] == USAGE
    assert json.loads(filled(*link, "--yes", "--json")[1]) == {**dry, "dry_run": False}
    shown = json.loads(filled("workload", "explain", "ledgerly-beta", "--json")[1])
    assert (shown["verdict"], shown["registry_server"]) == ("linked", "ledgerly-books")
    assert [change["cause"] for change in shown["history"]] == ["first-match", "linked-by-hand"]
    assert shown["drift"]
    assert filled("workload", "unlink", "ledgerly-beta", "--yes")[0] == DONE
    assert json.loads(filled("workload", "rematch", "--all", "--yes", "--json")[1])["linked"] == []
    assert filled("workload", "rematch")[0] == USAGE
    assert filled("db", "check")[0] == DONE


def test_linking_to_another_kind_is_refused(filled: Any) -> None:
    code, _, err = filled("workload", "link", "ledgerly-beta", "brightdesk-tickets", "--yes")
    assert code == FAILED
    assert "kind" in err


def test_resolving_a_duplicate_lets_the_rejected_workload_in(filled: Any, snapshot: str) -> None:
    """M3: the choice is stored, applied at once, and survives re-ingestion."""
    (shared,) = {s["identity"] for s in json.loads(filled("registry", "list", "--json")[1]) if s["duplicates"]}
    report = json.loads(filled("registry", "resolve", shared, "parcelpost-community", "--yes", "--json")[1])
    assert report["waiting"] == ["parcels"]
    filled("ingest", "all", "--from", snapshot)
    shown = json.loads(filled("workload", "show", "parcels", "--json")[1])
    assert shown["registry_server"] == "parcelpost-community"
    assert filled("registry", "resolve", shared, "nobody", "--yes")[0] == FAILED


def test_a_snapshot_is_exported(filled: Any, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert json.loads(filled("snapshot", "export", str(target), "--json")[1])["workloads"] > 20
    assert json.loads(target.read_text())["format"] == "mcp-optimizer-snapshot/1"

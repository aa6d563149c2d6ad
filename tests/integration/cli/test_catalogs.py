"""Catalogs through the command line: parts delete nothing, many alike are one line, what goes is named (C3, C5, C6)."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.text import one_line

DONE, PARTLY = 0, 3


def remote(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "remotes": [{"type": "sse", "url": f"https://{name}.example/"}], **more}


WHOLE = [remote("a"), remote("b"), remote("c", status="deprecated")]


@pytest.fixture
def ingest(call: Any, tmp_path: Path) -> Any:
    """Ingests a document as a catalog; gives exit code, report and text of the registry half."""

    def run(document: object, *options: str, name: str = "catalog.json") -> tuple[int, dict[str, Any]]:
        file = tmp_path / name
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        code, out, err = call("ingest", "registry", "--from", str(file), "--json", *options)
        assert out, err
        return code, json.loads(out)["registry"]

    return run


def names(call: Any) -> list[str]:
    return [server["name"] for server in json.loads(call("registry", "list", "--json")[1])]


@pytest.mark.parametrize(
    "part",
    [
        {"servers": WHOLE[:1], "metadata": {"nextCursor": "x"}},
        {"servers": WHOLE[:1], "metadata": {"total": 3}},
        {"servers": WHOLE[:1], "links": {"next": "/v0/servers?page=2"}},
        {"servers": [WHOLE[0], 5]},
        {"servers": [WHOLE[0], {"remotes": []}]},
        [WHOLE[0], None],
        {"registry": {"servers": WHOLE[:1]}, "has_more": True},
    ],
    ids=json.dumps,
)
def test_c6_a_part_deletes_nothing_and_says_so(call: Any, ingest: Any, part: object) -> None:
    assert ingest(WHOLE)[0] == DONE
    code, report = ingest(part)
    assert (code, report["complete"], report["removed"]) == (PARTLY, False, 0)
    assert names(call) == ["a", "b", "c"]
    assert ingest(WHOLE) == (DONE, {**report, "complete": True, "skipped": [], "skipped_by_reason": [], "unchanged": 3})


def test_c8_a_deprecated_entry_says_so_everywhere(call: Any, ingest: Any) -> None:
    ingest(WHOLE)
    servers = json.loads(call("registry", "list", "--json")[1])
    assert [(server["name"], server["status"]) for server in servers] == [("a", ""), ("b", ""), ("c", "deprecated")]
    assert json.loads(call("registry", "show", "c", "--json")[1])["status"] == "deprecated"
    assert "deprecated" in call("registry", "show", "c")[1]
    assert [line.split()[-1] for line in call("registry", "list")[1].splitlines()] == [
        "STATUS", "https://a.example/", "https://b.example/", "deprecated",
    ]  # fmt: skip
    code, report = ingest([remote("a"), remote("b"), remote("c")])
    assert (code, report["updated"]) == (DONE, 1)
    assert json.loads(call("registry", "show", "c", "--json")[1])["status"] == ""


def test_c5_many_entries_of_one_reason_are_one_line_and_one_problem(call: Any, ingest: Any, tmp_path: Path) -> None:
    npm = [{"name": f"n{n:02}", "packages": [{"registryType": "npm", "identifier": "x"}]} for n in range(95)]
    code, report = ingest([*WHOLE, *npm])
    assert (code, report["complete"], len(report["skipped"])) == (PARTLY, True, 95)
    (group,) = report["skipped_by_reason"]
    assert len(group["names"]) == 95
    _, out, _ = call("ingest", "registry", "--from", str(tmp_path / "catalog.json"))
    lines = [line for line in out.splitlines() if "skipped " in line]
    assert len(lines) == 1
    assert "95 entries" in lines[0]
    assert "npm" in lines[0]
    assert "n00, n01, n02 and 92 more" in lines[0]


def test_c3_a_removal_names_the_entries_and_the_workloads_that_lose_their_link(filled: Any, tmp_path: Path) -> None:
    servers = json.loads(filled("registry", "list", "--json")[1])
    linked = [
        workload["name"]
        for workload in json.loads(filled("workload", "list", "--json")[1])
        if workload["relation"] == "linked"
    ]
    assert linked
    file = tmp_path / "other.json"
    file.write_text(json.dumps(WHOLE))
    _, out, _ = filled("ingest", "registry", "--from", str(file), "--dry-run", "--json")
    report = json.loads(out)["registry"]
    assert sorted(report["removed_names"]) == sorted(server["name"] for server in servers)
    assert sorted(report["unlinked"]) == sorted(linked)
    _, out, _ = filled("ingest", "registry", "--from", str(file), "--dry-run")
    (removed,) = [line for line in out.splitlines() if line.startswith("  removed ")]
    (unlinked,) = [line for line in out.splitlines() if line.startswith("  unlinked ")]
    assert [one_line(server["name"]) for server in servers if one_line(server["name"]) not in removed] == []
    assert [name for name in linked if one_line(name) not in unlinked] == []


def test_c5_docker_catalog_in_yaml_through_the_command_line(call: Any, ingest: Any) -> None:
    text = "registry:\n  fetch:\n    image: mcp/fetch\n  docs:\n    remote: {url: 'https://docs.example/mcp'}\n"
    code, report = ingest(text, name="catalog.yaml")
    assert (code, report["added"]) == (DONE, 2)
    assert names(call) == ["docs", "fetch"]

"""A credential in every field of every source, in every shape, is stored, exported, logged and shown nowhere (S7)."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from tests.support.database import everything
from tests.support.kubernetes import FakeApiServer, resource
from tests.support.places import Place, SqlitePlace
from tests.support.planted_documents import CANARY, Planter

COMMANDS = (("registry", "list"), ("workload", "list"), ("search", "planted"), ("db", "check"))
OF_KEYED = (("workload", "explain", "keyed"), ("workload", "show", "keyed"))


def around(text: str) -> list[str]:
    """Where the canary stands in a text."""
    return [text[max(0, at - 60) : at + 40] for at in range(len(text)) if text.startswith(CANARY, at)]


@pytest.mark.parametrize("kind", ["legacy_catalog", "upstream_catalog", "snapshot"])
def test_s7_of_a_document_nothing_is_given_away(
    call: Any, database: Place, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document, exported = tmp_path / "given.json", tmp_path / "exported.json"
    make: Callable[[], Any] = getattr(Planter(), kind)
    document.write_text(json.dumps(make()))
    part = "all" if kind == "snapshot" else "registry"
    runs = [("ingest", part, "--from", str(document), "--json"), ("ingest", part, "--from", str(document))]
    keyed = OF_KEYED if kind == "snapshot" else ()
    said = _said(call, *runs, *COMMANDS, *keyed, ("snapshot", "export", str(exported)))
    stored = everything(database).decode("utf-8", "replace")
    assert "planted" in stored, "what is stored at all is found"
    assert {"stored": around(stored), "said": around(said), "exported": around(exported.read_text())} == {
        "stored": [], "said": [], "exported": [],
    }  # fmt: skip


@pytest.mark.sqlite
async def test_s7_of_toolhive_nothing_is_given_away(call: Any, database: Place, tmp_path: Path) -> None:
    planter, exported = Planter(), tmp_path / "exported.json"
    workloads = planter.workloads()[:-2]
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": planter.text()}}
    async with ToolHiveSimulator(catalog=planter.legacy_catalog(), workloads=workloads) as toolhive:
        for name in ("speaks", "fails", "errors"):
            toolhive.put_workload(planter.workload(name, status="running", tool_definitions=[planter.tool(name)]))
        toolhive.set_fault("mcp:fails", Fault(status=500, body=planter.text().encode()))
        toolhive.set_fault("mcp:errors", Fault(body=json.dumps(error).encode()))
        toolhive.set_fault("workload:keyed", Fault(status=500, body=planter.text().encode()))
        runs = [("ingest", "all", "--from", toolhive.url), ("ingest", "workloads", "--from", toolhive.url, "--json")]
        runs += [*COMMANDS, *OF_KEYED, ("snapshot", "export", str(exported))]
        said = await asyncio.to_thread(_said, call, *runs)
    stored = everything(database).decode("utf-8", "replace")
    assert "planted" in stored
    assert "tools not fetched" in said, "there is a log to be looked into"
    assert {"stored": around(stored), "said": around(said), "exported": around(exported.read_text())} == {
        "stored": [], "said": [], "exported": [],
    }  # fmt: skip


@pytest.mark.sqlite
async def test_s7_of_a_cluster_nothing_is_given_away(
    call: Any, database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    planter = Planter()
    conditions = [{"type": "Ready", "status": "False", **planter.texts("reason", "message")}]
    away = f"https://me:{CANARY}@r.example/mcp?token={CANARY}"
    items = [
        resource("MCPServer", "a/one", {"image": "a/b", "groupRef": planter.text()}, {"phase": planter.text()}),
        resource("MCPServer", "a/two", {"image": planter.text()}, {"phase": "Failed", "message": planter.text()}),
        resource("MCPRemoteProxy", "a/three", {"remoteUrl": away}, {"phase": "Failed", "conditions": conditions}),
        resource("MCPServerEntry", "a/keyed", {"remoteUrl": away, "transport": planter.text()}),
        resource("VirtualMCPServer", "a/five", {"config": {"group": planter.text()}}, {"url": away}),
    ]
    async with FakeApiServer(*items) as cluster:
        monkeypatch.setenv("MCP_OPTIMIZER_K8S_API_SERVER_URL", cluster.url)
        monkeypatch.setenv("MCP_OPTIMIZER_RUNTIME_MODE", "k8s")
        monkeypatch.setenv("MCP_OPTIMIZER_MCP_TIMEOUT", "1")
        said = await asyncio.to_thread(_said, call, ("ingest", "workloads"), ("workload", "list", "--json"))
    stored = everything(database).decode("utf-8", "replace")
    assert "planted" in stored
    assert {"stored": around(stored), "said": around(said)} == {"stored": [], "said": []}


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "registry", "--from", f"ftp://u:{CANARY}@h/x"),
        ("ingest", "registry", "--from", f"/a/token={CANARY}"),
        ("ingest", "registry", "--from", f"http://u:{CANARY}@127.0.0.1:9/x?token={CANARY}#{CANARY}"),
        ("ingest", "all", "--from", f"unix://u:{CANARY}@h"), ("workload", "show", f"token={CANARY}"),
        ("registry", "resolve", f"https://me:{CANARY}@h.example/", "x"), ("nothing", f"password={CANARY}"),
        (f"--password={CANARY}",), ("search", "--limit", f"token={CANARY}", "x"),
        ("workload", "link", f"token={CANARY}", f"https://u:{CANARY}@h/"),
        ("snapshot", "export", f"/no/token={CANARY}"),
        ("--db", f"postgresql:/me:{CANARY}@h/db", "workload", "list"),
        ("--db", f"host=h password={CANARY}", "db", "check"),
        ("--db", f"postgres//me:{CANARY}@h", "workload", "list"),
        ("--log-level", f"token={CANARY}", "workload", "list"),
    ],
)  # fmt: skip
def test_s7_of_the_command_line_nothing_is_given_away(call: Any, database: Place, arguments: tuple[str, ...]) -> None:
    code, *said = call("--log-level", "debug", *arguments)
    assert code in {1, 2}
    assert around("".join(said)) == []
    assert isinstance(database, SqlitePlace)
    if database.path.parent.exists():
        assert CANARY.encode() not in everything(database)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["MCP_OPTIMIZER_DB_URL", "MCP_OPTIMIZER_TOOLHIVE_URL", "MCP_OPTIMIZER_MCP_TIMEOUT",
    "MCP_OPTIMIZER_EMBEDDING_MODEL_NAME", "MCP_OPTIMIZER_ALLOWED_GROUPS"])  # fmt: skip
def test_s7_of_the_environment_nothing_is_given_away(call: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"postgresql:/me:{CANARY}@h/token={CANARY}")
    for command in (("doctor",), ("workload", "list"), ("ingest", "all")):
        _, *said = call("--log-level", "debug", *command)
        assert around("".join(said)) == []


def _said(call: Any, *commands: tuple[str, ...]) -> str:
    """What commands print and log; none of them may fail as a whole."""
    said = [call("--log-level", "debug", *command) for command in commands]
    assert {code for code, _, _ in said} <= {0, 3}, [parts for code, *parts in said if code not in {0, 3}]
    return "".join("".join(parts) for _, *parts in said)

"""The simulated ToolHive: its routes, its lifecycle, its files."""

import json
import time
from pathlib import Path

import httpx2
import pytest

from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.demo.simulator import ToolHiveSimulator, load_registry, load_workloads
from mcp_optimizer.errors import SourceError


async def test_starting_and_stopping_is_quick() -> None:
    began = time.monotonic()
    workloads = [{"name": f"w{n}", "package": "a/b", "tool_definitions": []} for n in range(30)]
    async with ToolHiveSimulator(catalog={}, workloads=workloads) as sim:
        started = time.monotonic() - began
        assert sim.url.startswith("http://127.0.0.1:")
    assert started < 1
    assert time.monotonic() - began < 3


async def test_its_routes_answer_as_toolhive_does() -> None:
    async with ToolHiveSimulator() as sim, httpx2.AsyncClient(base_url=sim.url) as http:
        assert (await http.get("/health")).status_code == 204
        assert (await http.get("/api/v1beta/version")).json() == {"version": "v0.31.0"}
        assert {"name": "team-a"} in (await http.get("/api/v1beta/groups")).json()["groups"]
        running = (await http.get("/api/v1beta/workloads")).json()["workloads"]
        everything = (await http.get("/api/v1beta/workloads?all=true")).json()["workloads"]
        assert {item["name"] for item in everything} - {item["name"] for item in running} == {
            "deploys",
            "hibernating",
            "calendar",
        }
        assert all("tool_definitions" not in item and "remote_url" not in item for item in everything)
        team = (await http.get("/api/v1beta/workloads?all=true&group=team-a")).json()["workloads"]
        assert {item["group"] for item in team} == {"team-a"}
        page = (await http.get("/registry/default/v0.1/servers?page=2&limit=15")).json()
        assert (len(page["servers"]), page["metadata"]) == (5, {"total": 20, "page": 2, "limit": 15})
        assert (await http.get("/api/v1beta/workloads/no-such")).status_code == 404
        assert (await http.get("/api/v1beta/workloads/search/status")).json() == {"status": "running"}


async def test_workloads_are_started_and_deleted() -> None:
    async with ToolHiveSimulator(workloads=[]) as sim, httpx2.AsyncClient(base_url=sim.url) as http:
        asked = {"name": "new", "registry": "default", "server": "skyroute-flights"}
        assert (await http.post("/api/v1beta/workloads", json=asked)).status_code == 201
        assert (await http.post("/api/v1beta/workloads", json=asked)).status_code == 409
        assert (await http.post("/api/v1beta/workloads", json={"name": "x", "server": "no"})).status_code == 404
        assert (await http.post("/api/v1beta/workloads", content=b"{")).status_code == 400
        export = (await http.get("/api/v1beta/workloads/new/export")).json()
        assert export["registry_server_name"] == "skyroute-flights"
        assert (await http.delete("/api/v1beta/workloads/new")).status_code == 202
        assert (await http.get("/api/v1beta/workloads?all=true")).json() == {"workloads": []}


async def test_a_port_in_use_is_an_error() -> None:
    async with ToolHiveSimulator(catalog={}, workloads=[]) as sim:
        with pytest.raises(SourceError, match="can't be used"):
            async with ToolHiveSimulator(catalog={}, workloads=[], port=int(sim.url.rpartition(":")[2])):
                pass


def test_files_for_the_simulator(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(json.dumps(sample_snapshot()))
    assert load_workloads(file) == sample_snapshot()["workloads"]
    assert "servers" in load_registry(file)
    for bad in ("5", "[{}]", "{", '{"workloads": 5}'):
        file.write_text(bad)
        with pytest.raises(SourceError):
            load_workloads(file)
    with pytest.raises(SourceError):
        load_registry(tmp_path / "missing.json")

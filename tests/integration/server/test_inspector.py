"""npm's inspector, from its command line, against ``serve`` over HTTP and over stdio, as people try a server out."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.service import DataService
from tests.conftest import USER_ENVIRONMENT
from tests.support.server_process import ServerProcess, server_environment

pytestmark = [pytest.mark.xdist_group("real-servers"), pytest.mark.timeout(300), pytest.mark.sqlite]

_INSPECTOR = ["npx", "--yes", "@modelcontextprotocol/inspector@0", "--cli"]


async def _inspect(*arguments: str) -> Any:
    """What the inspector prints."""
    if shutil.which("npx", path=USER_ENVIRONMENT.get("PATH")) is None:
        pytest.skip("npx is not installed here")
    process = await asyncio.create_subprocess_exec(
        *_INSPECTOR, *arguments, env=USER_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complaint = await asyncio.wait_for(process.communicate(), 120)
    if process.returncode and b"npm error" in complaint:
        pytest.skip(f"the inspector can't be downloaded here: {complaint.decode(errors='replace')[-300:]}")
    assert process.returncode == 0, complaint.decode()
    return json.loads(said)


async def _asked(*how: str) -> None:
    """List the tools, find one, and call it."""
    listed = await _inspect(*how, "--method", "tools/list")
    assert [tool["name"] for tool in listed["tools"]] == ["find_tool", "call_tool", "list_tools"]
    found = await _inspect(
        *how, "--method", "tools/call", "--tool-name", "find_tool",
        "--tool-arg", "tool_description=the weather of tomorrow", "--tool-arg", "tool_keywords=weather forecast",
    )  # fmt: skip
    best = found["structuredContent"]["tools"][0]
    assert best["mcp_server_name"] == "weather"
    assert found["structuredContent"]["token_metrics"]["tokens_saved"] > 0
    called = await _inspect(
        *how, "--method", "tools/call", "--tool-name", "call_tool", "--tool-arg", "server_name=weather",
        "--tool-arg", f"tool_name={best['name']}", "--tool-arg", "parameters={}",
    )  # fmt: skip
    assert called["content"]
    assert not called.get("isError")


async def test_the_inspector_lists_finds_and_calls(
    tmp_path: Path, model_cache: Path, real_embedder: FastEmbedder
) -> None:
    async with ToolHiveSimulator() as toolhive:
        database = tmp_path / "inspected.db"
        settings = Settings(db_url=f"sqlite:///{database}", toolhive_url=toolhive.url)
        async with DataService(settings, embedder=real_embedder) as service:
            await service.ingest(IngestPart.ALL)
        environment = server_environment(tmp_path, model_cache, toolhive_url=toolhive.url)
        async with ServerProcess(database, environment) as server:
            await _asked(server.url, "--transport", "http")
        # The inspector takes `--transport` for its own, wherever it stands.
        command = ["-m", "mcp_optimizer", "--db", f"sqlite:///{database}", "serve"]
        environment["MCP_OPTIMIZER_TRANSPORT"] = "stdio"
        known = {"ours": {"command": sys.executable, "args": command, "env": environment}}
        configuration = tmp_path / "servers.json"
        configuration.write_text(json.dumps({"mcpServers": known}))
        await _asked("--config", str(configuration), "--server", "ours")

"""The conformance suite and the official TypeScript client, from npm, against ``serve`` with odd definitions stored.

Scenarios that don't apply, and why: ``tools-call-*``, ``elicitation-*``, ``json-schema-2020-12`` and
``server-sse-polling`` call fixture tools that the server under test must have of its own (``call_tool`` passes on those
of others); ``resources-*``, ``prompts-*``, ``completion-complete`` and
``logging-set-level`` are of capabilities not offered.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ToolDefinition
from tests.conftest import USER_ENVIRONMENT, OpenService
from tests.support.builders import listing, tool, workload
from tests.support.services import ingest
from tests.support.serving import served
from tests.unit.server.test_tool_shape import MEMBERS, ODD_VALUES

pytestmark = [pytest.mark.xdist_group("real-servers"), pytest.mark.timeout(300), pytest.mark.sqlite]

PACKAGES = ("@modelcontextprotocol/sdk@1", "@modelcontextprotocol/conformance@0.1.13")
SCENARIOS = ("server-initialize", "ping", "tools-list", "server-sse-multiple-streams", "dns-rebinding-protection")
SCRIPT = """
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolSchema } from '@modelcontextprotocol/sdk/types.js';
const client = new Client({ name: 'test', version: '1' });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const names = (await client.listTools()).tools.map((tool) => tool.name);
const answers = {};
for (const [name, args] of [['find_tool', { tool_description: 'odd', tool_keywords: ['odd'] }], ['list_tools', {}]]) {
  const result = await client.callTool({ name, arguments: args }); // validates against our outputSchema
  const tools = result.structuredContent.tools ?? result.structuredContent.result;
  answers[name] = tools.map((tool) => ({ name: tool.name, valid: ToolSchema.safeParse(tool).success }));
}
console.log(JSON.stringify({ names, answers, changes: client.getServerCapabilities().tools.listChanged }));
await client.close();
"""


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages. Skips where npm is not installed, or can't be reached."""
    if shutil.which("npm", path=USER_ENVIRONMENT.get("PATH")) is None:
        pytest.skip("npm is not installed here")
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "client.js").write_text(SCRIPT)
    try:
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", *PACKAGES],
            cwd=directory, env=USER_ENVIRONMENT, check=True, capture_output=True, timeout=200,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"the packages can't be installed here: {type(error).__name__}")
    return directory


def odd_tool(name: str, member: str, value: Any) -> ToolDefinition:
    plain = tool(name, "Odd.")
    return plain.model_copy(update={"details": {**plain.details, member: value}})


@pytest.fixture
async def url(open_service: OpenService, settings: Settings) -> AsyncIterator[str]:
    """A server behind which is a tool for each odd value of each member."""
    service = await open_service(
        settings.model_copy(update={"startup_polling_delay": 3600.0, "mcp_port": 0, "max_tools_to_return": 200})
    )
    odd = [
        odd_tool(f"odd_{member}_{number}", member, value)
        for member in MEMBERS
        if member != "name"
        for number, value in enumerate(ODD_VALUES)
        if value == value  # noqa: PLR0124 (NaN is no JSON)
    ]
    await ingest(service, None, listing(workload("odd", "example.org/odd:1", odd)))
    async with served(service) as (url, _):
        yield url


async def ran(directory: Path, *command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=USER_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, output.decode(errors="replace")


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_scenarios_that_apply_pass(npm: Path, url: str, scenario: str) -> None:
    code, output = await ran(npm, "npx", "conformance", "server", "--url", url, "--scenario", scenario)
    assert code == 0, output[-2000:]
    assert "0 failed" in output


async def test_every_answer_is_taken_by_the_official_client_whatever_is_stored(npm: Path, url: str) -> None:
    code, output = await ran(npm, "node", "client.js", url)
    assert code == 0, output[-2000:]
    told = json.loads(output)
    assert told["names"] == ["find_tool", "call_tool", "list_tools"]
    assert told["changes"] is True
    assert len(told["answers"]["list_tools"]) > 150
    assert told["answers"]["find_tool"]
    assert [one for tools in told["answers"].values() for one in tools if not one["valid"]] == []

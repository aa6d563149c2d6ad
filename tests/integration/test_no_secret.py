"""Secrets planted in env vars, headers, run configurations and URLs are found nowhere (S7): not in the database or its
log of writes, not in a snapshot, not in what commands print and log."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import IngestPart
from tests.conftest import OpenService
from tests.support.database import everything
from tests.support.places import Place
from tests.support.planted import PLACES, PUBLIC, leaked, planted_toolhive


async def test_s7_no_secret_is_stored_or_exported(
    open_service: OpenService, database: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = tmp_path / "exported.json"
    async with planted_toolhive() as toolhive:
        service = await open_service(Settings(db_url=database.url, toolhive_url=toolhive.url))
        (report,) = await service.ingest(IngestPart.ALL)
        assert report.workloads is not None
        assert report.workloads.added > 20
        await service.export_snapshot(exported)
        identity = (await service.workload("keyed-in-url")).identity
        assert re.fullmatch(rf"{re.escape(PUBLIC)}redacted~[0-9a-f]{{16}}", identity)
        stored = everything(database)
    said = capsys.readouterr()
    assert all(name.encode() in stored for name in PLACES), "what is stored at all is found"
    assert leaked(stored) == leaked(exported.read_text()) == leaked(said.out + said.err) == []


@pytest.mark.sqlite
async def test_s7_no_command_prints_or_logs_a_secret(call: Any, tmp_path: Path) -> None:
    commands = [
        ("registry", "list"), ("workload", "list"), ("registry", "show", "keyed"), ("workload", "show", "keyed-in-url"),
        ("workload", "explain", "keyed-in-url"), ("workload", "explain", "keyed-away"), ("search", "keyed"),
        ("workload", "link", "keyed-in-url", "keyed", "--yes"), ("snapshot", "export", str(tmp_path / "out.json")),
        ("db", "check"),
    ]  # fmt: skip

    def run() -> list[str]:
        said = [call("--log-level", "debug", "ingest", "all", "--from", toolhive.url)]
        for command in commands:
            said += [call("--log-level", "debug", *command), call("--log-level", "debug", *command, "--json")]
        assert {code for code, _, _ in said} <= {0, 3}, [parts for code, *parts in said if code == 1]
        return ["".join(parts) for _, *parts in said]

    async with planted_toolhive() as toolhive:
        said = await asyncio.to_thread(run)
    assert "tools not fetched" in said[0], "there is a log to be looked into"
    assert all(name in "".join(said) for name in (*PLACES, PUBLIC))
    assert [found for text in said if (found := leaked(text))] == []

"""``serve`` in a process of its own, as its users run it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final, Self

_READY_SECONDS: Final = 60.0


def server_environment(home: Path, model_cache: Path, **more: str) -> dict[str, str]:
    """The environment of a server: nothing of the user's, the models of the tests; ``more`` are settings."""
    settings = {f"MCP_OPTIMIZER_{name.upper()}": value for name, value in more.items()}
    return {**os.environ, "HOME": str(home), "MCP_OPTIMIZER_CACHE_DIR": str(model_cache), **settings}


class ServerProcess:
    """A server, which can be killed and started again at another port."""

    def __init__(self, database: Path, environment: dict[str, str]) -> None:
        self._database = database
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.url = ""
        self.said: list[str] = []
        """The lines of its stderr, its log among them."""

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """The processes that it has started and that are there still."""
        lists = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(child) for path in lists for child in path.read_text().split()]

    async def start(self) -> None:
        """Start, and wait until it takes requests."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mcp_optimizer", "--db", f"sqlite:///{self._database}", "serve", "--port", "0",
            env=self._environment, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stderr is not None
        stream = self._process.stderr
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                line = (await stream.readline()).decode()
                assert line, f"the server ended before it was ready: {self.said}"
                self.said.append(line)
                if "serving MCP at " in line:
                    break
        self.url = line.rpartition("serving MCP at ")[2].strip()
        self._reading = asyncio.create_task(self._listen(stream))

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.said.append(line.decode(errors="replace"))

    async def end(self, number: signal.Signals) -> None:
        """End it with a signal."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        await asyncio.wait_for(self._process.wait(), 30)
        if self._reading is not None:
            await self._reading

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(signal.SIGTERM)

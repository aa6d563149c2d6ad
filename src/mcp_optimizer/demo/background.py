"""The simulator in a thread of its own, so that the program that looks at it stays quick."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from mcp_optimizer.demo.simulator import ToolHiveSimulator


@contextmanager
def in_background(simulator: ToolHiveSimulator) -> Generator[ToolHiveSimulator]:
    """Run the simulator in another thread while the block runs. Raises what stops it from starting."""
    started = threading.Event()
    problems: list[BaseException] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        async with simulator:
            stop.append((asyncio.get_running_loop(), ended))
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
            problems.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="toolhive-simulator", daemon=True)
    thread.start()
    started.wait()
    if problems:
        raise problems[0]
    try:
        yield simulator
    finally:
        loop, ended = stop[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=5)

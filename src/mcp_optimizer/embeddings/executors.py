"""The threads that models run in: somebody waits for a single text; many texts are work that others need not feel."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final

_GIVE_WAY: Final = 10
"""How much nicer than the program the threads for many texts are."""


class ModelExecutors:
    """Threads of their own for both, so that a query does not wait behind a catalog. What is logged in them has the
    context of whoever asked."""

    def __init__(self, *, at_once: int) -> None:
        self._soon = ThreadPoolExecutor(at_once, thread_name_prefix="embed-query")
        self._aside = ThreadPoolExecutor(at_once, thread_name_prefix="embed-many", initializer=_give_way)

    async def soon[T](self, work: Callable[[], T]) -> T:
        """What ``work`` gives, which somebody waits for."""
        return await asyncio.get_running_loop().run_in_executor(self._soon, copy_context().run, work)

    async def aside[T](self, work: Callable[[], T]) -> T:
        """What ``work`` gives, done with what other threads leave of the processors, where the system can do that."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, copy_context().run, work)


def _give_way() -> None:
    """Make the present thread nicer. Only on Linux is niceness a thread's own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _GIVE_WAY)

"""Changes made by this process or another, as messages."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from mcp_optimizer.domain.views import ChangeView
from mcp_optimizer.errors import OptimizerError

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

AGAIN = 2.0
"""Seconds before watching is tried again after an error."""


class CatalogChanged(Message):
    """Something was committed."""

    def __init__(self, changes: Sequence[ChangeView]) -> None:
        super().__init__()
        self.changes = tuple(changes)


class WatchFailed(Message):
    """Changes can't be seen now; with no error: they can again."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error


async def follow(service: "DataService", post: Callable[[Message], object], again: float = AGAIN) -> None:
    """Post what the service tells, until it closes. After an error it tries again, for as long as it takes."""
    failed = False
    while True:
        try:
            async for changes in service.watch():
                if failed:
                    failed = False
                    post(WatchFailed(None))
                post(CatalogChanged(changes))
        except (OptimizerError, OSError) as error:
            failed = True
            post(WatchFailed(error))
            await asyncio.sleep(again)
        else:
            return

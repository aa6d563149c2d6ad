"""How long work tells how far it is. Pure."""

from collections.abc import Awaitable, Callable

from mcp_optimizer.domain.reports import IngestProgress

type ProgressCallback = Callable[[int, int], None]
"""Gets how many are done, and how many there are."""
type IngestProgressCallback = Callable[[IngestProgress], None]
type CallProgressCallback = Callable[[float, float | None, str | None], Awaitable[None]]
"""Gets what a called tool tells: progress, its total where that is known, and a message."""

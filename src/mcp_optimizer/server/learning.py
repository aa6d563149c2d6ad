"""Learning beside a server: in a process of low priority, when enough is new (Q6)."""

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Final

import structlog

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.search.learning import LearnReport
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

_LOOK_SECONDS: Final = 600.0
"""Between looks whether enough is new."""
_MAX_SECONDS: Final = 600.0
"""A process that has not learned by then is ended."""
_LOWEST_PRIORITY: Final = 19
_NO_REPORT: Final = "null"

log = structlog.get_logger(__name__)


async def learn_when_due(service: "DataService") -> None:
    """Look from time to time, and have a process learn where enough is new. Never ends by itself."""
    while True:
        await service.runtime.sleep(_LOOK_SECONDS)
        try:
            if await service.is_learning_due():
                await learn_aside(service.settings)
        except (OptimizerError, OSError, TimeoutError, ValueError) as error:
            log.warning("nothing was learned", reason=redact_message(str(error) or type(error).__name__))


async def learn_aside(settings: Settings) -> LearnReport | None:
    """Learn in a process of its own; None where it failed. Cancelling ends it. Raises OSError, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_optimizer", "learn-process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(_MAX_SECONDS):
            given = settings.model_dump_json(exclude={"mcp_token"}).encode()
            text, _ = await process.communicate(given)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    report = json.loads(text or _NO_REPORT)
    if report is None:
        log.warning("a process that learns has failed", status=process.returncode)
        return None
    result = LearnReport.model_validate(report)
    log.info(
        "learned from use",
        accepted=result.accepted,
        reason=result.reason,
        queries=result.queries,
        seconds=result.seconds,
    )
    return result


def run_learning() -> None:
    """Be that process: settings from stdin, the report to stdout."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_LOWEST_PRIORITY)
    settings = Settings.model_validate_json(sys.stdin.buffer.read()).model_copy(update={"embedding_threads": 1})

    async def learned() -> LearnReport:
        from mcp_optimizer.service import DataService  # noqa: PLC0415 (who looks whether it is due has one)

        async with DataService(settings) as service:
            return await service.learn()

    sys.stdout.write(asyncio.run(learned()).model_dump_json())

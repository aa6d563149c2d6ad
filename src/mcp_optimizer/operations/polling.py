"""Polling: sources are ingested again and again, for weeks, whatever becomes of them.

A failed poll changes nothing that is stored and is tried again soon. One poll runs at a time, and none holds a lock of
the store while it waits for a network: an ingestion reads everything before its one short transaction (S6).
"""

import asyncio
import importlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from mcp_optimizer.clock import Runtime
from mcp_optimizer.config import Settings
from mcp_optimizer.db.logs.problems import open_problems
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.loss import LargeLossError, Loss
from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.reports import IngestPart, IngestReport
from mcp_optimizer.domain.serving.poll_interval import PollInterval, next_delay
from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.errors import NothingThereError, OptimizerError
from mcp_optimizer.operations.ingest import Ingestion
from mcp_optimizer.operations.ingest_late import LISTING_TOOLS
from mcp_optimizer.sources.base import Source
from mcp_optimizer.text import one_line, redact_message

type Ingest = Callable[[IngestPart], Awaitable[IngestReport]]
"""Ingests a part from the source that is polled."""
type Probe = Callable[[str], Awaitable[str | None]]
"""Why the workload of a name does not answer yet; None when it does."""
type OnPoll = Callable[[PollView], Awaitable[None] | None]

_MAX_FAILURES: Final = 3
"""How many times the registry may fail before the first workloads are ingested without it (L3)."""
_REFRESH_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the polls that wait for a new workload; the last one repeats."""

SIGHTINGS: Final = 3
"""How often in a row a shrunken catalog has to be seen before it is believed (C9)."""

_MAX_SLEEP_SECONDS: Final = 60.0
"""A moment may come nearer while the loop sleeps."""

log = structlog.get_logger(__name__)


class Refresh(Value):
    """What came of a poll on demand. ``reason`` says why the workload asked for does not answer yet."""

    answered: bool
    polls: int = 0
    seconds: float = 0.0
    reason: str | None = None


@dataclass
class _Part:
    """One part that is polled, and how it stands."""

    part: IngestPart
    pace: PollInterval
    due: float
    """By the monotonic clock."""
    last: PollView | None = None
    failures: int = 0
    succeeded: bool = False


@dataclass
class Poller:
    """Polls until its :meth:`run` is cancelled.

    The first workloads wait for a first registry, if there is one to come: what is matched against an empty catalog
    is autonomous, and stays so (L3).
    """

    ingest: Ingest
    answers: Probe
    paces: Mapping[IngestPart, PollInterval]
    """What is polled, the registry first (L3). A part whose interval is 0 is polled on demand only."""
    source: Callable[[], str]
    """What is polled, in words that may be shown."""
    startup_delay: float
    runtime: Runtime
    has_registry: Callable[[], Awaitable[bool]]
    """Whether a catalog is stored already."""
    on_poll: OnPoll | None = None
    """Told of every poll that ended."""
    _parts: dict[IngestPart, _Part] = field(init=False, default_factory=dict)
    _lock: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _begun: int = field(init=False, default=0)
    _loose: set[asyncio.Task[PollView]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        now = self.runtime.monotonic()
        self._parts = {
            part: _Part(part, pace, now + self.startup_delay if pace.interval else math.inf)
            for part, pace in self.paces.items()
        }

    @property
    def polls(self) -> tuple[PollView, ...]:
        """The last poll of each part."""
        return tuple(part.last for part in self._parts.values() if part.last is not None)

    async def run(self) -> None:
        """Poll until cancelled. Nothing that goes wrong with a source ends it."""
        try:
            while True:
                part = min(self._parts.values(), key=lambda part: (part.due, part.part is not IngestPart.REGISTRY))
                wait = part.due - self.runtime.monotonic()
                if wait > 0:
                    await self.runtime.sleep(min(wait, _MAX_SLEEP_SECONDS))
                elif await self._must_wait(part):
                    part.due = self._parts[IngestPart.REGISTRY].due
                else:
                    await self._poll(part)
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop polls on demand that nobody waits for any more."""
        loose = list(self._loose)
        for task in loose:
            task.cancel()
        await asyncio.gather(*loose, return_exceptions=True)

    async def _must_wait(self, part: _Part) -> bool:
        """Whether workloads have to wait for the first registry."""
        registry = self._parts.get(IngestPart.REGISTRY)
        if registry is None or part is registry or not registry.pace.interval:
            return False
        if registry.succeeded or registry.failures >= _MAX_FAILURES:
            return False
        try:
            return not await self.has_registry()
        except Exception as error:  # noqa: BLE001 (as below)
            log.warning("whether a catalog is stored is not known", reason=redact_message(str(error)))
            return False

    async def refresh(self, workload: str | None = None, *, within: float = 30.0) -> Refresh:
        """Poll workloads now; with a name, again and again until that workload answers or ``within`` seconds are over.

        Several that ask at the same time share polls. A poll that takes longer goes on by itself.
        """
        monotonic = self.runtime.monotonic
        start, polls, reason = monotonic(), 0, None
        while True:
            outcome = await self._asked_for(within - (monotonic() - start))
            polls += 1
            reason = "the poll takes longer than that" if outcome is None else _why_failed(outcome)
            if reason is None and workload is not None:
                reason = await self.answers(workload)
            pause = _REFRESH_PAUSES[min(polls, len(_REFRESH_PAUSES)) - 1]
            over = outcome is None or monotonic() - start + pause >= within
            if reason is None or workload is None or over:
                seconds = round(monotonic() - start, 3)
                return Refresh(answered=reason is None, polls=polls, seconds=seconds, reason=reason)
            await self.runtime.sleep(pause)

    async def _asked_for(self, seconds: float) -> PollView | None:
        """A poll that begins after this call; None when it takes longer than ``seconds``."""
        task = asyncio.create_task(self._poll_since(self._begun), name="poll-on-demand")
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)
        done, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
        return task.result() if done else None

    async def _poll_since(self, begun: int) -> PollView:
        part = self._parts[IngestPart.WORKLOADS]
        async with self._lock:
            if part.last is not None and self._begun > begun:
                return part.last  # began after it was asked for, and has ended
            return await self._poll_now(part)

    async def _poll(self, part: _Part) -> None:
        async with self._lock:
            if part.due <= self.runtime.monotonic():  # it may have been polled on demand meanwhile
                await self._poll_now(part)

    async def _poll_now(self, part: _Part) -> PollView:
        """One poll and what follows from it. The lock is held."""
        if part.part is IngestPart.WORKLOADS:
            self._begun += 1
        start, at = self.runtime.monotonic(), self.runtime.timestamp()
        outcome, detail = await self._outcome(part.part)
        failed = outcome == "failed"
        back = part.failures > 0 and not failed
        part.failures = part.failures + 1 if failed else 0
        part.succeeded = part.succeeded or not failed
        now = self.runtime.monotonic()
        delay = next_delay(part.pace, part.failures, self.runtime.random()) if part.pace.interval else math.inf
        part.due = now + delay
        if back:
            self._others_again(part, now)
        part.last = PollView(
            part=part.part,
            source=self.source(),
            at=at,
            seconds=round(now - start, 3),
            outcome=outcome,
            detail=detail,
            failures=part.failures,
            next_at=_later(self.runtime.now(), delay),
        )
        await self._tell(part.last)
        return part.last

    async def _outcome(self, part: IngestPart) -> tuple[str, str]:
        """How an ingestion ended, and in words what it did."""
        try:
            report = await self.ingest(part)
        except NothingThereError as error:
            return "done", redact_message(str(error))  # and nothing that others would have to wait for
        except LargeLossError as error:
            detail = f"{redact_message(error.message)}: what is stored stays, until that was seen {SIGHTINGS} times"
            log.warning("poll held back", part=str(part), reason=detail)
            return "partial", detail
        except OptimizerError as error:
            reason = redact_message(str(error))
            log.warning("poll failed", part=str(part), reason=reason)
            return "failed", reason
        except Exception as error:  # a program that polls for weeks must outlive its own mistakes
            log.exception("poll failed unexpectedly", part=str(part))
            return "failed", f"unexpected: {redact_message(f'{type(error).__name__}: {error}')}"
        return "partial" if report.partial else "done", report.summary

    def _others_again(self, part: _Part, now: float) -> None:
        """The source is back: what else failed while it was away need not wait for its turn."""
        for other in self._parts.values():
            if other is not part and other.failures and other.pace.interval:
                other.due = min(other.due, now)

    async def _tell(self, view: PollView) -> None:
        if self.on_poll is None:
            return
        try:
            text = self.on_poll(view)
            if text is not None:
                await text
        except Exception as error:  # noqa: BLE001 (as above)
            log.warning("a poll could not be noted", reason=redact_message(str(error)))


def _why_failed(outcome: PollView) -> str | None:
    return outcome.detail if outcome.outcome == "failed" else None


def _later(now: datetime, seconds: float) -> str:
    if seconds == math.inf:
        return ""
    moment = now.astimezone(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def poll_store(
    store: Store,
    ingestion: Ingestion,
    settings: Settings,
    runtime: Runtime,
    *,
    source: str | Source | None = None,
    on_poll: OnPoll | None = None,
) -> Poller:
    """The polling of a source into a store. A source that is named is opened by the first poll, and kept: it finds
    what it reads from again when that has moved.
    """
    polled = _Polled(source, settings)

    sightings = {part: _Sightings() for part in IngestPart}

    async def ingest(part: IngestPart) -> IngestReport:
        opened, seen = await polled.opened(), sightings[part]
        try:
            report = await ingestion.run(part, opened, wait=False)
        except LargeLossError as error:
            if not seen.often_enough(error.loss):
                raise
            report = await ingestion.run(part, opened, allow_loss=error.loss, wait=False)
        seen.forget()
        return report

    async def answers(name: str) -> str | None:
        async with store.database.reading() as connection:
            rows = await store.workloads.named(connection, [name])
            problems = [] if rows else await open_problems(connection)
            tools = await store.workload_tools.names_of_server(connection, rows[0].id) if rows else ()
        if not rows:
            known = [problem.reason for problem in problems if (problem.entity, problem.name) == ("workload", name)]
            return f"{name} is not stored: {one_line(known[0])}" if known else f"{name} is not listed yet"
        if rows[0].status_reason == LISTING_TOOLS:
            return f"{name} runs; {LISTING_TOOLS}"
        if rows[0].running and rows[0].status_reason and not tools:
            return f"{name} {rows[0].status_reason}"
        return None if rows[0].running else f"{name} is {rows[0].status}: {rows[0].status_reason or 'no reason given'}"

    async def has_registry() -> bool:
        async with store.database.reading() as connection:
            return await store.registry_servers.any(connection)

    return Poller(
        ingest=ingest,
        answers=answers,
        paces=paces_of(settings),
        source=lambda: polled.label,
        startup_delay=settings.startup_polling_delay,
        runtime=runtime,
        has_registry=has_registry,
        on_poll=on_poll,
    )


def paces_of(settings: Settings) -> dict[IngestPart, PollInterval]:
    """How each part is polled, the registry first (L3). A cluster has workloads, but no registry of ToolHive's."""
    intervals = {IngestPart.WORKLOADS: settings.workload_polling_interval}
    if settings.runtime_mode != "k8s":
        intervals = {IngestPart.REGISTRY: settings.registry_polling_interval, **intervals}
    return {
        part: PollInterval(
            interval=interval,
            initial_backoff=settings.toolhive_initial_backoff,
            max_backoff=settings.toolhive_max_backoff,
            quick_retries=settings.toolhive_max_retries,
        )
        for part, interval in intervals.items()
    }


class _Sightings:
    """How often in a row a poll would have taken away the same (C9)."""

    def __init__(self) -> None:
        self._loss: Loss | None = None
        self._times = 0

    def often_enough(self, loss: Loss) -> bool:
        """Count one more that would take this away; whether it is to be believed now."""
        self._times = self._times + 1 if loss == self._loss else 1
        self._loss = loss
        return self._times >= SIGHTINGS

    def forget(self) -> None:
        """A poll was stored: what comes next is counted from the beginning."""
        self._loss, self._times = None, 0


class _Polled:
    """The source that is polled, opened when it is first asked."""

    def __init__(self, source: str | Source | None, settings: Settings) -> None:
        self._given = source
        self._settings = settings
        self._opened: Source | None = None

    @property
    def label(self) -> str:
        """The source in words."""
        return self._opened.label if self._opened is not None else ""

    async def opened(self) -> Source:
        """The source; the first time that takes a second, in a thread."""
        if self._opened is None:
            if self._given is None or isinstance(self._given, str):
                locate = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.open_source")
                self._opened = locate.open_source(self._given, self._settings)
            else:
                self._opened = self._given
        return self._opened

"""Type-ahead: a key is handed on when all that the keys before it led to is there, so that fast does what slow does."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from textual import events
from textual.message_pump import MessagePump
from textual.widgets import Input

if TYPE_CHECKING:
    from mcp_optimizer.tui.app import OptimizerApp

type Typed = events.Key | events.Paste

WAY_OUT = frozenset({"escape", "ctrl+q", "ctrl+c", "ctrl+z"})
"""Keys that must work however long something takes."""
WAY_OUT_SECONDS = 1.0
"""So long a way out waits behind the keys before it; then they are dropped."""
LOADING_SECONDS = 3.0
"""So long keys wait for an area to load."""
HANDLING_SECONDS = 2.0
"""So long the next key waits for what a key led to."""
POLL_SECONDS = 0.005


class Waiting(Protocol):
    """A dialog or an area that may still wait for what the next key is about."""

    def must_wait(self, key: str) -> bool:
        """Whether a key would be lost, or mean something else, if it came now."""
        ...


class TypeAhead:
    """Holds keys and pastes in their order, and releases them one by one."""

    def __init__(self, app: "OptimizerApp") -> None:
        self._app = app
        self._held: deque[Typed] = deque()
        self._released: Typed | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is held and all that was typed has been handled."""
        return self._task is None or self._task.done()

    def admit(self, event: Typed) -> bool:
        """Whether the event may be handled now; else it comes again later."""
        if event is self._released:
            self._released = None
            return True
        now = self.idle and self._ready() and not self._must_wait(event)
        if not now:
            self._held.append(event)
        if self.idle:
            self._task = asyncio.create_task(self._release_all())
        return now

    def close(self) -> None:
        """Forget what is held."""
        self._held.clear()
        if self._task is not None:
            self._task.cancel()

    async def _release_all(self) -> None:
        await self._handled()
        while self._held:
            await self._until_wanted()
            self._released = self._held.popleft()
            self._app.post_message(self._released)
            await self._handled()

    async def _handled(self) -> None:
        """Wait until no message is under way where keys go, and the top screen can take the next."""
        end = _now() + HANDLING_SECONDS
        quiet_rounds = 0
        while quiet_rounds < 2 and _now() < end:
            await self._one_round()
            quiet = self._ready() and self._released is None and not any(p.message_queue_size for p in self._pumps())
            quiet_rounds = quiet_rounds + 1 if quiet else 0

    async def _one_round(self) -> None:
        """Let each message pump handle what it has; one that is closing never answers."""
        pumps = self._pumps()
        answers: set[MessagePump] = set()
        request = {pump for pump in pumps if pump.call_later(answers.add, pump)}
        for attempt in range(20):
            await asyncio.sleep(0 if attempt < 10 else POLL_SECONDS)
            if answers >= request:
                return

    async def _until_wanted(self) -> None:
        """Wait while the first key would come too early; a way out is never kept for long."""
        begin = _now()
        while self._must_wait(self._held[0]):
            waited = _now() - begin
            ways_out = [event for event in self._held if _key(event) in WAY_OUT]
            if ways_out and waited > WAY_OUT_SECONDS:
                while self._held[0] is not ways_out[0]:
                    self._held.popleft()
                return
            if waited > LOADING_SECONDS and len(self._app.screen_stack) == 1:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _must_wait(self, event: Typed) -> bool:
        if isinstance(event, events.Paste) or event.key in WAY_OUT:
            return False
        if isinstance(self._app.focused, Input) and event.is_printable:
            return False
        owner = self._app.screen if len(self._app.screen_stack) > 1 else self._app.view
        must_wait = getattr(owner, "must_wait", None)
        return must_wait is not None and must_wait(event.key)

    def _ready(self) -> bool:
        """Whether the top screen is mounted, and what it focuses has the focus."""
        if not self._app.screen_stack:
            return False
        screen = self._app.screen
        return screen.is_mounted and screen.is_running and (screen.focused is not None or not screen.focus_chain)

    def _pumps(self) -> list[MessagePump]:
        """Where a key goes: what has the focus, what that is in, the screens, the app."""
        screens = self._app.screen_stack
        focused = screens[-1].focused if screens else None
        chain = [*focused.ancestors_with_self] if focused is not None else []
        return list(dict.fromkeys([*chain, *screens, self._app]))


def _key(event: Typed) -> str:
    return event.key if isinstance(event, events.Key) else ""


def _now() -> float:
    return asyncio.get_running_loop().time()

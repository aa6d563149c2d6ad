"""The app: it holds the screens together. What is shown is the areas' business, what is done the actions'."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.driver import Driver
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input
from textual.worker import Worker, WorkerState

from mcp_optimizer.tui.actions import Action, Area, Keymap
from mcp_optimizer.tui.areas import AREAS
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.help import HelpDialog
from mcp_optimizer.tui.dialogs.ingest import IngestDialog, IngestRequest
from mcp_optimizer.tui.dialogs.palette import PaletteDialog, commands
from mcp_optimizer.tui.dialogs.save import SaveDialog, SaveOffer
from mcp_optimizer.tui.dispatch import find_handler, footer_hints, header_state
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.ages import Clock, count, system_clock
from mcp_optimizer.tui.format.themes import THEMES, first_theme
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.guard import Guarded, GuardedScreen
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.state.feed import Feed, Resource, read
from mcp_optimizer.tui.state.ingestion import IngestionRunner, Progressed
from mcp_optimizer.tui.state.log_buffer import LogBuffer
from mcp_optimizer.tui.state.saved_state import Memory, recall, remember
from mcp_optimizer.tui.state.watcher import CatalogChanged, WatchFailed, follow
from mcp_optimizer.tui.terminal import TerminalDriver
from mcp_optimizer.tui.type_ahead import TypeAhead
from mcp_optimizer.tui.widgets.footer import Footer
from mcp_optimizer.tui.widgets.header import Header
from mcp_optimizer.tui.widgets.notice import Notice

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

RETRY = 5.0
"""Seconds before what could not be read is tried again."""
SAVE_SECONDS = 0.5
"""Between two looks whether there is something new to remember."""
SILENCE = 5.0
"""Seconds between two looks for servers that have fallen silent."""


class Leaving(StrEnum):
    """Why the screens were left."""

    QUIT = "quit"
    DEMO = "demo"
    """To look at sample data, and come back."""


class OptimizerApp(Guarded, App[Leaving]):
    """The terminal UI. The service is opened inside the app's loop and closed with it."""

    CSS_PATH = "style.tcss"
    TITLE = "mcp-optimizer"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - typed as in the base class
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - the same

    def __init__(
        self,
        service_factory: "Callable[[], DataService]",
        *,
        read_only: bool = False,
        badges: tuple[str, ...] = (),
        theme: str | None = None,
        keys: Mapping[str, Sequence[str] | str] | None = None,
        logbook: LogBuffer | None = None,
        state_file: Path | None = None,
        file: str = "",
        now: Clock = system_clock,
        stopwatch: Callable[[], float] | None = None,
        still: bool = False,
        search_delay: float | None = None,
        first_area: Area | None = None,
        settled: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        feed = Feed(self._start_reading)
        self.context = Context(
            feed, Keymap(read_only=read_only, keys=keys), read_only=read_only, badges=badges, clock=now, still=still
        )
        self.context.file = file
        if still:
            self.animation_level = "none"
            self.context.detail_delay = self.context.trial_delay = self.context.search_delay = 0.0
        if logbook is not None:
            self.context.logbook = logbook
        if settled is not None:
            self.context.settled = settled
        if search_delay is not None:
            self.context.search_delay = search_delay
        if stopwatch is not None:
            self.context.stopwatch = stopwatch
        self._state_file = None if still else state_file
        self._memory = self._saved = recall(self._state_file)
        self.area = first_area or self._memory.area
        self.history: list[Target] = []
        self.type_ahead = TypeAhead(self)
        self.mistakes: deque[BaseException] = deque(maxlen=20)
        """What went wrong in the screens themselves, and was told."""
        self._is_up = False
        self.ingesting = IngestionRunner(self)
        self._stack = AsyncExitStack()
        self._service_factory = service_factory
        suspend = self.context.keymap.named("suspend")
        for key in self.context.keymap.keys:
            everywhere = suspend is not None and key in suspend.keys
            self._bindings.bind(key, f"press('{key}')", show=False, priority=everywhere)
        for own in THEMES:
            self.register_theme(own)
        target = theme or self._memory.theme
        self._first_theme = target if target in self.available_themes else first_theme(self.console.color_system)
        self.theme = self._first_theme

    def get_default_screen(self) -> Screen:
        """The screen under all dialogs."""
        return GuardedScreen(id="_default")

    def compose(self) -> ComposeResult:
        """Header, the areas, notice and footer."""
        yield Header()
        with ContentSwitcher(id="areas"):
            yield AREAS[self.area](self.context)
        with Vertical(id="bottom"):
            yield Notice()
            yield Footer()

    # Service

    def on_mount(self) -> None:
        """Show the first area, and open the service beside it."""
        self.query_one(ContentSwitcher).current = self.area.value
        self.view.take_focus()
        self.view.recall(self._memory.lists)
        self.view.update()
        self._refresh_frame()
        self._open()
        if not self.context.still:
            self.set_interval(SILENCE, self._look_for_silent_servers)
            self.set_interval(SAVE_SECONDS, self._save_state)
        self._is_up = True

    def _open(self) -> None:
        self.run_worker(self._opening, name="open", group="service", exclusive=True, exit_on_error=False)

    async def _opening(self) -> "DataService":
        """Make the service in a thread, since what it imports takes its time, and open it here."""
        service = await asyncio.to_thread(self._service_factory)
        return await self._stack.enter_async_context(service)

    async def on_unmount(self) -> None:
        """Let go of the service."""
        self.type_ahead.close()
        self.workers.cancel_all()
        await self._stack.aclose()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Pass on what workers of the app have brought, by their group; nothing while the screens are closing."""
        if not (self.screen_stack and self.base.query(Footer)):
            return
        owners = {"service": self._service_opened, "feed": self._feed_answered, "ingest": self.ingesting.ended}
        owner = owners.get(event.worker.group)
        if owner is not None and event.state in {WorkerState.SUCCESS, WorkerState.ERROR, WorkerState.CANCELLED}:
            owner(event.worker)

    def _service_opened(self, worker: Worker) -> None:
        self.context.service = worker.result if worker.state is WorkerState.SUCCESS else None
        self.context.opening_error = worker.error if worker.state is WorkerState.ERROR else None
        self.context.settled()
        if self.context.service is not None:
            watching = partial(follow, self.context.service, self.post_message)
            self.run_worker(watching, name="watch", group="watch", exclusive=True, exit_on_error=False)
            self._need()
        self.view.update()
        self._refresh_frame()

    # Feed

    def _start_reading(self, resource: Resource) -> None:
        service = self.context.service
        if service is not None:
            self.run_worker(partial(read, service, resource), name=resource, group="feed", exit_on_error=False)

    def _need(self) -> None:
        if self.context.service is not None:
            self.context.feed.need((Resource.OVERVIEW, *self.view.needs))

    def _look_for_silent_servers(self) -> None:
        if self.context.feed.spoil_silent(self.context.clock()):
            self._need()

    def _feed_answered(self, worker: Worker) -> None:
        resource, feed = Resource(worker.name), self.context.feed
        if worker.state is WorkerState.SUCCESS:
            first = resource not in feed.values
            feed.loaded(resource, worker.result)
            if first:
                self.context.settled()
        else:
            feed.failed(resource, worker.error or RuntimeError("cancelled"))
            self._say_failure(worker.error)
            self.set_timer(RETRY, self._need)
        if resource in self.view.needs:
            self.view.update()
        self._refresh_frame()

    def _say_failure(self, error: BaseException | None) -> None:
        self.say(f"✗ What is shown may be stale: {safe.error_line(error)}", Tone.BAD)

    @on(CatalogChanged)
    def _catalog_changed(self, event: CatalogChanged) -> None:
        self.context.feed.invalidate(event.changes)
        self._need()

    @on(WatchFailed)
    def _watch_failed(self, event: WatchFailed) -> None:
        self.context.watching = event.error is None
        if event.error is not None:
            self._say_failure(event.error)
        else:
            self.context.feed.invalidate()
            self._need()
        self._refresh_frame()

    # Places

    @property
    def view(self) -> AreaView:
        """The area that is shown."""
        return self.base.query_one(f"#{self.area}", AreaView)

    async def show_area(self, area: Area, *, by_key: bool = False) -> None:
        """Show an area; it is made when it is first shown, and kept as it was left."""
        switcher = self.base.query_one(ContentSwitcher)
        if not switcher.query(f"#{area}"):
            view = AREAS[area](self.context)
            view.display = False
            await switcher.mount(view)
            view.recall(self._memory.lists)
        self.area = area
        switcher.current = area.value
        self.view.update()
        (self.view.enter if by_key else self.view.take_focus)()
        self._need()
        self._refresh_frame()

    async def _go_to(self, target: Target) -> None:
        await self.show_area(target.area)
        self.view.reveal(target)
        self.view.take_focus()

    @on(Go)
    async def _go(self, event: Go) -> None:
        self.history.append(self.view.target())
        await self._go_to(event.target)

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes come in their order, each when what the one before it led to is there."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded and not self.type_ahead.admit(event):
            return
        await super().on_event(event)

    # Mistakes of the program

    def _handle_exception(self, error: Exception) -> None:
        """Tell and log a mistake in a worker, a handler, an action or a dialog: the screens stay."""
        if not self._is_up:
            super()._handle_exception(error)
            return
        self.mistakes.append(error)
        self.context.logbook.take("error", "mistake in the screens", safe.origin(error))
        self.say(f"✗ This should not have happened: {safe.error_line(error)}  (the log in Activity has it)", Tone.BAD)

    # Actions

    async def action_press(self, key: str) -> None:
        """A key that no widget wanted for itself: the list of actions says what it does in this area."""
        action = self.context.keymap.find(key, self.area)
        if action is not None:
            await self._perform(action)

    async def action_perform(self, name: str) -> None:
        """Run an action by name: from a click or the palette. Dialogs have their own."""
        if name.startswith("dialog:"):
            handler = getattr(self.screen, f"do_{name.removeprefix('dialog:')}", None)
            if handler is not None:
                handler()
        elif (action := self.context.keymap.named(name)) is not None:
            await self._perform(action)

    async def _perform(self, action: Action) -> None:
        handler = find_handler(action, self.base.focused, self.view, self)
        if handler is not None:
            done = handler(action.argument) if action.argument else handler()
            if done is not None:
                await done
            self._refresh_frame()

    async def do_area(self, name: str) -> None:
        """Go to an area by its key: the way back begins again."""
        self.history.clear()
        if not self.ingesting.running:
            self.say("")
        await self.show_area(Area(name), by_key=True)

    async def do_back(self) -> None:
        """Stop an ingestion; leave the detail; the way back; marks and filter; the message."""
        if self.ingesting.cancel() or self.view.close():
            return
        if self.history:
            await self._go_to(self.history.pop())
        elif not self.view.clear():
            self.say("")

    def do_help(self) -> None:
        """Every key of this area."""
        self.push_screen(HelpDialog(self.context, self.area))

    def do_palette(self) -> None:
        """Every command by name."""
        result = commands(self.context.keymap, self.area, self.available_themes)
        self.push_screen(PaletteDialog(self.context, result), self._run_command)

    async def _run_command(self, command: str | None) -> None:
        what, _, rest = (command or "").partition(":")
        if what == "theme":
            self.theme = rest
        elif what == "open":
            area, _, text = rest.partition(":")
            self.post_message(Go(Target(Area(area), None, text)))
        elif command:
            await self.action_perform(command)

    def do_theme(self) -> None:
        """The next theme."""
        own = [theme.name for theme in THEMES]
        names = [*own, *sorted(set(self.available_themes) - set(own))]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.say(f"Theme: {self.theme}", Tone.MUTED)

    def do_reload(self) -> None:
        """Read everything again; open the service if it could not be opened."""
        if self.context.service is None:
            self._open()
        self.context.feed.invalidate()
        self._need()

    def do_ingest(self) -> None:
        """Ask what to ingest; while an ingestion runs there is no second."""
        if self.ingesting.running:
            self.say("An ingestion is running: esc stops it.", Tone.WARN)
        else:
            self.push_screen(IngestDialog(self.context), self._ingest)

    @on(Progressed)
    def _ingestion_progressed(self, event: Progressed) -> None:
        self.ingesting.advance(event.progress)

    def _ingest(self, request: IngestRequest | None) -> None:
        if request is not None:
            self.ingesting.start(request)

    def do_export(self) -> None:
        """Write the list or the detail to a file."""
        offers = self.view.offers()
        if offers:
            self.push_screen(SaveDialog(self.context, "Export", offers))

    def do_snapshot(self) -> None:
        """Write all that is stored to a file that another person's program opens."""
        service = self.context.service
        if service is None:
            return

        async def save(path: Path) -> str:
            report = await service.export_snapshot(path)
            return f"{count(report.registry_servers)} registry servers, {count(report.workloads)} workloads"

        offer = SaveOffer("everything", "mcp-optimizer-snapshot.json", save)
        self.push_screen(SaveDialog(self.context, "Snapshot of everything that is stored", [offer]))

    def do_report(self) -> None:
        """The report of the last ingestion."""
        self.ingesting.show_report()

    def do_quit(self) -> None:
        """Leave; how things are left comes back the next time."""
        self._leave(Leaving.QUIT)

    def do_demo(self) -> None:
        """Leave for the sample data."""
        self._leave(Leaving.DEMO)

    def _leave(self, why: Leaving) -> None:
        self._save_state()
        self.exit(why)

    def end_by(self, number: signal.Signals) -> None:
        """Leave because of a signal: nothing is lost, and the exit code names it."""
        self._save_state()
        self.exit(Leaving.QUIT, return_code=128 + number)

    def action_help_quit(self) -> None:
        """What ctrl-c means elsewhere has a key of its own here."""
        self.say(f"Press {self.context.keymap.words_for('quit') or '^q'} to quit.", Tone.MUTED)

    def do_suspend(self) -> None:
        """Into the background; ``fg`` brings it back."""
        self._save_state()
        self.action_suspend_process()

    @on(Driver.SignalResume)
    def _paint_again(self) -> None:
        """Back from the background: another program had the terminal."""
        self.refresh(layout=True)

    def _save_state(self) -> None:
        """Remember how things are left as soon as they are: no end of the program is told beforehand."""
        if self._state_file is None or not self.screen_stack:
            return
        lists = {name: state for view in self.base.query(AreaView) for name, state in view.remember().items()}
        theme = self._memory.theme if self.theme == self._first_theme else self.theme  # only what a person chose
        memory = Memory(area=self.area, theme=theme, lists={**self._memory.lists, **lists})
        if memory != self._saved:
            self._saved = memory
            remember(self._state_file, memory)

    # Frame

    @property
    def base(self) -> Screen:
        """The screen under all dialogs."""
        return self.screen_stack[0]

    @property
    def typing(self) -> bool:
        """Whether a person is typing, or deciding something in a dialog."""
        return len(self.screen_stack) > 1 or isinstance(self.base.focused, Input)

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Show a line above the footer; an empty one takes it away."""
        for base in self.screen_stack[:1]:  # none while the program is closing
            for notice in base.query(Notice):
                notice.say(text, tone)

    @on(Say)
    def _said(self, event: Say) -> None:
        self.say(event.text, event.tone)

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        self._refresh_frame()

    def _refresh_frame(self) -> None:
        for base in self.screen_stack[:1]:  # none while the program is closing
            for footer in base.query(Footer):
                base.query_one(Header).state = header_state(self.context, self.area)
                footer.hints = footer_hints(self.context.keymap, self.area, base.focused, self.view, self)

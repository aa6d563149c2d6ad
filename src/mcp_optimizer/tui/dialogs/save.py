"""Write something to a file that a person names."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static
from textual.worker import Worker, WorkerState

from mcp_optimizer.text import to_storable
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.choice import OneOf
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.line_input import LineInput

type Save = Callable[[Path], Coroutine[Any, Any, str]]
"""Writes the file; what was written, in a few words."""


@dataclass(frozen=True)
class SaveOffer:
    """Something that can be written: what it is called, under which file name, and how."""

    label: str
    file: str
    save: Save


def text_offer(label: str, file: str, make: Callable[[], str]) -> SaveOffer:
    """An offer of a text that is made when it is asked for."""

    async def save(path: Path) -> str:
        text = to_storable(make())
        await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        return f"{len(text.splitlines())} lines"

    return SaveOffer(label, file, save)


class SaveDialog(Dialog[None]):
    """What, and where to. A file that is there already is only replaced when ``enter`` is pressed once more."""

    awaited = frozenset({"save"})
    hints = (Hint("tab", "next"), Hint("space", "choose"), Hint("↵", "write"), Hint("esc", "cancel", "dialog:close"))

    def __init__(
        self, context: Context, heading: str, offers: Sequence[SaveOffer], directory: Path | None = None
    ) -> None:
        super().__init__(context)
        self.heading = heading
        self._offers = tuple(offers)
        self._directory = directory or Path()
        self._agreed: Path | None = None

    def body(self) -> ComposeResult:
        """What to write, the path, Write and Cancel."""
        if len(self._offers) > 1:
            yield OneOf([offer.label for offer in self._offers], id="what")
        yield Static("to the file", classes="label")
        yield LineInput(value=self._path_of(self._offers[0]), still=self.context.still, id="path")
        yield Static("", id="problem")
        with Horizontal(classes="buttons"):
            yield Button("Write", id="write", compact=True)
            yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """The path can be typed at once, or ``enter`` pressed."""
        self.query_one("#path").focus()
        if len(self._offers) > 1:
            self.watch(self.query_one(OneOf), "chosen", self._chose, init=False)

    @property
    def offer(self) -> SaveOffer:
        """What is chosen."""
        return self._offers[self.query_one(OneOf).chosen if len(self._offers) > 1 else 0]

    def _path_of(self, offer: SaveOffer) -> str:
        return str(self._directory / offer.file)

    def _chose(self) -> None:
        field = self.query_one("#path", LineInput)
        if field.value in map(self._path_of, self._offers):
            field.value = self._path_of(self.offer)

    @on(LineInput.Left)
    def _path_left(self, event: LineInput.Left) -> None:
        if event.given_up:
            self.dismiss(None)
        else:
            self.write()

    @on(Button.Pressed, "#write")
    def write(self) -> None:
        """Write it."""
        typed = self.query_one("#path", LineInput).value.strip()
        try:
            path = Path(typed).expanduser()
        except RuntimeError:  # ~ of somebody who has no home
            self._problem(f"✗ There is no user {typed.partition('/')[0]}: write the whole path.", Tone.BAD)
            return
        offer, agreed = self.offer, self._agreed == path

        async def work() -> str | None:
            if not agreed and await asyncio.to_thread(path.exists):
                return None
            return await offer.save(path)

        self._agreed = path
        self.run_worker(work, name=str(path), group="save", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say where it is, or what went wrong."""
        worker = event.worker
        if event.state is WorkerState.ERROR:
            self._agreed = None
            self._problem(f"✗ {safe.error_line(worker.error)}", Tone.BAD)
        elif event.state is WorkerState.SUCCESS and worker.result is None:
            self._problem("! It is there already: ↵ again replaces it.", Tone.WARN)
        elif event.state is WorkerState.SUCCESS:
            self.say(f"✓ Written to {Path(worker.name).absolute()}: {worker.result}", Tone.GOOD)
            self.dismiss(None)

    def _problem(self, words: str, tone: Tone) -> None:
        self.query_one("#problem", Static).update(safe.line(words, tone))

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Nothing is written."""
        self.dismiss(None)

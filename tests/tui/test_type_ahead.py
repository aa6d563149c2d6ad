"""Keys typed at any speed do what slow typing does; no key and no mistake ends the screens."""

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.tui.actions import Keymap
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas.workloads import WorkloadsArea
from mcp_optimizer.tui.dialogs.help import HelpDialog
from mcp_optimizer.tui.dialogs.ingest import IngestDialog
from mcp_optimizer.tui.dialogs.save import SaveDialog
from mcp_optimizer.tui.widgets.notice import Notice
from mcp_optimizer.tui.widgets.table import Table
from tests.tui.fake_service import FakeService
from tests.tui.screens import make_app, press, running, settle

WRITING = frozenset({"ingest", "delete_workloads", "delete_registry_servers", "link", "unlink", "rematch", "resolve"})


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def send(app: OptimizerApp, *keys: str) -> None:
    """Keys in one bunch, as a slow line brings them."""
    for key in keys:
        name = {" ": "space", "/": "slash", ":": "colon", "~": "tilde"}.get(key, key)
        app.post_message(Key(name, key if len(key) == 1 else None))


def end_state(app: OptimizerApp, service: FakeService, directory: Path) -> dict[str, Any]:
    """What a person sees and what was done."""
    focused = app.focused
    table = next(iter(app.screen.query(Table)), None)
    return {
        "area": app.area,
        "screens": [type(screen).__name__ for screen in app.screen_stack],
        "focus": type(focused).__name__ + (f" {focused.id}" if focused else ""),
        "fields": [field.value for field in app.screen.query(Input)],
        "cursor": table.rows.cursor_key if table else None,
        "notice": app.base.query_one(Notice).said,
        "writes": [call for call in service.calls if call[0] in WRITING],
        "files": {path.name: path.read_text() for path in sorted(directory.glob("*"))},
    }


_SEQUENCES = """
i esc esc | i enter enter | i down down | i down enter | i esc enter 3 | i enter esc esc | i i i | i tab tab
tab esc | i a b c enter | colon enter enter | colon esc esc 3 | colon w l space n o enter j | colon t h e m e
down enter | question_mark question_mark | question_mark esc 3 j | 3 x down down | 3 x enter enter | 3 x down
down enter | 3 x esc esc 2 | 3 d tab enter | 3 d enter esc | 3 d tab enter enter | 3 j d right enter j | 3 L
enter | 3 L f e enter tab enter | 3 L down enter esc | 3 y enter enter | 3 y y j | 3 J enter enter esc | 3 J j
j left esc esc | 3 j m tab enter | 3 j U right enter 2 | 4 j j j n | 4 j j e esc 3 | 3 J y esc y enter | 5 / f
e t c h enter j j | 5 / n o t e s down enter | 5 / f enter w a enter | 6 p p j j enter | 6 C esc 3 | 6 B esc
esc | 6 N tab enter | 3 / f e t enter j d tab enter | 3 space j space d tab enter | 3 j j esc esc 2 j J esc |
1 j j enter esc | 2 v enter enter | 3 x ctrl+u ~ n o s u c h / x enter | 3 x ctrl+u ~ n o s u c h / x enter
esc 2 | X ctrl+u ~ q q enter enter | 2 G j k y enter | I esc I enter
"""
SEQUENCES = tuple(" ".join(sequence.split()) for sequence in _SEQUENCES.split("|"))
"""Into every dialog."""


@pytest.mark.parametrize("sequence", SEQUENCES)
async def test_typed_at_once_is_as_typed_slowly(sequence: str, tmp_path: Path) -> None:
    names = {"esc": "escape", "slash": "/"}
    keys = [names.get(key, key) for key in sequence.split()]
    states = []
    for pace in ("slow", "fast"):
        directory = tmp_path / pace
        directory.mkdir()
        service = FakeService.loaded()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(directory)
            async with running(service) as (app, pilot):
                if pace == "slow":
                    for key in keys:
                        send(app, key)
                        await settle(pilot)
                else:
                    send(app, *keys)
                    await settle(pilot)
                states.append(end_state(app, service, directory))
    notices = [str(state["notice"]).replace("/slow/", "/fast/") for state in states]
    assert {**states[1], "notice": notices[1]} == {**states[0], "notice": notices[0]}


async def test_keys_typed_while_everything_still_loads_are_not_lost() -> None:
    service, gate = FakeService.loaded(), asyncio.Event()
    opening = service._answer

    async def slow(method: str, *arguments: Any) -> None:
        if method == "open":
            await gate.wait()
        await opening(method, *arguments)

    service._answer = slow  # ty: ignore[invalid-assignment]
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        send(app, "3", "j", "j", "d")
        await asyncio.sleep(0.1)
        assert len(app.screen_stack) == 1
        gate.set()
        await settle(pilot)
        assert app.screen.__class__.__name__ == "ConfirmDialog"
        assert [call for call in service.calls if call[0] == "delete_workloads"]
        await press(pilot, "escape")
        table = app.view.query_one(Table)
        assert table.rows.cursor_key == table.rows.renderer.key(table.rows.visible[2])


@pytest.mark.parametrize("method", ["delete_workloads", "registry_servers"])
async def test_what_never_answers_can_be_left(method: str) -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, "3")
        service.stalled = {method}
        send(app, "d" if method == "delete_workloads" else "L", "tab", "enter", "enter")
        await asyncio.sleep(0.2)
        send(app, "escape")
        for _ in range(300):
            await asyncio.sleep(0.01)
            if len(app.screen_stack) == 1 and app.type_ahead.idle:
                break
        assert len(app.screen_stack) == 1
        assert all(call[-1] is True for call in service.calls if call[0] == "delete_workloads")
        await settle(pilot)


@pytest.mark.parametrize(
    "keys", ["i down", "i down down", "i up", "3 x down down", "3 x up", "X down down", "6 B down"]
)
async def test_arrows_in_a_dialog_only_move(keys: str, tmp_path: Path) -> None:
    service = FakeService.loaded()
    async with running(service) as (app, pilot):
        await press(pilot, *keys.split())
        assert isinstance(app.screen, IngestDialog | SaveDialog)
        assert [call for call in service.calls if call[0] in WRITING | {"export_snapshot", "backup"}] == []
        assert list(tmp_path.glob("*")) == []


@pytest.mark.parametrize(
    "path", ["~nosuchuser/x.json", "~no\u0301/x", "nul\x00byte", "x" * 300, "/proc/1/no/x", ".", "~"]
)
async def test_a_path_that_can_not_be_is_said_in_the_dialog(path: str) -> None:
    async with running() as (app, pilot):
        await press(pilot, "3", "x")
        app.screen.query_one(Input).value = path
        await press(pilot, "enter", "enter")
        assert isinstance(app.screen, SaveDialog)
        assert "✗" in str(app.screen.query_one("#problem").render())


class BrokenHelp(HelpDialog):
    """A dialog with a mistake."""

    def on_mount(self) -> None:
        raise ValueError("of the dialog")


async def test_a_mistake_anywhere_is_told_and_logged_and_the_screens_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def action(_: object) -> None:
        raise ZeroDivisionError("of an action")

    def handler(_: object) -> None:
        raise KeyError("of a handler")

    async def worker() -> None:
        raise TypeError("of a worker")

    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "3")
        with monkeypatch.context() as patch:
            patch.setattr(WorkloadsArea, "do_explain", action)
            await press(pilot, "e")
            assert "of an action" in app.base.query_one(Notice).said
            patch.setattr("mcp_optimizer.tui.app.HelpDialog", BrokenHelp)
            await press(pilot, "question_mark", "escape")
            app.run_worker(worker, exit_on_error=True)
            await settle(pilot)
            patch.setattr(Table, "do_down", handler)
            await press(pilot, "j")
            app.set_timer(0.001, lambda: action(None))
            await asyncio.sleep(0.05)
        words = " ".join(f"{error!r} {error.__cause__!r}" for error in app.mistakes)
        for text in ("of an action", "of the dialog", "of a worker", "of a handler"):
            assert text in words
        assert len([line for line in app.context.logbook.lines("error") if "mistake" in line.event]) >= 5
        await press(pilot, "j", "2")
        assert app.area == "registry"
        assert app.is_running


# Random keys

PLAIN = (
    "down",
    "up",
    "enter",
    "escape",
    "tab",
    "shift+tab",
    "space",
    "left",
    "right",
    "home",
    "end",
    "backspace",
    "a",
    "f",
    "1",
    "~",
)
OPENING = (
    "i",
    "colon",
    "question_mark",
    "x",
    "X",
    "d",
    "L",
    "U",
    "m",
    "M",
    "v",
    "y",
    "J",
    "A",
    "C",
    "B",
    "N",
    "I",
    "w",
    "z",
    "slash",
)


def random_keys(seed: int, number: int) -> list[list[str]]:
    """Bursts of one to twelve keys, many of them of dialogs."""
    choose = random.Random(seed)
    every = [key for key in Keymap().keys if key not in {"q", "ctrl+q", "D", "ctrl+z"}]
    pools = (PLAIN, OPENING, tuple(every))
    bursts = []
    while sum(map(len, bursts)) < number:
        burst = [choose.choice(choose.choices(pools, (3, 2, 2))[0]) for _ in range(choose.randint(1, 12))]
        bursts.append(burst)
    return bursts


async def drive(app: OptimizerApp, pilot: Pilot, service: FakeService, seed: int) -> None:
    """Type bursts while ingestions start, end and are stopped."""
    gate = random.Random(-seed)
    for burst in random_keys(seed, 100):
        if gate.random() < 0.5:
            service.ingest_gate = asyncio.Event()
        send(app, *burst)
        if gate.random() < 0.5:
            await asyncio.sleep(gate.random() * 0.03)
        else:
            await settle(pilot, but=("ingest",))
        if service.ingest_gate is not None:
            service.ingest_gate.set()
            service.ingest_gate = None
        assert app.is_running, (seed, burst)
        assert not app.mistakes, (seed, burst, list(app.mistakes))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (50, 14)], ids=["80x24", "120x36", "50x14"])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_bursts_of_keys_end_nothing(seed: int, size: tuple[int, int]) -> None:
    service = FakeService.loaded()
    print(f"seed {seed}")
    async with running(service, size=size) as (app, pilot):
        await drive(app, pilot, service, seed)
        await settle(pilot)
        for _ in range(12):
            await press(pilot, "escape")
        await press(pilot, "3")
        assert app.area == "workloads"
        assert len(app.screen_stack) == 1


async def test_a_dialog_is_dismissed_once() -> None:
    for first, second in itertools.product(("escape", "enter", "down"), repeat=2):
        service = FakeService.loaded()
        async with running(service) as (app, pilot):
            send(app, "i", first, second)
            await settle(pilot)
            ingests = [call[1:] for call in service.calls if call[0] == "ingest"]
            assert ingests in ([], [(IngestPart.ALL, (None,), False)])
            dialog = IngestDialog(app.context)
            answers: list[object] = []
            await app.push_screen(dialog, answers.append)
            for _ in range(3):
                dialog.dismiss(None)
            await settle(pilot)
            assert answers == [None]

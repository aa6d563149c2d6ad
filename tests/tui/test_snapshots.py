"""The screens as pictures: every area at the sizes people have, every dialog, and the states that are not sunny."""

from typing import Any

import pytest

from mcp_optimizer.domain.views import RegistryServerView, WorkloadView
from mcp_optimizer.errors import StoreError
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import keys, make_app

SIZES = [(80, 24), (120, 36)]
AREAS = ["1", "2", "3", "4", "6"]


def _named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=_named)
@pytest.mark.parametrize("area", AREAS)
def test_area(snap_compare: Any, area: str, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=keys(area))


@pytest.mark.parametrize("size", SIZES, ids=_named)
def test_search(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=keys("5", text="open an issue"))


@pytest.mark.parametrize("area", [*AREAS, "5"])
def test_empty(snap_compare: Any, area: str) -> None:
    assert snap_compare(make_app(FakeService()), run_before=keys(area))


@pytest.mark.parametrize("area", ["2", "4"])
def test_loading(snap_compare: Any, area: str) -> None:
    service = FakeService.loaded()
    service.stalled = {"registry_servers"}
    assert snap_compare(make_app(service), run_before=keys(area, but=("feed",)))


@pytest.mark.parametrize("area", ["1", "3"])
def test_error(snap_compare: Any, area: str) -> None:
    service = FakeService.loaded()
    broken = StoreError("the database is locked by another process", remedy="close it and press R")
    service.errors = {"overview": broken, "workloads": broken}
    assert snap_compare(make_app(service), run_before=keys(area))


def test_can_not_open(snap_compare: Any) -> None:
    service = FakeService()
    service.errors = {"open": StoreError("the database is of a newer version", remedy="upgrade mcp-optimizer")}
    assert snap_compare(make_app(service), run_before=keys())


def _hostile() -> FakeService:
    service = FakeService.loaded()
    entry: RegistryServerView = sample.registry_server(
        sample.HOSTILE, "evil.example/x:1", description=sample.HOSTILE * 3, workloads=1
    )
    bad: WorkloadView = sample.workload(sample.HOSTILE, "evil.example/x:1", sample.HOSTILE, group=sample.HOSTILE)
    service.registry, service.views = [entry, *service.registry], [bad, *service.views]
    return service


@pytest.mark.parametrize("area", ["2", "3", "4"])
def test_hostile_text(snap_compare: Any, area: str) -> None:
    assert snap_compare(make_app(_hostile()), run_before=keys(area))


def test_filtered_and_marked(snap_compare: Any) -> None:
    assert snap_compare(make_app(), run_before=keys("3", "space", "space", "slash", text="fetch"))


def test_drift_is_marked_by_character(snap_compare: Any) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=keys("3", "j", "j", "e"))


def test_near_miss(snap_compare: Any) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=keys("3", *"jjjj", "e"))


def test_read_only(snap_compare: Any) -> None:
    assert snap_compare(make_app(read_only=True), run_before=keys("3"))


def test_light_theme(snap_compare: Any) -> None:
    assert snap_compare(make_app(theme="mcp-optimizer-light"), terminal_size=(120, 36), run_before=keys("3"))


@pytest.mark.parametrize("size", [(60, 18), (200, 50)], ids=_named)
def test_small_and_large(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=keys("3"))


@pytest.mark.parametrize(
    ("name", "pressed"),
    [
        ("help", ["3", "question_mark"]),
        ("help-search", ["5", "escape", "question_mark"]),
        ("palette", ["3", "colon"]),
        ("ingest", ["i"]),
        ("delete", ["2", "space", "space", "d"]),
        ("copy", ["3", "y"]),
        ("json", ["3", "J"]),
        ("report", ["i", "enter"]),
    ],
)
def test_dialog(snap_compare: Any, name: str, pressed: list[str]) -> None:
    assert snap_compare(make_app(), run_before=keys(*pressed)), name


def test_progress(snap_compare: Any) -> None:
    service = FakeService.loaded()
    service.stalled = set()

    async def start(pilot: Any) -> None:
        import asyncio

        service.ingest_gate = asyncio.Event()
        await keys("3", "i", "enter", but=("ingest",))(pilot)

    assert snap_compare(make_app(service), run_before=start)

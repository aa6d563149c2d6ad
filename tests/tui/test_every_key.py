"""Every key of the list of actions, in every area: nothing breaks, and the screens can still be used."""

import asyncio

from mcp_optimizer.tui.actions import Area, Keymap
from tests.tui.fake_service import FakeService
from tests.tui.screens import running, settle


async def test_every_key_in_every_area() -> None:
    keys = [key for key in Keymap().keys if key not in {"q", "ctrl+q", "D"}]
    async with running(FakeService.loaded()) as (app, pilot):
        for area in Area:
            for key in keys:
                if app.area is not area:
                    await app.show_area(area)
                app.view.take_focus()
                await app.action_press(key)
                await asyncio.sleep(0)
                assert app.is_running, (area, key)
                while len(app.screen_stack) > 1:
                    await pilot.pause()
                    await app.pop_screen()
        await settle(pilot)
        await pilot.press("escape", "escape", "escape", "3")
        await settle(pilot)
        assert app.area is Area.WORKLOADS

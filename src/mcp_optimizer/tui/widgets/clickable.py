"""Text of which parts can be clicked on to perform an action."""

from textual import events
from textual.widget import Widget

from mcp_optimizer.tui.guard import Guarded


class Clickable(Guarded, Widget):
    """Parts whose style has ``perform`` in its meta run the action of that name."""

    async def on_click(self, event: events.Click) -> None:
        """Run what was clicked on."""
        name = event.style.meta.get("perform")
        if name:
            await self.app.run_action(f"app.perform({name!r})")

"""What all areas have in common."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.containers import Vertical

from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.save import SaveOffer
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.guard import Guarded
from mcp_optimizer.tui.messages import Target
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.saved_state import ListState

type Message = Sequence[tuple[str, Tone]]


class AreaView(Guarded, Vertical):
    """One area. It is told when the feed has news, and reads what it needs from there."""

    area: ClassVar[Area]
    needs: ClassVar[tuple[Resource, ...]] = ()
    labels: ClassVar[dict[str, str]] = {}
    """Footer words of actions that have a better one here."""

    def __init__(self, context: Context) -> None:
        super().__init__(id=self.area.value)
        self.context = context

    def update(self) -> None:
        """Show what the feed has now."""
        raise NotImplementedError

    def take_focus(self) -> None:
        """Focus what is worked with first."""
        raise NotImplementedError

    def enter(self) -> None:
        """A person has come here by its key: focus what is worked with first."""
        self.take_focus()

    def target(self) -> Target:
        """This place, so that it can be come back to."""
        return Target(self.area)

    def reveal(self, target: Target) -> None:
        """Show a place in this area, now or as soon as it is loaded."""

    def offers(self) -> list[SaveOffer]:
        """What can be exported from here."""
        return []

    def remember(self) -> dict[str, ListState]:
        """How its lists are left, by name."""
        return {}

    def recall(self, lists: Mapping[str, ListState]) -> None:
        """Put them back to how they were left the last time."""

    def needs_rows(self, key: str) -> bool:
        """Whether a key does something with what is listed here."""
        action = self.context.keymap.find(key, self.area)
        return action is not None and action.section not in {"Areas", "Program"} and action.id != "back"

    def must_wait(self, key: str) -> bool:
        """Whether a key would be lost if it came now, since nothing has been read yet."""
        feed = self.context.feed
        if self.context.opening_error is not None or not self.needs_rows(key):
            return False
        return self.context.service is None or any(r not in feed.values and r not in feed.errors for r in self.needs)

    def close(self) -> bool:
        """Leave what is open inside the area; False when nothing is."""
        return False

    def clear(self) -> bool:
        """Take away marks or filter; False when there are none."""
        return False

    def trouble(self) -> Message | None:
        """Why there is nothing to show yet: an error and what to do, or loading; None when all is there."""
        error = self.context.opening_error
        error = error or next((e for r in self.needs if (e := self.context.feed.errors.get(r)) is not None), None)
        missing = any(resource not in self.context.feed.values for resource in self.needs)
        if not missing:
            return None
        if error is None:
            return [("Loading …", Tone.MUTED)]
        words, remedy = safe.error_words(error)
        keys = self.context.keymap.named("reload")
        again = f"Press {keys.keys[0]} to try again." if keys and keys.keys else ""
        return [("✗ Could not be read", Tone.BAD), (words, Tone.PLAIN), (remedy, Tone.ACCENT), (again, Tone.MUTED)]

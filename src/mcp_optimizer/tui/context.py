"""What every area and dialog is given: service, clock, keys and timing. Nothing of it is global."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from mcp_optimizer.tui.actions import Keymap
from mcp_optimizer.tui.format.ages import Clock, system_clock
from mcp_optimizer.tui.state.feed import Feed
from mcp_optimizer.tui.state.log_buffer import LogBuffer

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


@dataclass
class Context:
    """The surroundings of the screens."""

    feed: Feed
    keymap: Keymap
    read_only: bool = False
    file: str = ""
    """What is looked at, where that is not the person's own database; stands in the header in place of its name."""
    badges: tuple[str, ...] = ()
    """What the header says about the kind of this session: DEMO."""
    service: "DataService | None" = None
    """Set once the service is open; the screens are there before it is."""
    logbook: LogBuffer = field(default_factory=LogBuffer)
    """The log, while the screens are open."""
    clock: Clock = system_clock
    stopwatch: Callable[[], float] = monotonic
    """Seconds, for rates."""
    detail_delay: float = 0.06
    """Seconds the cursor rests before a detail is read."""
    trial_delay: float = 0.3
    """Seconds an explanation is read before the ways on are tried."""
    search_delay: float = 0.15
    """Seconds without a key before a search starts."""
    still: bool = False
    """Nothing moves by itself: no blinking, no animation."""
    settled: Callable[[], None] = lambda: None
    """Called when what stays for good is there: the service, the first answer of each kind."""
    opening_error: BaseException | None = None
    """Why the service could not be opened."""
    watching: bool = True
    """Whether changes are seen as they are made."""

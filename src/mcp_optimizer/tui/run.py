"""The way in for the command line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_optimizer.tui import garbage
from mcp_optimizer.tui.app import Leaving, OptimizerApp
from mcp_optimizer.tui.state.log_buffer import LogBuffer

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


def run(
    service_factory: "Callable[[], DataService]",
    *,
    read_only: bool = False,
    badges: tuple[str, ...] = (),
    theme: str | None = None,
    keys: Mapping[str, Sequence[str] | str] | None = None,
    logbook: LogBuffer | None = None,
    state_file: Path | None = None,
    file: str = "",
) -> tuple[int, Leaving]:
    """Run the terminal UI until it is left; the exit code, and why it was left.

    ``keys`` maps action ids to the keys they get instead.
    ``service_factory`` makes a service that is not open yet: it is opened inside the loop of the app. For read-only
    use it must make a read-only service; ``read_only`` takes the dangerous actions away. ``badges`` stand in the
    header, ``file`` in place of the database's name. ``logbook`` holds what is logged meanwhile. ``state_file``: where
    area, theme, sorts and filters are kept for the next time. Raises KeyClashError.
    """
    app = OptimizerApp(
        service_factory,
        read_only=read_only,
        badges=badges,
        theme=theme,
        keys=keys,
        logbook=logbook,
        state_file=state_file,
        file=file,
        settled=garbage.settled,
    )
    with garbage.kept_small():
        app.run()
    return app.return_code or 0, app.return_value or Leaving.QUIT

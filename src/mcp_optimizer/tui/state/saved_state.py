"""What comes back the next time: area, theme, and how each list was sorted and filtered. A small JSON file."""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import Field, ValidationError

from mcp_optimizer.domain.models import Value
from mcp_optimizer.redaction import redact_text
from mcp_optimizer.text import to_storable
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.format.columns import Sort


class ListState(Value):
    """How a person left a list."""

    filter: str = ""
    sort: str | None = None
    """Id of a column; None: as the rows come."""
    descending: bool = False
    chosen: str = ""
    """What else was chosen there: the pane of Activity, the scope of Search."""

    @property
    def order(self) -> Sort | None:
        """The sort as the table takes it."""
        return Sort(self.sort, self.descending) if self.sort else None

    @classmethod
    def of(cls, filter_text: str, order: Sort | None, chosen: str = "") -> "ListState":
        """The state of a table."""
        return cls(
            filter=redact_text(to_storable(filter_text)),
            sort=order.column if order else None,
            descending=bool(order and order.descending),
            chosen=chosen,
        )


class Memory(Value):
    """What is remembered of the screens."""

    area: Area = Area.OVERVIEW
    theme: str | None = None
    lists: dict[str, ListState] = Field(default_factory=dict)


def recall(path: Path | None) -> Memory:
    """What was remembered; nothing where the file is missing, unreadable or not understood."""
    if path is None:
        return Memory()
    try:
        return Memory.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return Memory()


def remember(path: Path | None, memory: Memory) -> None:
    """Keep it for the next time, whole or not at all. A place that can't be written to is no reason to fail."""
    if path is None:
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(memory.model_dump_json(indent=2), encoding="utf-8")
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()

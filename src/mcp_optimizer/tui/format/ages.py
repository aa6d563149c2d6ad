"""How long ago something was, and how long it took, in as few characters as can be."""

from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


def parse_moment(moment: str) -> datetime | None:
    """A stored timestamp (ISO 8601, UTC where it names no zone), or None when it is not one."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def age(moment: str, clock: Clock) -> str:
    """How long ago ``moment`` was, as ``12s``, ``5m``, ``3h``, ``8d``; empty when there is no moment."""
    parsed = parse_moment(moment)
    if parsed is None:
        return ""
    seconds = max(0, int((clock() - parsed).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def duration(seconds: float) -> str:
    """``seconds`` as ``0.4 s``, ``12 s`` or ``3 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def count(number: int) -> str:
    """``number`` with thousands set apart."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """``number`` in at most four characters up to a million: ``999``, ``1.2k``, ``34k``."""
    if number < 1_000:
        return str(number)
    if number < 10_000:
        return f"{number // 100 / 10:.1f}k"
    if number < 1_000_000:
        return f"{number // 1_000}k"
    return f"{number // 1_000_000}M"

"""When to poll next: at an interval, sooner after a failure, never in step with others."""

from typing import Final

from mcp_optimizer.domain.models import Value

_SPREAD: Final = 0.1
"""An interval is lengthened or shortened by up to this share, so that several programs don't poll as one."""


class PollInterval(Value):
    """How one part is polled. Times are in seconds."""

    interval: float
    """Between polls while all is well."""
    initial_backoff: float = 1.0
    """After the first failure; it doubles with each further one."""
    max_backoff: float = 60.0
    quick_retries: int = 100
    """After this many failures in a row polls come at the interval again, or sixty times the longest pause."""


def next_delay(pace: PollInterval, failures: int, random: float) -> float:
    """Seconds until the next poll after ``failures`` failed ones in a row; ``random`` is a random number in [0, 1).

    While all is well: the interval, a tenth more or less. After a failure: the doubled pause, between half and all of
    it, and never longer than the interval.
    """
    if failures <= 0 or failures > pace.quick_retries:
        interval = pace.interval if failures <= 0 else min(pace.interval, 60 * pace.max_backoff)
        return interval * (1 + _SPREAD * (2 * random - 1))
    doubled = pace.initial_backoff * 2 ** min(failures - 1, 40)
    return min(doubled, pace.max_backoff, pace.interval) * (1 + random) / 2

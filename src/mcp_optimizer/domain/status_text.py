"""What a runtime says of a container's status, apart from the times in it: those change at every look."""

import re
from typing import Final

_NUMBER: Final = r"\d+(?:[.,]\d+)?"
_LONG_UNIT: Final = r"(?:milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?)"
_UNIT: Final = rf"(?:{_LONG_UNIT}|ns|us|µs|ms|[smhdwy])"
_WORDS: Final = rf"(?:about |almost |over |less than )?(?:an? {_LONG_UNIT}|{_NUMBER} ?{_UNIT})"
_DURATION: Final = rf"(?<![\w.]){_WORDS}(?:(?:,? and |, | |){_NUMBER} ?{_UNIT})*(?!\w)"
_CLOCK: Final = r"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))*"
_AGE: Final = re.compile(
    rf"(?:(?<=\bup)(?: for)? +{_DURATION}(?: ago)?)|(?: *\b(?:since|for)? ?{_DURATION} ago\b)", re.IGNORECASE
)
_ANY_TIME: Final = re.compile(rf"{_CLOCK}|{_DURATION}(?: ago)?", re.IGNORECASE)
_SPACES: Final = re.compile(r"\s+")


def without_age(text: str) -> str:
    """A status without how long ago something was, which is wrong a minute later: ``Exited (0)``, ``Up (healthy)``."""
    return _SPACES.sub(" ", _AGE.sub("", text)).strip()


def lasting_text(before: str | None, now: str | None) -> str | None:
    """``now``, or ``before`` where the two differ in nothing but times: then there is nothing new to be stored."""
    if before is None or now is None:
        return now
    return before if timeless(before) == timeless(now) else now


def timeless(text: str) -> str:
    """A text with one mark in place of every duration and moment, to be compared with another."""
    return _ANY_TIME.sub("~", text)

"""Which part of a tool's result is passed on when it is longer than a model should read. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_CHUNK: Final = 2_000
_LEAST_TEXT: Final = 8
"""A text is not shortened to fewer tokens than this, but left out."""
_MARK: Final = "\n[…]"

type Count = Callable[[str], int]
"""Tokens of a text."""


@dataclass(frozen=True)
class Item:
    """A content item. ``text`` is what may be shortened (None: nothing), ``frame`` the JSON of all else in it."""

    frame: str
    text: str | None = None


@dataclass(frozen=True)
class Limited:
    """What is passed on. ``items``: places of the items that are kept, in order, each with its new text if it was
    shortened. ``notice``, to be put first, says what is not there; None: all is, unchanged."""

    items: tuple[tuple[int, str | None], ...]
    structured: bool
    notice: str | None = None


def limited(items: Sequence[Item], structured: str | None, *, most: int, count: Count, notice_frame: str) -> Limited:
    """What of a result fits into ``most`` tokens, counting everything: items, structured content, the notice too.

    ``structured`` is the JSON of the structured content; ``notice_frame`` that of the notice's item without its text.
    Items are kept whole and in order; a text that does not fit is shortened to the room that is left, any other item
    is left out. Structured content is kept where it fits after them, else the notice says that it was left out.
    """
    costs = [_cost(item, most, count) for item in items]
    structured_cost = 0 if structured is None else tokens_up_to(structured, most, count)
    if sum(costs) + structured_cost <= most:
        return Limited(tuple((place, None) for place in range(len(items))), structured is not None)

    spare = most - count(notice_frame)
    # The notice is written last, so room is left for the longest one; numbers of other digits may cost more.
    longest = _notice(most, len(items), len(items), len(items), structured_left_out=structured is not None)
    room = spare - count(longest)
    while True:
        cached, left = _fitting(items, costs, max(room, 0), count)
        with_structured = structured is not None and structured_cost <= left
        shortened = sum(text is not None for _, text in cached)
        notice = _notice(
            most,
            len(items),
            len(cached) - shortened,
            shortened,
            structured_left_out=structured is not None and not with_structured,
        )
        used = room - left + (structured_cost if with_structured else 0) + count(notice)
        if used <= spare or room <= 0:
            return Limited(tuple(cached), with_structured, notice)
        room -= used - spare


def tokens_up_to(text: str, most: int, count: Count) -> int:
    """Tokens of a text, counted in pieces; more than ``most`` need not be counted to the end.

    The time to count grows with the square of a run without spaces, such as an image in base64.
    """
    total = 0
    for start in range(0, len(text), _CHUNK):
        total += count(text[start : start + _CHUNK])
        if total > most:
            break
    return total


def _cost(item: Item, most: int, count: Count) -> int:
    return tokens_up_to(item.frame, most, count) + tokens_up_to(item.text or "", most, count)


def _fitting(
    items: Sequence[Item], costs: Sequence[int], room: int, count: Count
) -> tuple[list[tuple[int, str | None]], int]:
    """The items that fit, and the room that is left."""
    remaining: list[tuple[int, str | None]] = []
    for place, (item, cost) in enumerate(zip(items, costs, strict=True)):
        if cost <= room:
            remaining.append((place, None))
            room -= cost
        elif item.text is not None:
            frame = tokens_up_to(item.frame, room, count)
            shorter = _shortened(item.text, room - frame, count)
            if shorter is not None:
                remaining.append((place, shorter))
                room -= frame + tokens_up_to(shorter, room, count)
    return remaining, room


def _shortened(text: str, room: int, count: Count) -> str | None:
    """The beginning of a text, with a mark that it goes on; None where there is room for hardly anything."""
    if room < _LEAST_TEXT:
        return None
    low, high = 0, 0
    total = 0
    for start in range(0, len(text), _CHUNK):
        total += count(text[start : start + _CHUNK])
        low, high = start, min(start + _CHUNK, len(text))
        if total > room:
            break
    low = max(low - _CHUNK, 0)  # the mark may not fit into what is left of the piece
    while low < high:
        middle = (low + high + 1) // 2
        if tokens_up_to(text[:middle] + _MARK, room, count) <= room:
            low = middle
        else:
            high = middle - 1
    shorter = text[:low] + _MARK
    return shorter if low and tokens_up_to(shorter, room, count) <= room else None


def _notice(most: int, items: int, whole: int, shortened: int, *, structured_left_out: bool) -> str:
    parts = [f"{whole} of {items} content items are whole"]
    if shortened:
        parts.append(f"{shortened} shortened")
    if structured_left_out:
        parts.append("structuredContent is left out")
    return f"[Result cut to {most} tokens: {', '.join(parts)}. Ask the tool for less to see the rest.]"

"""Signs that a document is a part of a whole: pages before or after it, totals larger than it holds (C6). Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mcp_optimizer.sources.json_values import label_of, list_of, object_of, text_of

_NEXT: Final = frozenset(
    {
        *("next", "nextcursor", "nextpage", "nextpagetoken", "nexttoken", "nextlink", "nexturl", "nextoffset"),
        *("continue", "continuation", "continuationtoken", "cursornext", "remainingitemcount"),
    }
)
_CURSORS: Final = {
    "nextcursor": "cursor",
    "cursornext": "cursor",
    "nextpagetoken": "pageToken",
    "nexttoken": "nextToken",
    "continuationtoken": "continuationToken",
    "continue": "continue",
}
"""Where the cursor of the next page is given, and the parameter that it is asked by."""
_MORE: Final = frozenset({"hasmore", "hasnext", "hasnextpage", "more", "truncated", "istruncated", "incompleteresults"})
_TOTALS: Final = frozenset(
    {
        *("total", "totalcount", "totalitems", "totalresults", "totalservers", "totalelements", "totalentries"),
        *("count", "itemcount", "numfound"),
    }
)
_PAGES: Final = frozenset({"totalpages", "pagecount", "pages", "lastpage"})
_EARLIER: Final = frozenset({"previous", "prev", "previouscursor", "prevcursor", "previouspage", "prevpage"})
_FIRST: Final = {"page": 1, "currentpage": 1, "pagenumber": 1, "offset": 0, "skip": 0, "startindex": 1}
"""Where a listing starts that is read from its start."""
_HOLDERS: Final = (*("metadata", "meta", "pagination", "paging", "page_info", "pageInfo", "links", "_links", "page"),)


def sign_of_more(holders: Iterable[Mapping[str, Any]], held: int) -> str:
    """What in a document with ``held`` items says that it is not the whole, in words; empty when nothing does."""
    members = (member for holder in holders for member in _members(holder))
    return next(filter(None, (_sign(name, given, value, held) for name, given, value in members)), "")


def _sign(name: str, given: str, value: object, held: int) -> str:
    number = _number(value)
    signs = {
        f"it names a next page (`{given}`)": name in _NEXT and _is_given(value),
        f"it says that there is more (`{given}`)": name in _MORE and value in (True, "true"),
        f"it names an earlier page (`{given}`)": name in _EARLIER and _is_given(value),
        f"it says {number:,} entries (`{given}`) and holds {held:,}": name in _TOTALS and number > held,
        f"it says {number:,} pages (`{given}`)": name in _PAGES and number > 1,
        f"it does not start at the start (`{given}` is {number:,})": number > _FIRST.get(name, number),
    }
    return next((sign for sign, applies in signs.items() if applies), "")


def cursor_of(holders: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The parameter and the cursor of the next page; None where no cursor is named."""
    result = ((_CURSORS.get(name), text_of(value)) for holder in holders for name, _, value in _members(holder))
    return next(((parameter, cursor) for parameter, cursor in result if parameter and cursor), None)


def says_more(holders: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there is a page after this one, by whatever sign."""
    return any(
        name in _NEXT | _MORE and bool(_sign(name, given, value, 0))
        for holder in holders
        for name, given, value in _members(holder)
    )


def next_link_of(holders: Iterable[Mapping[str, Any]]) -> str:
    """The URL or path of the next page, where a document names it; empty where it does not."""
    for holder in holders:
        for name, _, value in _members(holder):
            link = text_of(value) or text_of(object_of(value).get("href"))
            if name in {"next", "nextlink", "nexturl", "nextpage"} and ("/" in link or link.startswith("?")):
                return link
    return ""


def total_of(holders: Iterable[Mapping[str, Any]]) -> int | None:
    """How many entries there are in all, where a document says it."""
    totals = (
        _number(value) for holder in holders for name, _, value in _members(holder) if name in _TOTALS - {"count"}
    )
    return max(totals, default=None)


def _members(holder: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Members where paging is told, each with its name without case and underscores."""
    for part in (holder, *(object_of(holder.get(name)) for name in _HOLDERS)):
        for given, value in part.items():
            name = str(given).lower().replace("_", "").replace("-", "").removeprefix("@odata.")
            yield name, label_of(str(given)), value
    for name in ("links", "_links"):
        for link in map(object_of, list_of(holder.get(name))):
            relation = text_of(link.get("rel")).lower()
            yield relation, f"{name}: {label_of(relation)}", text_of(link.get("href")) or text_of(link.get("url"))


def _is_given(value: object) -> bool:
    """Whether a next page is really named: null, an empty text, false and 0 name none."""
    return bool(text_of(value) if isinstance(value, str) else value)


def _number(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

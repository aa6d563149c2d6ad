"""Which tools each session was offered lately, and for which query: what is called next tells which was right."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

_SESSIONS: Final = 1000
_QUERIES: Final = 8
"""Of each session; older ones are forgotten."""
_OFFER_SECONDS: Final = 1800.0
"""After so long a call has nothing to do with the query any more."""

type ToolName = tuple[str, str]
"""A server and a tool."""


class _Offer(NamedTuple):
    at: float
    query: str
    tools: set[ToolName]
    """Those that were not called yet."""


class Offers:
    """Remembers a bounded number of sessions and queries."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, list[_Offer]] = OrderedDict()

    def add(self, session: str, query: str, tools: Iterable[ToolName], *, at: float) -> None:
        """A session asked and was given tools. Without a session nothing is remembered."""
        if not session or not query:
            return
        before = [offer for offer in self._sessions.pop(session, []) if offer.query != query]
        self._sessions[session] = [*before[1 - _QUERIES :], _Offer(at, query, set(tools))]
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def query_of(self, session: str, server: str, tool: str, *, at: float) -> str | None:
        """The session's last query that offered the tool which it has now called; of each offer a tool counts once."""
        for offer in reversed(self._sessions.get(session, ())):
            if (server, tool) in offer.tools and at - offer.at <= _OFFER_SECONDS:
                offer.tools.discard((server, tool))
                return offer.query
        return None

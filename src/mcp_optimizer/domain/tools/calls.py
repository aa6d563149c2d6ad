"""A call of a tool on another server: who made it, and what that client can be asked meanwhile."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

type RawResult = dict[str, Any]
"""The result of a call as the server sent it, members unknown to MCP included."""

ABILITY_OF: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask of a client, and the capability by which a client says that it can answer."""


class PeerRefusalError(Exception):
    """The client refused what a server asked; ``error`` is the JSON-RPC error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message")))
        self.error = error


class CallPeer(Protocol):
    """The client behind a call, as far as the called server may talk to it."""

    @property
    def abilities(self) -> Mapping[str, Any]:
        """Its capabilities among the values of :data:`ABILITY_OF`, as it declared them."""
        ...

    async def request(self, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the client answers. Raises PeerRefusalError."""
        ...

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Pass a notification on."""
        ...


def announced_transport(transport: str, proxy_mode: str) -> str:
    """Which transport an endpoint speaks, by its source. ToolHive's proxy mode is about stdio servers only."""
    if transport in {"", "stdio"}:
        return proxy_mode or transport
    return transport

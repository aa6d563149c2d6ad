"""The guard before every route: an id for each request, then Host, Origin and token (see ``rules``)."""

import re
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_optimizer.config import Settings
from mcp_optimizer.server.rules import host_allowed, origin_allowed, token_matches
from mcp_optimizer.surroundings import Surroundings
from mcp_optimizer.text import public_url, shorten

REQUEST_ID: Final = "request_id"
"""Where the guard leaves a request's id in the state of its scope."""
OPEN_PATHS: Final = frozenset({"/", "/health"})
"""Answered without a token: they say that the server is there, and nothing else."""

_HEADER: Final = "x-request-id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Guard:
    """An ASGI middleware. What it refuses reaches no route."""

    app: ASGIApp
    settings: Settings
    surroundings: Surroundings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # nothing here speaks WebSocket
        headers = Headers(scope=scope)
        request_id = self._id_of(headers)
        scope.setdefault("state", {})[REQUEST_ID] = request_id

        refusal = self._refusal(headers, scope["path"])

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[_HEADER] = request_id
                if refusal is None and message["status"] >= 400:
                    _note(scope, message["status"], request_id)
            await send(message)

        if refusal is None:
            await self.app(scope, receive, with_id)
            return
        status, reason = refusal
        log.warning("request refused", request_id=request_id, status=status, reason=reason, path=scope["path"])
        more = {"www-authenticate": 'Bearer realm="mcp-optimizer"'} if status == 401 else None
        await PlainTextResponse(f"{reason}\n", status_code=status, headers=more)(scope, receive, with_id)

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        settings, host, origin = self.settings, headers.get("host"), headers.get("origin")
        if not host_allowed(host, settings.allowed_hosts):
            return 421, f"the Host {_shown(host)} is not served here; if it should be, add it to allowed_hosts"
        if not origin_allowed(origin, settings.allowed_hosts, settings.allowed_origins):
            return (
                403,
                f"pages of the Origin {_shown(origin)} may not ask here; if they should, add it to allowed_origins",
            )
        token = settings.mcp_token.get_secret_value() if settings.mcp_token else ""
        if token and path not in OPEN_PATHS and not token_matches(headers.get("authorization"), token):
            return 401, "the bearer token is missing or wrong"
        return None

    def _id_of(self, headers: Headers) -> str:
        given = headers.get(_HEADER, "")
        return given if _ID.fullmatch(given) else self.surroundings.new_id()


def _shown(header: str | None) -> str:
    """A header's value, fit for a log and an answer: behind a proxy nobody knows it who is not told."""
    return f"'{shorten(public_url(header or ''), 100)}'"


def _note(scope: Scope, status: int, request_id: str) -> None:
    """Log an answer that tells of an error, so that the id that its client was given leads somewhere."""
    log.info("request failed", request_id=request_id, status=status, method=scope["method"], path=scope["path"])

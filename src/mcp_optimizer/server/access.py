"""What stands before every route: an id for each request, then Host, Origin, token (see ``rules``, ``tokens``)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_optimizer.clock import Runtime
from mcp_optimizer.config import Settings
from mcp_optimizer.server.access_rules import (
    cors_headers,
    host_allowed,
    is_listed_origin,
    origin_allowed,
    preflight_headers,
)
from mcp_optimizer.server.tokens import ACCESS, FULL_ACCESS, Access, AccessToken, access_of
from mcp_optimizer.text import one_line, redact_message, redact_url, shorten

REQUEST_ID: Final = "request_id"
"""Where a request's id is left in the state of its scope."""
OPEN_PATHS: Final = frozenset({"/", "/health"})
"""Answered without a token: they say that the server is there, and nothing else."""
FULL_PATHS: Final = frozenset({"/metrics"})
"""Answered only to those who see all groups: figures are of the whole."""

_HEADER: Final = "x-request-id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_LOGGED_PATH: Final = 200
_ONCE: Final = ("host", "authorization", "origin")
"""Headers that mean something else to whoever reads the first than to whoever reads the last."""

log = structlog.get_logger(__name__)


class Refusal(NamedTuple):
    """Why a request is answered here."""

    status: int
    reason: str


@dataclass(frozen=True)
class AccessMiddleware:
    """An ASGI middleware. What it refuses reaches no route."""

    app: ASGIApp
    settings: Settings
    runtime: Runtime
    tokens: Sequence[AccessToken] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # nothing here speaks WebSocket
        headers = Headers(scope=scope)
        request_id, path = self._id_of(headers), canonical_path(scope["path"])
        scope.setdefault("state", {})[REQUEST_ID] = request_id
        origin = headers.get("origin")
        listed = is_listed_origin(origin, self.settings.allowed_origins)
        more = {_HEADER: request_id, **(cors_headers(origin) if listed and origin else {})}
        verdict = self._judged(scope["method"], path, headers, listed=listed)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, more, vary=bool(self.settings.allowed_origins))
                if isinstance(verdict, Access) and message["status"] >= 400:
                    _note(scope, message["status"], request_id)
            await send(message)

        if isinstance(verdict, Access):
            scope["state"][ACCESS] = verdict
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
            await self.app(scope, receive, with_headers)
        elif isinstance(verdict, Response):
            await verdict(scope, receive, with_headers)
        else:
            status, reason = verdict
            log.warning("request refused", request_id=request_id, status=status, reason=reason, path=_shown_path(scope))
            headers_401 = {"www-authenticate": 'Bearer realm="mcp-optimizer"'} if status == 401 else None
            await PlainTextResponse(f"{reason}\n", status_code=status, headers=headers_401)(
                scope, receive, with_headers
            )

    def _judged(self, method: str, path: str, headers: Headers, *, listed: bool) -> Access | Response | Refusal:
        """What the request may see, the answer to a browser's preflight, or why it is refused."""
        refusal = self._misplaced(headers)
        if refusal is not None:
            return refusal
        if method == "OPTIONS" and listed and "access-control-request-method" in headers:
            return Response(
                status_code=204, headers=preflight_headers(headers.get("access-control-request-headers", ""))
            )
        if not self.tokens or path in OPEN_PATHS:
            return FULL_ACCESS
        access = access_of(headers.get("authorization"), self.tokens)
        if access is None:
            return Refusal(401, "the bearer token is missing or wrong")
        if path in FULL_PATHS and access.groups is not None:
            return Refusal(403, "the token sees some groups only; what is asked for is of all of them")
        return access

    def _misplaced(self, headers: Headers) -> Refusal | None:
        """Why a request does not belong here, by the server that it means and the page that it is from."""
        settings, host, origin = self.settings, headers.get("host"), headers.get("origin")
        for name in _ONCE:
            if len(headers.getlist(name)) > 1:
                return Refusal(400, f"the request has several {name.title()} headers")
        if not host_allowed(host, settings.allowed_hosts):
            return Refusal(421, f"the Host {_shown(host)} is not served here; if it should be, add it to allowed_hosts")
        if not origin_allowed(origin, settings.allowed_hosts, settings.allowed_origins):
            return Refusal(
                403,
                f"pages of the Origin {_shown(origin)} may not ask here; if they should, add it to allowed_origins",
            )
        return None

    def _id_of(self, headers: Headers) -> str:
        given = headers.get(_HEADER, "")
        return given if _ID.fullmatch(given) else self.runtime.new_id()


def canonical_path(path: str) -> str:
    """A path without the slashes at its end: a redirect would lead to another scheme behind a proxy for TLS."""
    return path.rstrip("/") or "/"


def _add(message: Message, more: Mapping[str, str], *, vary: bool) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in more.items():
        headers[name] = value
    if vary:
        headers.add_vary_header("Origin")


def _shown(header: str | None) -> str:
    """A header's value, fit for a log and an answer: behind a proxy nobody knows it who is not told."""
    return f"'{shorten(redact_url(header or ''), 100)}'"


def _shown_path(scope: Scope) -> str:
    """A path, fit for a log: printable, bounded, without secrets."""
    return shorten(redact_message(one_line(scope["path"][: 10 * _MAX_LOGGED_PATH])), _MAX_LOGGED_PATH)


def _note(scope: Scope, status: int, request_id: str) -> None:
    """Log an answer that tells of an error, so that the id that its client was given leads somewhere."""
    log.info("request failed", request_id=request_id, status=status, method=scope["method"], path=_shown_path(scope))

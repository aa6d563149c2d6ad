"""How an MCP server failed: one reason in words, and what may follow from it. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_optimizer.sources.json_values import object_of, reason_of, text_of
from mcp_optimizer.text import one_line, shorten

BROKEN_OFF: Final = "closed the connection before the response was complete"
_NEEDS_AUTHENTICATION: Final = frozenset({401, 403, 407})
_UNKNOWN_HERE: Final = frozenset({400, 404, 405, 406, 415, 501})
"""What a server answers to a transport that it does not speak at this URL."""
_NOT_EXECUTED: Final = frozenset({400, 401, 403, 404, 410})
"""What a server answers that has not looked at the request, where it says no more."""
_LOST_CODES: Final = frozenset({-32001, -32600})
_LOST_SESSION: Final = re.compile(
    r"session[^.]{0,40}(not found|not exist|expired|invalid|unknown|terminated|closed|missing|required|no longer)"
    r"|(invalid|unknown|expired|missing|no valid|no such|no active|stale) [^.]{0,20}session"
    r"|not (yet )?(been )?initiali[sz]ed|before initiali[sz]ation|uninitiali[sz]ed|initialization (was )?not",
    re.IGNORECASE,
)
_MAX_WORDS: Final = 200


class McpServerError(Exception):
    """What went wrong between us and an MCP server. ``str()`` has the server as its subject: ``answered HTTP 500``."""

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        error: Mapping[str, Any] | None = None,
        executed: bool = True,
        other_transport: bool = False,
    ) -> None:
        super().__init__(reason_of(reason))
        self.status = status
        self.error = error
        """The JSON-RPC error, if there is one."""
        self.executed = executed
        """Whether the server may have acted on the request."""
        self.other_transport = other_transport
        """Whether another transport may fare better."""

    @property
    def code(self) -> int | None:
        """The code of the JSON-RPC error."""
        code = object_of(self.error).get("code")
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def message(self) -> str:
        """The message of the JSON-RPC error."""
        return text_of(object_of(self.error).get("message"))

    @property
    def lost_session(self) -> bool:
        """Whether the server does not know the session; it has not looked at the request then."""
        return bool(_LOST_SESSION.search(self.message))

    @property
    def retires(self) -> bool:
        """Whether the connection should not be used again."""
        if self.error is None:
            return True
        return self.lost_session or self.code in _LOST_CODES or (self.status or 0) in {401, 403} or _is_5xx(self.status)

    @property
    def retries(self) -> bool:
        """Whether the same request may be sent once more over a new connection: it surely was not executed."""
        return not self.executed or self.lost_session

    @property
    def supported_versions(self) -> tuple[str, ...]:
        """The protocol versions that a server names which refuses ours."""
        versions = object_of(object_of(self.error).get("data")).get("supported")
        return tuple(v for v in versions if isinstance(v, str)) if isinstance(versions, list) else ()


def _is_5xx(status: int | None) -> bool:
    return status is not None and status >= 500


def status_failure(status: int, headers: Mapping[str, str], body: bytes) -> McpServerError:
    """The failure that an HTTP status tells, with the server's own words."""
    error, words = _said(body, headers.get("content-type", ""))
    if status in _NEEDS_AUTHENTICATION:
        challenge = shorten(one_line(headers.get("www-authenticate", "")), 120)
        reason = f"needs authentication (HTTP {status}{f', {challenge}' if challenge else ''})"
    else:
        reason = f"answered HTTP {status}"
    return McpServerError(
        f"{reason}: {words}" if words else reason,
        status=status,
        error=error,
        executed=status not in _NOT_EXECUTED or error is not None,
        other_transport=status in _UNKNOWN_HERE,
    )


def _said(body: bytes, content_type: str) -> tuple[Mapping[str, Any] | None, str]:
    """The JSON-RPC error in the body of a refusal, and its reason in words."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").strip() if kind == "text/plain" else ""
        return None, shorten(one_line(text.partition("\n")[0]), _MAX_WORDS)
    fields = object_of(value)
    error = object_of(fields.get("error"))
    if error:
        return error, error_words(error)
    message = (text_of(fields.get(name)) for name in ("error_description", "message", "detail", "title", "error"))
    return None, shorten(one_line(next((words for words in message if words), "")), _MAX_WORDS)


def error_words(error: Mapping[str, Any]) -> str:
    """A JSON-RPC error in words: its message, its code, and its data cut to a line."""
    message = shorten(one_line(text_of(error.get("message"))), _MAX_WORDS) or "no reason given"
    data = error.get("data")
    if data in (None, "", {}, []) or data == error.get("message"):
        return message
    words = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{message} ({shorten(one_line(words), _MAX_WORDS)})"


def rpc_failure(error: object) -> McpServerError:
    """The failure that a JSON-RPC error tells."""
    fields = object_of(error)
    return McpServerError(f"refused the call: {error_words(fields)}", error=fields or {"message": ""})


def first_cause(first: McpServerError, second: McpServerError) -> McpServerError:
    """Which of two transports' failures to tell: the first, unless only the second says anything."""
    bare = first.other_transport and first.error is None
    return second if bare and not second.other_transport else first

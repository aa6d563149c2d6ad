"""The one place that every text on its way into the database passes: no credential gets by (S7).

What sources give is redacted and sealed before it is planned with, so that nothing is left to do here. This is for all
else: logs, reports, problems, errors, and what is yet to be written. Tools and search tables are left out: they hold
what sources give, in great number.
"""

import json
import re
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from mcp_optimizer.redaction import has_credential, redact_text, redact_url

VERBATIM: Final = "verbatim"
"""The execution option of statements that copy what another database holds."""
_LEFT_OUT: Final = re.compile(
    r"\b(?:tools_\w+|\w+_vectors?|\w+_fts\w*|embedding\w*|accepted_definitions|credential_key)\b"
)
_WRITES: Final = re.compile(r"\s*(?:INSERT|UPDATE)\b", re.IGNORECASE)
_URL: Final = re.compile(r"(?i)https?://[^\s]+")


def redact_writes(engine: AsyncEngine) -> None:
    """Have every text that this engine writes redacted."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def _redact(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool
    ) -> tuple[str, Any]:
        verbatim = context is not None and context.execution_options.get(VERBATIM, False)
        if verbatim or not _WRITES.match(statement) or _LEFT_OUT.search(statement):
            return statement, parameters
        return statement, _redacted(parameters)


def _redacted(parameters: Any) -> Any:
    if isinstance(parameters, str):
        return storable_text(parameters)
    if isinstance(parameters, dict):
        return {name: _redacted(value) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return type(parameters)([_redacted(value) for value in parameters])
    return parameters


def storable_text(text: str) -> str:
    """``text`` without credentials. A URL without one is an identity or an address, and not a character changes.

    JSON is made of values that were redacted one by one.
    """
    if text[:1] in {"{", "["} and _is_json(text):
        return text
    if _URL.fullmatch(text):
        return redact_url(text) if has_credential(text) else text
    return redact_text(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

"""The one place that every text on its way into the database passes: no credential gets by (S7).

What sources give is redacted and sealed before it is planned with, so that nothing is left to do here. This is for all
else: logs, reports, problems, errors, and what is yet to be written. Tools and search tables are left out: they hold
what sources give, in great number.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from mcp_optimizer.redaction import has_credential, redact_text, redact_url

VERBATIM: Final = "verbatim"
"""The execution option of statements that copy what another database holds."""
_LEFT_OUT: Final = re.compile(
    r"\b(?:tools_\w+|\w+_vectors?|\w+_fts\w*|embedding\w*|accepted_definitions|credential_key)\b"
)
_EXACT: Final = frozenset({"url", "package", "identity", "raw", "endpoint", "old"})
"""Columns and parameters of identities and addresses."""
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
        compiled = getattr(context, "compiled", None)
        names = getattr(compiled, "positiontup", None) or ()
        if isinstance(parameters, list):
            return statement, [_redacted(row, names) for row in parameters]
        return statement, _redacted(parameters, names)


def _redacted(row: Any, names: Sequence[str]) -> Any:
    """The parameters of one row, by name or, with ``names``, by place."""
    if isinstance(row, dict):
        return {name: _value(name, value) for name, value in row.items()}
    known = names if len(names) == len(row) else ("",) * len(row)
    return tuple(_value(name, value) for name, value in zip(known, row, strict=True))


def _value(name: str, value: Any) -> Any:
    return storable_text(value, exact=name in _EXACT) if isinstance(value, str) else value


def storable_text(text: str, *, exact: bool = False) -> str:
    """``text`` without credentials; where it is ``exact``, not a character goes but those of a credential in a URL.

    JSON is made of values that were redacted one by one.
    """
    if text[:1] in {"{", "["} and _is_json(text):
        return text
    if exact or _URL.fullmatch(text):
        return redact_url(text) if _URL.fullmatch(text) and has_credential(text) else text
    return redact_text(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

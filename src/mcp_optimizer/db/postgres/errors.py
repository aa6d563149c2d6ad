"""What PostgreSQL's errors mean to a person. None of them shows a password, or a row's values."""

import re
from typing import Final

import psycopg

from mcp_optimizer.errors import StoreBusyError, StoreError
from mcp_optimizer.text import redact_message

LOCK_NOT_AVAILABLE: Final = "55P03"

_BY_STATE: Final = {
    "28P01": ("{label} refuses the password", "correct it in the URL, in PGPASSWORD or in ~/.pgpass"),
    "28000": ("{label} refuses this user: {said}", "check the user's name, and the server's pg_hba.conf"),
    "3D000": ("there is no database of that name: {label}", "make it: createdb NAME"),
    "42501": (
        "{label} does not allow that: {said}",
        "make this user the database's owner, or have the owner run: GRANT CREATE, USAGE ON SCHEMA public TO USER",
    ),
    "53100": ("no room left to write {label}; nothing was changed", "free some space on the server"),
    "53300": ("{label} has too many connections", "end some, or raise the server's max_connections"),
    "25006": ("{label} is read-only: {said}", "name the primary server, not a standby"),
    "57P03": ("the server of {label} is starting or stopping", "try again in a moment"),
    "42704": ("{label} lacks something it should have: {said}", "run `mcp-optimizer db check`"),
}
_BY_WORDS: Final = (
    (re.compile(r"password authentication failed|no password supplied|PAM authentication failed"), "28P01"),
    (re.compile(r"database \".*\" does not exist"), "3D000"),
    (re.compile(r"role \".*\" does not exist|no pg_hba.conf entry|authentication failed"), "28000"),
    (re.compile(r"too many (clients|connections)|remaining connection slots"), "53300"),
    (re.compile(r"the database system is (starting|shutting)"), "57P03"),
)
"""Before a connection stands, the driver has words only."""
_AWAY: Final = ("08", "57P01", "57P02", "57P05")


def readable(error: BaseException, label: str) -> StoreError:
    """The error in words, with a remedy where one is known."""
    state = getattr(error, "sqlstate", None)
    text = _said(error)
    if state is None:
        state = next((known for words, known in _BY_WORDS if words.search(str(error))), None)
    if state == LOCK_NOT_AVAILABLE:
        return StoreBusyError(f"gave up waiting for a lock of {label}", remedy="wait for it to finish and try again")
    if state in _BY_STATE:
        message, remedy = _BY_STATE[state]
        return StoreError(message.format(label=label, said=text), remedy=remedy)
    if state is None and isinstance(error, psycopg.ProgrammingError):
        return StoreError(f"not a database URL: {text}", remedy="give postgresql://USER@HOST/DATABASE")
    if (state is None and isinstance(error, psycopg.OperationalError)) or (state or "").startswith(_AWAY):
        return StoreError(
            f"the server of {label} does not answer: {text}", remedy="check that it runs, and the host and port"
        )
    return StoreError(f"the database refused: {text}")


def _said(error: BaseException) -> str:
    """The server's own sentence; details, which show values of rows, are left out."""
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error).strip().splitlines()[:1]
    return redact_message(text if isinstance(text, str) else "".join(text) or type(error).__name__)

"""JSON-RPC messages as they come in: what one is, and the error that answers what is not one. Pure."""

from typing import Any, Final, NamedTuple

import orjson
from pydantic_core import from_json

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

type RequestId = str | int


class Malformed(NamedTuple):
    """Why something is not a message; ``id``: of the request that it may have been meant as."""

    code: int
    reason: str
    id: RequestId | None = None


def read_message(content: bytes | bytearray) -> dict[str, Any] | Malformed:
    """A message, or what is wrong with it."""
    try:
        message = from_json(bytes(content))
    except ValueError as error:
        return Malformed(PARSE_ERROR, f"this is not JSON: {str(error)[:200]}")
    if isinstance(message, list):
        return Malformed(INVALID_REQUEST, "a message must be an object; batches are not taken, send one at a time")
    if not isinstance(message, dict):
        return Malformed(INVALID_REQUEST, "a message must be an object")
    return _malformed(message) or message


def _malformed(message: dict[str, Any]) -> Malformed | None:
    given = message.get("id")
    request_id = given if _is_id(given) else None
    if message.get("jsonrpc") != "2.0":
        return Malformed(INVALID_REQUEST, 'jsonrpc must be "2.0"', request_id)
    if "id" in message and request_id is None and not (given is None and "error" in message):
        return Malformed(INVALID_REQUEST, "id must be a string or a whole number")
    return _malformed_call(message, request_id) if "method" in message else _malformed_response(message, request_id)


def _malformed_call(message: dict[str, Any], request_id: RequestId | None) -> Malformed | None:
    if not isinstance(message["method"], str):
        return Malformed(INVALID_REQUEST, "method must be a string", request_id)
    if not isinstance(message.get("params", {}), dict | None):
        return Malformed(INVALID_PARAMS, "params must be an object", request_id)
    return None


def _malformed_response(message: dict[str, Any], request_id: RequestId | None) -> Malformed | None:
    if "id" not in message or not ("result" in message or "error" in message):
        return Malformed(INVALID_REQUEST, "method is missing", request_id)
    if not isinstance(message.get("result", {}), dict):
        return Malformed(INVALID_REQUEST, "result must be an object")
    return None if "result" in message or _is_error(message["error"]) else _BAD_ERROR


_BAD_ERROR: Final = Malformed(INVALID_REQUEST, "error must have a whole number as code and a string as message")


def _is_error(error: object) -> bool:
    return isinstance(error, dict) and type(error.get("code")) is int and isinstance(error.get("message"), str)


def _is_id(value: object) -> bool:
    return isinstance(value, str) or type(value) is int


def request_id_of(message: dict[str, Any]) -> RequestId | None:
    """The id of a request; None for a notification or a response."""
    given = message.get("id")
    return given if "method" in message and isinstance(given, str | int) else None


def id_key(request_id: RequestId) -> str:
    """What distinguishes a request under way: ``1`` and ``"1"`` are one, as the transports tell them apart by text."""
    return str(request_id)


def error_message(code: int, reason: str, request_id: RequestId | None = None) -> bytes:
    """An error as a message, in JSON."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": reason}})


def in_use(request_id: RequestId) -> Malformed:
    """The refusal of a request whose id another one under way has."""
    return Malformed(INVALID_REQUEST, f"a request with the id {str(request_id)[:80]} is under way already", request_id)

"""What the server and its searching process say to each other: one line of JSON a message."""

from typing import Any, Final, NamedTuple

import orjson
from pydantic import TypeAdapter

from mcp_optimizer import errors
from mcp_optimizer.domain.views import CountedHits, SearchHit, SearchQuery
from mcp_optimizer.errors import OptimizerError

MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
"""Bytes of a line that is still read; definitions of tools may be long."""
READY: Final = 0
"""The number under which a process says that it can search."""

_HITS: Final = TypeAdapter(list[SearchHit])


class SearchRequest(NamedTuple):
    """A search, or that nobody waits for it any more (None)."""

    number: int
    query: SearchQuery | None


class SearchResponse(NamedTuple):
    """What became of a search."""

    number: int
    result: CountedHits | OptimizerError


def encode_request(asked: SearchRequest) -> bytes:
    """A line for the process."""
    query = None if asked.query is None else asked.query.model_dump(mode="json")
    return orjson.dumps([asked.number, query], option=orjson.OPT_APPEND_NEWLINE)


def decode_request(line: bytes) -> SearchRequest:
    """What the line says."""
    number, query = orjson.loads(line)
    return SearchRequest(number, None if query is None else SearchQuery.model_validate(query))


def encode_response(answered: SearchResponse) -> bytes:
    """A line for the server."""
    number, result = answered
    text: list[Any]
    if isinstance(result, OptimizerError):
        text = [number, type(result).__name__, result.message, result.remedy]
    else:
        hits, *rest = result
        text = [number, orjson.Fragment(_HITS.dump_json(hits)), *rest]
    return orjson.dumps(text, option=orjson.OPT_APPEND_NEWLINE)


def decode_response(line: bytes) -> SearchResponse:
    """What the line says."""
    number, *text = orjson.loads(line)
    if isinstance(text[0], str):
        kind, message, remedy = text
        return SearchResponse(number, getattr(errors, kind, OptimizerError)(message, remedy=remedy))
    hits, *rest = text
    return SearchResponse(number, CountedHits([SearchHit.model_validate(hit) for hit in hits], *rest))

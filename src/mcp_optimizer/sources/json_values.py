"""Reading untyped JSON without trusting it: every function here gives a usable value, whatever it is handed."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.errors import SourceError
from mcp_optimizer.text import redact_message, shorten, to_storable

MAX_DEPTH: Final = 64
"""Tool details nested deeper than this are not kept: what reads them later recurses."""
_MAX_REASON: Final = 300
_MAX_INTEGER_BITS: Final = 1024
_LONG_NUMBER: Final = re.compile(r"\d{300}")


class JsonObject(dict[str, Any]):
    """A JSON object in which keys are repeated. ``repeated`` holds the members that a plain dict would lose."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.repeated: list[tuple[str, Any]] = []
        for key, value in pairs:
            if key in self:
                self.repeated.append((key, value))
            else:
                self[key] = value


def parse_json(data: bytes, *, label: str) -> object:
    """The JSON in ``data``. Objects with repeated keys become :class:`JsonObject`.

    Raises :class:`SourceError` naming ``label`` and, where there is one, line and column.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object_of_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise SourceError(f"{label} is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"{label} {_what_is_wrong(error)}") from None
    except RecursionError:
        raise SourceError(f"{label} is nested too deeply to be read") from None
    except ValueError as error:  # an integer of thousands of digits
        raise SourceError(f"{label} is not usable JSON: {reason_of(error)}") from None


def _what_is_wrong(error: json.JSONDecodeError) -> str:
    place = f"line {error.lineno}, column {error.colno}"
    if not error.doc.strip():
        return "is empty; expected JSON"
    ends_early = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
    return f"ends before its JSON is complete ({place})" if ends_early else f"is not JSON: {error.msg}, {place}"


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else JsonObject(pairs)


def _no_constant(_name: str) -> None:
    """NaN and Infinity are no JSON; as nothing else is wrong with a document that has them, they read as null."""


def members(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All members of a JSON object, those with repeated keys too."""
    yield from value.items()
    if isinstance(value, JsonObject):
        yield from value.repeated


def text_of(value: object) -> str:
    """``value`` as storable text without white space around it; empty when it is no text."""
    return _clean_text(value).strip() if isinstance(value, str) else ""


def _clean_text(text: str) -> str:
    """``text`` made storable; nearly all of it is, which is cheap to see."""
    return text if text.isascii() and "\0" not in text else to_storable(text)


def object_of(value: object) -> Mapping[str, Any]:
    """``value`` when it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> list[Any]:
    """``value`` when it is a JSON list, else an empty one."""
    return value if isinstance(value, list) else []


def texts_of(value: object) -> tuple[str, ...]:
    """The non-empty texts in a JSON list, each once, in its order."""
    return tuple(dict.fromkeys(text for text in map(text_of, list_of(value)) if text))


def first_text(holder: Mapping[str, Any], *fields: str) -> str:
    """The first of ``fields`` that is a non-empty text."""
    return next((text for field in fields if (text := text_of(holder.get(field)))), "")


def wrong_types(
    name: str, holder: Mapping[str, Any], *, texts: Iterable[str] = (), lists: Iterable[str] = ()
) -> Iterator[ItemProblem]:
    """A problem for each member that is given, but is no text, or no list: it is left out."""
    target = [(field, str, "a text") for field in texts] + [(field, list, "a list") for field in lists]
    for field, kind, what in target:
        value = holder.get(field)
        if value is not None and not isinstance(value, kind):
            yield ItemProblem(name=name, reason=f"`{field}` is {kind_of(value)}, not {what}, and is left out")


def clean_json(value: Any) -> Any:
    """``value`` as JSON that any store takes: storable text, finite numbers. What is so already is not copied.

    Raises :class:`ValueError` when it is nested deeper than :data:`MAX_DEPTH`.
    """
    return value if _is_clean(value) else _cleaned(value, MAX_DEPTH)


def _is_clean(value: Any) -> bool:
    """Whether nothing need be changed, where that is quick to see: in a large catalog it holds for nearly all tools."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return False
    shallow = text.count("{") + text.count("[") <= MAX_DEPTH
    return shallow and "\\u0000" not in text and to_storable(text) == text and not _LONG_NUMBER.search(text)


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict | list) and depth <= 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_clean_text(str(key)): _cleaned(member, depth - 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(member, depth - 1) for member in value]
    if isinstance(value, int):  # bool too; an integer that no number type of a store holds becomes text
        return value if value.bit_length() <= _MAX_INTEGER_BITS else str(value)
    return value if isinstance(value, float) and math.isfinite(value) else None


def kind_of(value: object) -> str:
    """What JSON calls ``value``, for messages."""
    for kind, name in ((Mapping, "an object"), (list, "a list"), (str, "a text"), (bool, "true or false")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "a number"


def reason_of(error: object) -> str:
    """An error, or text from outside, as a short printable line without secrets, to be shown and stored."""
    return shorten(redact_message(to_storable(str(error))), _MAX_REASON)


def label_of(text: str) -> str:
    """A name from outside as a printable line without secrets, for messages."""
    return shorten(redact_message(to_storable(text)), 120)

"""What a stored definition must look like to be answered as an MCP tool. Pure.

Definitions are stored as their servers gave them, odd ones too. A client checks an answer against its schema as a
whole: one odd member of one tool would have it throw away all the others.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

_HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_TASK_SUPPORT: Final = ("forbidden", "optional", "required")
_THEMES: Final = ("light", "dark")

type Member = Callable[[Any], Any]
"""Gives a member's value as the specification has it; None where nothing of it can be used."""


def to_tool(details: Mapping[str, Any], *, name: str, server: str) -> dict[str, Any]:
    """A definition as its server gives it, with that server's name; what is not as specified is put right or left out.

    An MCP tool has a schema, if a bare one: many a catalog has only names. Members that MCP does not know are kept.
    """
    tool: dict[str, Any] = {"inputSchema": _BARE_SCHEMA}
    for key, value in details.items():
        member = _MEMBERS.get(key)
        usable = value if member is None else member(value)
        if usable is not None or member is None:
            tool[key] = usable
    tool["name"] = name
    tool["mcp_server_name"] = server
    return tool


_BARE_SCHEMA: Final[dict[str, Any]] = {"type": "object"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _input_schema(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return _BARE_SCHEMA
    return value if _is_object_schema(value) else _mended_schema(value)


def _output_schema(value: Any) -> dict[str, Any] | None:
    """A schema of objects. Another can't be mended: what the tool gives would not fit a mended one."""
    return value if isinstance(value, dict) and _is_object_schema(value) else None


def _is_object_schema(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is of objects, its properties schemas and its list of required ones a list of names."""
    properties, required = schema.get("properties", {}), schema.get("required", ())
    return (
        schema.get("type") == "object"
        and isinstance(properties, dict)
        and all(isinstance(part, dict) for part in properties.values())
        and isinstance(required, list | tuple)
        and all(isinstance(one, str) for one in required)
    )


def _mended_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of objects that asks for what this one does, as far as that can be told."""
    mended = {**schema, "type": "object"}
    if "properties" in schema:
        properties = schema["properties"] if isinstance(schema["properties"], dict) else {}
        mended["properties"] = {name: _subschema(part) for name, part in properties.items()}
    if "required" in schema:
        required = schema["required"] if isinstance(schema["required"], list) else []
        mended["required"] = [one for one in required if isinstance(one, str)]
    return mended


def _subschema(part: Any) -> dict[str, Any]:
    """A schema as an object; ``false``, which nothing fits, in its long form."""
    if isinstance(part, dict):
        return part
    return {"not": {}} if part is False else {}


def _annotations(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return _usable(value, {"title": _text, **dict.fromkeys(_HINTS, _flag)})


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _icons(value: Any) -> list[Any] | None:
    if not isinstance(value, list):
        return None
    members = {"mimeType": _text, "sizes": _texts, "theme": lambda theme: theme if theme in _THEMES else None}
    return [_usable(icon, members) for icon in value if isinstance(icon, dict) and isinstance(icon.get("src"), str)]


def _texts(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _execution(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return _usable(value, {"taskSupport": lambda support: support if support in _TASK_SUPPORT else None})


def _usable(value: Mapping[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    """An object without those of its known members that are not as specified."""
    return {name: one for name, one in value.items() if name not in members or members[name](one) is not None}


_MEMBERS: Final[Mapping[str, Member]] = {
    "title": _text,
    "description": _text,
    "inputSchema": _input_schema,
    "outputSchema": _output_schema,
    "annotations": _annotations,
    "icons": _icons,
    "execution": _execution,
    "_meta": _object,
}

"""The arguments of the server's tools: clients are taken at their meaning, and told in plain words what is wrong."""

import json
from types import NoneType
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mcp_optimizer.text import one_line, shorten

_IN_WORDS: Final = "in_words"
"""The kind of an error whose message is in our own words."""
_PARAMETERS_ALIASES: Final = frozenset(
    {"arguments", "args", "params", "parameter", "input", "inputs", "kwargs", "tool_arguments", "tool_parameters"}
    | {"tool_args", "tool_input", "toolArguments", "toolParameters", "toolInput"}
)
"""What ``parameters`` of call_tool is mistaken for: leaving it out would call the tool with nothing."""
_MAX_JSON_LAYERS: Final = 2
"""How often parameters may be wrapped in JSON text."""


def _as_text(value: object) -> object:
    """A text; a list of words is as good as the words with spaces between them, and null as none."""
    if isinstance(value, list) and all(isinstance(word, str | None) for word in value):
        return " ".join(word for word in value if word)
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError(_IN_WORDS, "must be a string, or an array of strings")
    return value or ""


def _as_name(value: object) -> object:
    """A name without the white space around it; null is as good as none."""
    name = value.strip() if isinstance(value, str) else value
    if name is None or name == "":
        raise PydanticCustomError(_IN_WORDS, "is missing")
    return name


def _as_object(value: object) -> object:
    """An object; also as JSON text, which some clients send. Null and empty text are as good as no parameters."""
    for _ in range(_MAX_JSON_LAYERS):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            raise PydanticCustomError(
                _IN_WORDS, "must be an object, not a string; as JSON text it can't be read"
            ) from None
    return {} if value is None else value


class Arguments(BaseModel):
    """Arguments of a tool. Those that it does not have are passed over: many a client adds its own."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class NoArguments(Arguments):
    """A tool without arguments."""


class FindToolArguments(Arguments):
    """What a tool is looked for by."""

    tool_description: Annotated[
        str,
        BeforeValidator(_as_text),
        Field(
            description="What the tool should do, as one plain sentence about the single step at hand, for example "
            "'create an issue in a GitHub repository'. Matched by meaning.",
        ),
    ] = ""
    tool_keywords: Annotated[
        str,
        BeforeValidator(_as_text),
        Field(
            description="Words that are likely to stand in the tool's name, description or parameters, separated by "
            "spaces, for example 'github issue create'. A list of words is accepted too.",
            json_schema_extra={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        ),
    ] = ""


class CallToolArguments(Arguments):
    """Which tool is called, and with what."""

    server_name: Annotated[
        str, BeforeValidator(_as_name), Field(description="The mcp_server_name of the tool, as find_tool gave it.")
    ]
    tool_name: Annotated[
        str, BeforeValidator(_as_name), Field(description="The name of the tool, as find_tool gave it.")
    ]
    parameters: Annotated[
        dict[str, Any],
        BeforeValidator(_as_object),
        Field(description="The tool's own arguments, as its inputSchema says."),
    ] = Field(default_factory=dict)


class InstallServerArguments(Arguments):
    """Which registry server is started."""

    server_name: Annotated[
        str,
        BeforeValidator(_as_name),
        Field(description="The mcp_server_name of a registry server, as search_registry gave it."),
    ]


_KINDS: Final[dict[type, str]] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    NoneType: "null",
}
"""What JSON calls a value: whoever reads the error has written JSON."""
_EXPECTED: Final = {"string_type": "a string", "dict_type": "an object"}
"""What is expected, by the kind of error."""


class BadArgumentsError(Exception):
    """Arguments that can't be used; the message names each and says what is wrong with it."""


def parse_arguments[A: Arguments](model: type[A], tool: str, arguments: dict[str, Any] | None) -> A:
    """The arguments of a call. Raises BadArgumentsError."""
    given = arguments or {}
    if "parameters" in model.model_fields and "parameters" not in given:
        for name in given.keys() & _PARAMETERS_ALIASES:
            raise BadArgumentsError(f"{tool}: {name} is not an argument of it; give the tool's own as parameters")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        reasons = "; ".join(_in_words(one) for one in error.errors(include_url=False)[:5])
        raise BadArgumentsError(f"{tool}: {reasons}{_ignored(model, given)}") from None


def nothing_asked(tool: str, arguments: dict[str, Any] | None = None) -> BadArgumentsError:
    """The error of a search for nothing; a misspelt argument is the usual cause, so those not known are named."""
    return BadArgumentsError(
        f"{tool}: say what the tool should do (tool_description), or how it may be named (tool_keywords)"
        f"{_ignored(FindToolArguments, arguments or {})}"
    )


def _ignored(model: type[Arguments], given: dict[str, Any]) -> str:
    names = [shorten(one_line(str(name)), 40) for name in given if name not in model.model_fields][:5]
    return f"; not an argument of it: {', '.join(names)}" if names else ""


def _in_words(error: ErrorDetails) -> str:
    name = shorten(one_line(".".join(map(str, error["loc"]))), 80)
    if error["type"] == "missing":
        return f"{name} is missing"
    if error["type"] == _IN_WORDS:
        return f"{name} {error['msg']}"
    given = _KINDS.get(type(error["input"]), "something else")
    expected = _EXPECTED.get(error["type"])
    if expected is not None:
        return f"{name} must be {expected}, not {given}"
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def input_schema(model: type[Arguments]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    schema = model.model_json_schema()
    for part in (schema, *schema.get("properties", {}).values()):
        part.pop("title", None)
        if "anyOf" in part:
            part.pop("type", None)
    schema.pop("description", None)
    return schema

"""The arguments of the server's tools, and what is wrong with bad ones in words that a model can act on."""

from types import NoneType
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mcp_optimizer.text import one_line, shorten

_WORDS: Final = "words"
"""The kind of error of what can't be taken as words."""


def _spaced(value: object) -> object:
    """Keywords given as a list are as good as keywords with spaces between them."""
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError(_WORDS, "must be a string, or an array of strings")
    return value or ""


class Arguments(BaseModel):
    """Arguments of a tool. Unknown ones are refused: a misspelt one would else be silently without effect."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoArguments(Arguments):
    """A tool without arguments."""


class Wanted(Arguments):
    """What a tool is looked for by."""

    tool_description: Annotated[
        str,
        Field(
            description="What the tool should do, as one plain sentence about the single step at hand, for example "
            "'create an issue in a GitHub repository'. Matched by meaning.",
        ),
    ] = ""
    tool_keywords: Annotated[
        str,
        BeforeValidator(_spaced),
        Field(
            description="Words that are likely to stand in the tool's name, description or parameters, separated by "
            "spaces, for example 'github issue create'. A list of words is accepted too.",
            json_schema_extra={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        ),
    ] = ""


class Call(Arguments):
    """Which tool is called, and with what."""

    server_name: Annotated[
        str, Field(min_length=1, description="The mcp_server_name of the tool, as find_tool gave it.")
    ]
    tool_name: Annotated[str, Field(min_length=1, description="The name of the tool, as find_tool gave it.")]
    parameters: Annotated[dict[str, Any], Field(description="The tool's own arguments, as its inputSchema says.")] = (
        Field(default_factory=dict)
    )


class Install(Arguments):
    """Which registry server is started."""

    server_name: Annotated[
        str, Field(min_length=1, description="The mcp_server_name of a registry server, as search_registry gave it.")
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
_WANTED: Final = {"string_type": "a string", "dict_type": "an object"}
"""What is expected, by the kind of error."""


class BadArgumentsError(Exception):
    """Arguments that can't be used; the message names each and says what is wrong with it."""


def parsed[A: Arguments](model: type[A], tool: str, arguments: dict[str, Any] | None) -> A:
    """The arguments of a call. Raises BadArgumentsError."""
    try:
        return model.model_validate(arguments or {})
    except ValidationError as error:
        said = "; ".join(_in_words(model, one) for one in error.errors(include_url=False)[:5])
        raise BadArgumentsError(f"{tool}: {said}") from None


def _in_words(model: type[Arguments], error: ErrorDetails) -> str:
    name = shorten(one_line(".".join(map(str, error["loc"]))), 80)
    if error["type"] == "missing":
        return f"{name} is missing"
    if error["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"{name} is no argument of it (there are: {known})"
    if error["type"] == _WORDS:
        return f"{name} {error['msg']}"
    given = _KINDS.get(type(error["input"]), "something else")
    wanted = _WANTED.get(error["type"])
    if wanted is not None:
        return f"{name} must be {wanted}, not {given}"
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

"""What is wrong with a setting, in words that lead to where it was set."""

import os
from collections.abc import Collection
from typing import Final

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mcp_optimizer.config import Settings, config_file, line_of
from mcp_optimizer.text import one_line, redact_message, shorten

_PREFIX: Final = "MCP_OPTIMIZER_"
_MAX_VALUE: Final = 60


def explain_bad_settings(error: ValidationError, options: Collection[str]) -> str:
    """Which setting is refused, as it was set: its option, its environment variable, or its line in the file.

    ``options``: the names of the settings that the command line gave.
    """
    return "; ".join(_explained(one, options) for one in error.errors(include_url=False)[:3])


def _explained(error: ErrorDetails, options: Collection[str]) -> str:
    first, *inner = error["loc"] or ("settings",)
    name = _field_of(str(first))
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner)
    reason = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    return f"bad setting {setting_place(name, options)}{place}: {reason}{_shown(name, error)}"


def _field_of(alias: str) -> str:
    """The setting that an alias is of."""
    for name, field in Settings.model_fields.items():
        if alias.lower() in {one.lower() for one in _names(name, field)}:
            return name
    return alias


def _names(name: str, field: FieldInfo) -> list[str]:
    """The names of a setting, the first that is set counts."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"{_PREFIX}{name.upper()}", name]


def setting_place(name: str, options: Collection[str]) -> str:
    """Where a setting was given: its option, its environment variable, or its line in the file."""
    if name in options:
        return f"--{'db' if name == 'db_url' else name.replace('_', '-').removeprefix('mcp-')}"
    field = Settings.model_fields.get(name)
    names = [name] if field is None else [*_names(name, field), name]
    given = {variable.upper(): variable for variable, value in os.environ.items() if value}
    for one in names:
        if one.upper() in given and (one != name or one.isupper()):
            return f"{given[one.upper()]} (environment)"
    file = config_file()
    return f"{name} (in {file}{line_of(file, name) if file.is_file() else ''})"


def _shown(name: str, error: ErrorDetails) -> str:
    """The value that was given, where it is short and no secret."""
    value = error["input"]
    secret = name in Settings.model_fields and "SecretStr" in str(Settings.model_fields[name].annotation)
    if secret or isinstance(value, SecretStr | dict | list) or value is None:
        return ""
    return f", not {shorten(one_line(redact_message(str(value))), _MAX_VALUE)}"

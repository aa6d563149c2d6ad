"""YAML read as the JSON it stands for: no objects of the program, no dates, bounded aliases and depth."""

from typing import Any, Final

from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import reason_of

_MAX_BYTES: Final = 16 * 1024 * 1024
"""A larger document takes minutes as YAML."""
_MAX_NODES: Final = 2_000_000
"""Values once every alias is written out: a page of aliases of aliases stands for billions."""
_MAX_DEPTH: Final = 64
_AS_TEXT: Final = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge"})


def parse_yaml(data: bytes, *, label: str) -> object:
    """The YAML in ``data`` as JSON values. Raises :class:`SourceError` naming ``label`` and, where known, the line."""
    import yaml  # noqa: PLC0415 - few documents need it

    if len(data) > _MAX_BYTES:
        raise SourceError(f"{label} is larger than {_MAX_BYTES:,} bytes as YAML", remedy="give it as JSON")
    try:
        text = data.decode("utf-8-sig")
        _check_depth(text, label)
        return _Plain(label).value(yaml.load(text, Loader=_loader()), _MAX_DEPTH)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise SourceError(f"{label} is not UTF-8 text (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SourceError(f"{label} is not YAML: {reason_of(error.problem or 'unreadable')}{place}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(f"{label} is not usable YAML: {reason_of(error)}") from None


def _loader() -> Any:
    """PyYAML's safe loader, in C where it is built in, that leaves dates and merge keys as the texts they are."""
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):
        yaml_implicit_resolvers: Final = {
            first: [(tag, regexp) for tag, regexp in resolvers if tag not in _AS_TEXT]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    return Loader


def _check_depth(text: str, label: str) -> None:
    """Refuse what is nested so deeply that reading it would recurse without end."""
    import yaml  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise SourceError(f"{label} is nested too deeply to be read")


class _Plain:
    """Copies values, aliases and merge keys (``<<``) written out, and counts them."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._left = _MAX_NODES

    def value(self, value: object, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth < 0:
            raise SourceError(f"{self._label} stands for too much: its aliases repeat each other")
        if isinstance(value, dict):
            copied = {str(key): self.value(member, depth - 1) for key, member in value.items()}
            merged = copied.pop("<<", None)
            for other in reversed(merged if isinstance(merged, list) else [merged]):
                copied = {**other, **copied} if isinstance(other, dict) else copied
            return copied
        if isinstance(value, list | tuple | set):
            members = sorted(value, key=str) if isinstance(value, set) else value
            return [self.value(member, depth - 1) for member in members]
        return value if value is None or isinstance(value, str | int | float | bool) else str(value)

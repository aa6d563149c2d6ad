"""Which of the versions of a server that a registry lists is its entry (C8). Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from packaging.version import InvalidVersion, Version

from mcp_optimizer.sources.json_values import first_text, object_of, text_of

_OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
_EARLIER_OFFICIAL: Final = "x-io.modelcontextprotocol.registry"
_PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"
_TIMES: Final = ("updatedAt", "updated_at", "publishedAt", "published_at", "releaseDate", "release_date")
_NO_ENTRY: Final = ("deleted", "superseded")
_GRAVEST_FIRST: Final = (*_NO_ENTRY, "deprecated")
_MAX_VERSION_LENGTH: Final = 256
_SEMVER: Final = re.compile(
    r"[vV]?(0|[1-9][0-9]{0,99})\.(0|[1-9][0-9]{0,99})\.(0|[1-9][0-9]{0,99})"
    r"(?:-((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?"
)


class ServerRecord(NamedTuple):
    """One version of a server, with what its registry says of it wherever that stands."""

    name: str
    server: Mapping[str, Any]
    version: str
    latest: bool | None
    status: str
    """Empty: active."""
    updated_at: str


def server_record(item: Mapping[str, Any]) -> ServerRecord:
    """A server.json, or what a registry's API wraps it in: ``{"server": …, "_meta": …}``. The name may be empty."""
    inner = item.get("server")
    server = inner if isinstance(inner, Mapping) else item
    holders = _holders(item, server)
    return ServerRecord(
        name=text_of(server.get("name")),
        server=server,
        version=first_text(server, "version") or first_text(object_of(_detail(server)), "version"),
        latest=_first_flag(holders),
        status=_gravest(map(status_of, holders)),
        updated_at=max((text for holder in holders for text in _texts(holder)), default=""),
    )


def status_of(holder: Mapping[str, Any]) -> str:
    """A status in lower case; empty for an active one."""
    status = text_of(holder.get("status")).lower()
    return "" if status == "active" else status


def is_no_entry(status: str) -> bool:
    """Whether what has this status is no entry of its catalog any more (C8)."""
    return status in _NO_ENTRY


def current_records(records: Iterable[ServerRecord]) -> Iterator[ServerRecord]:
    """Those that are entries: of each name the latest, as the registry marks it, else the highest version.

    Deleted and superseded ones are none. Several of one name stay where their versions do not tell them apart.
    """
    by_name: dict[str, list[ServerRecord]] = defaultdict(list)
    for record in records:
        by_name[record.name].append(record)
    for same in by_name.values():
        yield from _current(same)


def _current(same: list[ServerRecord]) -> list[ServerRecord]:
    marked = [record for record in same if record.latest]
    among = [record for record in marked or same if record.latest is not False and not is_no_entry(record.status)]
    versions = {record.version for record in among}
    if len(versions) < 2:
        return among
    highest = max(versions, key=version_order(versions))
    return [record for record in among if record.version == highest]


def version_order(versions: Iterable[str]) -> Callable[[str], tuple[Any, ...]]:
    """A sort key for versions that stand beside each other: semver where all are that, else PEP 440, else text.

    What is no version at all comes before what is one.
    """
    known = [version for version in versions if _semver(version) or _pep440(version)]
    if all(map(_semver, known)):
        return lambda version: (_semver(version) is not None, _semver(version) or (), version)
    return lambda version: (_pep440(version) is not None, _pep440(version) or Version("0"), version)


def _semver(version: str) -> tuple[Any, ...] | None:
    """Precedence by semver 2.0.0, 11: numbers as numbers, a pre-release before its release."""
    match = _SEMVER.fullmatch(version) if len(version) <= _MAX_VERSION_LENGTH else None
    if match is None:
        return None
    *numbers, pre = match.groups()
    parts = [] if pre is None else [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")]
    return (*map(int, numbers), pre is None, parts)


def _pep440(version: str) -> Version | None:
    try:
        return Version(version) if len(version) <= _MAX_VERSION_LENGTH else None
    except InvalidVersion:
        return None


def _holders(item: Mapping[str, Any], server: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Every place where a registry has put its mark, the registry's own word first."""
    metas = (object_of(item.get("_meta")), object_of(server.get("_meta")))
    return (
        *(object_of(meta.get(_OFFICIAL)) for meta in metas),
        object_of(item.get(_EARLIER_OFFICIAL)),
        object_of(server.get(_EARLIER_OFFICIAL)),
        *(object_of(meta.get(_EARLIER_OFFICIAL)) for meta in metas),
        *metas,
        item,
        server,
        object_of(_detail(server)),
        *(object_of(meta.get(_PUBLISHER)) for meta in metas),
    )


def _detail(server: Mapping[str, Any]) -> object:
    return server.get("version_detail") or server.get("versionDetail")


def _first_flag(holders: Iterable[Mapping[str, Any]]) -> bool | None:
    flags = (holder.get(field) for holder in holders for field in ("isLatest", "is_latest"))
    return next((flag for flag in flags if isinstance(flag, bool)), None)


def _gravest(statuses: Iterable[str]) -> str:
    given = [status for status in statuses if status]
    return next((status for status in _GRAVEST_FIRST if status in given), given[0] if given else "")


def _texts(holder: Mapping[str, Any]) -> Iterator[str]:
    return (text for field in _TIMES if (text := text_of(holder.get(field))))

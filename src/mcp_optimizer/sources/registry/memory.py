"""The last whole reading of a registry's API, kept so that later ones ask for changes alone (``updated_since``).

It is a file in the cache directory: a lost or an old one means that the whole is read again. What changed since is put
into what was read then, so the result is always the whole; entries that were deleted come with that status.
"""

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.json_values import list_of, object_of, parse_json, text_of
from mcp_optimizer.sources.registry.server_versions import server_record
from mcp_optimizer.text import redact_url

_MAX_AGE: Final = timedelta(days=1)
"""After this the whole is read again: an entry may go without a trace."""
_OVERLAP: Final = timedelta(minutes=5)
"""A registry may store a change a little after the time that it gives it."""
_SERVER_FIELDS: Final = (
    *("name", "title", "description", "version", "version_detail", "repository", "status", "_meta"),
)
_PACKAGE_FIELDS: Final = (
    *("registryType", "registry_type", "registry_name", "registry", "registryBaseUrl", "registry_base_url"),
    *("identifier", "name", "version", "runtimeHint", "runtime_hint", "transport", "transport_type"),
)
_REMOTE_FIELDS: Final = ("type", "url", "transport", "transport_type")
_URL_FIELDS: Final = ("url", "identifier", "registryBaseUrl", "registry_base_url")
_WRAPPER_FIELDS: Final = ("_meta", "x-io.modelcontextprotocol.registry")


class WholeReading(NamedTuple):
    """A whole reading: when it was made, and what is asked for to hear of changes since."""

    whole_at: datetime
    address: str
    since: str
    items: Sequence[Any]


class ReadingFile:
    """Where the reading of one address is kept."""

    def __init__(self, directory: Path, address: str) -> None:
        self._path = directory / "catalogs" / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.json.gz"

    def load(self, now: datetime) -> WholeReading | None:
        """The reading, where there is one that is not too old."""
        try:
            stored = object_of(parse_json(gzip.decompress(self._path.read_bytes()), label="reading"))
            whole_at = datetime.fromisoformat(text_of(stored.get("whole_at")))
            reading = WholeReading(
                whole_at, text_of(stored.get("address")), text_of(stored.get("since")), list_of(stored.get("items"))
            )
            return reading if reading.since and timedelta() <= now - whole_at < _MAX_AGE else None
        except (OSError, EOFError, ValueError, TypeError, SourceError):
            return None

    def save(self, reading: WholeReading) -> None:
        """Keep the reading; without a place for it, the next one is whole again."""
        content = {
            "whole_at": reading.whole_at.isoformat(),
            "address": reading.address,
            "since": reading.since,
            "items": reading.items,
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(gzip.compress(json.dumps(content).encode(), compresslevel=1))
            Path(name).replace(self._path)
        except OSError:
            return


def reading_of(items: Sequence[Any], whole_at: datetime, address: str) -> WholeReading | None:
    """What is worth keeping of a whole listing; None where it can't be asked for changes, or holds a secret (S7)."""
    times = [_updated_at(item) for item in items]
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times):
        return None
    remaining = [_kept(item) for item in items]
    if any(redact_url(url) != url for url in (address, *(url for item in remaining for url in _urls(item)))):
        return None
    since = (max(known) - _OVERLAP).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return WholeReading(whole_at, address, since, remaining)


def merged(reading: WholeReading, changes: Sequence[Any]) -> list[Any] | None:
    """The whole listing with its changes; None where the answer is not of changes since then alone."""
    since = datetime.fromisoformat(reading.since)
    if any((time := _updated_at(item)) is None or time < since for item in changes):
        return None
    records = [server_record(object_of(item)) for item in changes]
    renewed = {record.name for record in records if record.latest}
    versions = {(record.name, record.version) for record in records}
    remaining = [
        item
        for item in reading.items
        for record in (server_record(object_of(item)),)
        if record.name not in renewed and (record.name, record.version) not in versions
    ]
    return [*remaining, *changes]


def _updated_at(item: object) -> datetime | None:
    updated_at = server_record(object_of(item)).updated_at
    try:
        time = datetime.fromisoformat(updated_at)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _kept(item: object) -> dict[str, Any]:
    """An item without what is not needed to make entries: values of variables and headers above all (S7)."""
    wrapper = object_of(item)
    server = object_of(wrapper.get("server")) or wrapper
    remaining = {field: server[field] for field in _SERVER_FIELDS if field in server}
    for section, fields in (("packages", _PACKAGE_FIELDS), ("remotes", _REMOTE_FIELDS)):
        if isinstance(server.get(section), list):
            remaining[section] = [_place(place, fields) for place in map(object_of, server[section])]
    return {"server": remaining, **{field: wrapper[field] for field in _WRAPPER_FIELDS if field in wrapper}}


def _place(place: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    remaining = {field: place[field] for field in fields if field in place}
    if isinstance(remaining.get("transport"), Mapping):
        remaining["transport"] = {"type": remaining["transport"].get("type")}
    return remaining


def _urls(item: Mapping[str, Any]) -> list[str]:
    places = [*list_of(item["server"].get("remotes")), *list_of(item["server"].get("packages"))]
    given = [text_of(place.get(name)) for place in places for name in _URL_FIELDS]
    return [url for url in given if "://" in url]

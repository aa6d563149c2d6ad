"""What was stored at an earlier time: the present state with what the change log tells undone. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from mcp_optimizer.domain.identity import IdentityError, identity_of
from mcp_optimizer.domain.models import Identity, Kind, RegistryServer, Workload

LIMITS: Final = ("the change log holds no descriptions, tools and statuses: changes of these are not compared",)
_UNLINKED: Final = {"unlinked", "autonomous"}


class HistoryLine(NamedTuple):
    """A line of the change log, as far as states are made of it."""

    at: str
    entity: str
    id: str
    name: str
    operation: str
    detail: str


def state_at(
    moment: str, lines: Iterable[HistoryLine], registry: Sequence[RegistryServer], workloads: Sequence[Workload]
) -> tuple[list[RegistryServer], list[Workload]]:
    """What was stored at ``moment`` (as the log writes times). ``lines``: the whole log, oldest first.

    ``registry`` and ``workloads`` are what is stored now. Names, identities and relations are those of then.
    """
    by_id: dict[tuple[str, str], list[HistoryLine]] = defaultdict(list)
    for line in lines:
        by_id[line.entity, line.id].append(line)
    servers = {row.id: row for row in registry}
    rows = {row.id: row for row in workloads}
    for (entity, key), history in by_id.items():
        if entity == "registry" and key:
            _put(servers, key, _server_then(key, history, moment, servers.get(key)))
        elif entity == "workload" and key:
            _put(rows, key, _workload_then(key, history, moment, rows.get(key)))
    entries = sorted(servers.values(), key=lambda row: (row.name, row.identity.canonical))
    return entries, [_tied(row, entries) for row in sorted(rows.values(), key=lambda row: row.name)]


def _put[T](rows: dict[str, T], key: str, row: T | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def _existed(history: Sequence[HistoryLine], moment: str, *, now: bool) -> bool:
    """Whether there was a row: the last line that added or removed it until then says so, else the next one."""
    turns = [line for line in history if line.operation in {"added", "removed"}]
    until = [line for line in turns if line.at <= moment]
    if until:
        return until[-1].operation == "added"
    return turns[0].operation == "removed" if turns else now


def _server_then(
    key: str, history: Sequence[HistoryLine], moment: str, now: RegistryServer | None
) -> RegistryServer | None:
    if not _existed(history, moment, now=now is not None):
        return None
    last = history[-1]
    name, identity = (now.name, now.identity.raw) if now else (last.name, last.detail)
    for line in reversed(history):
        if line.at <= moment:
            break
        if line.operation == "removed":
            name, identity = line.name, line.detail
        elif line.operation == "renamed":
            name = _before(line.detail, line.name)
        elif line.operation == "retagged":
            identity = _before(line.detail, identity)
    if now is not None and (now.name, now.identity.raw) == (name, identity):
        return now
    return RegistryServer(id=key, name=name, identity=_identity(identity))


def _before(detail: str, after: str) -> str:
    """What "from X to Y" gives for X, where Y is known; names may hold any words."""
    return detail.removeprefix("from ").removesuffix(f" to {after}")


def _workload_then(key: str, history: Sequence[HistoryLine], moment: str, now: Workload | None) -> Workload | None:
    if not _existed(history, moment, now=now is not None):
        return None
    until = [line for line in history if line.at <= moment]
    after = [line for line in history if line.at > moment]
    identities = [line.detail for line in until if line.operation in {"added", "updated"}]
    removal = next((line.detail for line in after if line.operation == "removed"), "")
    raw = identities[-1] if identities else removal or (now.identity.raw if now and now.identity else "")
    return Workload(
        id=key,
        name=history[-1].name,
        identity=_identity(raw),
        registry_server_name=_linked_to(until, after, now.registry_server_name if now else None),
    )


def _linked_to(until: Sequence[HistoryLine], after: Sequence[HistoryLine], now: str | None) -> str | None:
    """The name of the entry that a workload was linked to."""
    known, name = False, None
    for line in until:
        if line.operation == "linked":
            known, name = True, line.detail.removeprefix("to ").partition(", which now names ")[0]
        elif line.operation in _UNLINKED:
            known, name = True, None
        elif line.operation == "context-renamed":
            start = f"from {name} to "
            new = line.detail[len(start) :] if line.detail.startswith(start) else line.detail.rpartition(" to ")[2]
            known, name = True, new
    if known:
        return name
    for line in after:  # the log does not go back to where it began
        if line.operation == "unlinked":
            return line.detail.removeprefix("from ")
        if line.operation == "context-renamed":
            return line.detail.removeprefix("from ").partition(" to ")[0]
        if line.operation in {"linked", "autonomous"}:
            return None
    return now


def _tied(row: Workload, entries: Sequence[RegistryServer]) -> Workload:
    """The workload with the id of the entry whose name it was linked by."""
    named = [entry for entry in entries if entry.name == row.registry_server_name]
    named.sort(key=lambda entry: (entry.identity.kind is not row.kind, entry.id != row.registry_server_id))
    if not named:
        return row.model_copy(update={"registry_server_id": None, "registry_server_name": None})
    return row.model_copy(update={"registry_server_id": named[0].id})


def _identity(raw: str) -> Identity:
    kind = Kind.REMOTE if "://" in raw else Kind.CONTAINER
    try:
        return identity_of(kind, raw)
    except IdentityError:
        return Identity(kind=kind, canonical=raw, raw=raw)

"""Identities that earlier versions stored with masked query values, given back what was masked. Pure.

Until revision 0005 a field whose name merely held ``key``, ``auth`` and the like lost its value: ``?author=a`` was
stored as ``?author=…``. Where exactly one incoming identity fits a stored one, it is the same, spelled whole: the row
takes it over, and keeps its links. Where several fit, nothing is taken over, and matching decides again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_plus

from mcp_optimizer.domain.identity import IdentityError, parse_url
from mcp_optimizer.domain.models import (
    Catalog,
    Cause,
    Identity,
    IdentityKey,
    Kind,
    RegistryServer,
    Value,
    Workload,
    WorkloadListing,
)

_MASK: Final = "=%E2%80%A6"
_OLD_NAMES: Final = r"(?:key|token|secret|passw|passphrase|pwd|sig|auth|credential|bearer|jwt|session|cookie)"
_OLD_NAME: Final = re.compile(_OLD_NAMES, re.IGNORECASE)
_OLD_WITHIN: Final = re.compile(rf"//[^/?#]{{0,4096}}@|{_OLD_NAMES}[^=&]{{0,64}}=", re.IGNORECASE)
_BY_HAND: Final = frozenset({Cause.LINKED_BY_HAND, Cause.UNLINKED_BY_HAND})


class Unmasking(Value):
    """The rows, by id, and the resolutions that take over a whole identity."""

    registry: Mapping[str, Identity] = {}
    workloads: Mapping[str, Identity] = {}
    resolutions: Mapping[IdentityKey, Identity] = {}
    mislinked: tuple[Workload, ...] = ()
    """Linked only because both sides were masked alike: they lose the link."""

    @property
    def empty(self) -> bool:
        """Whether nothing is taken over."""
        return not (self.registry or self.workloads or self.resolutions or self.mislinked)


def unmask_registry(
    catalog: Catalog,
    registry: Sequence[RegistryServer],
    workloads: Iterable[Workload],
    resolutions: Mapping[IdentityKey, str],
) -> Unmasking:
    """What the entries of a catalog say of masked registry rows."""
    stored = {row.identity.key for row in registry}
    masked = {key for key in (*stored, *resolutions) if _is_masked(key)}
    if not masked:
        return Unmasking()
    whole = _whole(masked, (entry.identity for entry in catalog.entries))
    rows = {
        row.id: whole[row.identity.key]
        for row in registry
        if row.identity.key in whole and whole[row.identity.key].key not in stored
    }
    return Unmasking(
        registry=rows,
        resolutions={key: whole[key] for key in resolutions if key in whole and whole[key].key not in resolutions},
        mislinked=tuple(
            workload
            for workload in workloads
            if (identity := rows.get(workload.registry_server_id or ""))
            and workload.relation_cause not in _BY_HAND
            and workload.identity is not None
            and not _is_masked(workload.identity.key)
            and workload.identity.key != identity.key
            and masked_key(workload.identity) == masked_key(identity)
        ),
    )


def unmask_workloads(
    listing: WorkloadListing, workloads: Iterable[Workload], registry: Iterable[RegistryServer]
) -> Unmasking:
    """What a listing says of masked workloads. One whose entry turned out to be another is matched again (L2)."""
    masked = {row.name: (row, row.identity.key) for row in workloads if row.identity and _is_masked(row.identity.key)}
    if not masked:
        return Unmasking()
    entries = {row.id: row.identity.key for row in registry}
    results: dict[str, Identity] = {}
    for observed in listing.workloads:
        row, key = masked.get(observed.name, (None, None))
        if row is None or observed.identity is None or masked_key(observed.identity) != key:
            continue
        entry = entries.get(row.registry_server_id or "")
        if entry in {None, observed.identity.key, key} or row.relation_cause in _BY_HAND:
            results[row.id] = observed.identity
    return Unmasking(workloads=results)


def masked_key(identity: Identity) -> IdentityKey:
    """The key that earlier versions gave an identity."""
    if identity.kind is not Kind.REMOTE:
        return identity.key
    address, mark, query = identity.canonical.partition("?")
    try:
        return identity.kind, str(parse_url(address + mark + "&".join(map(_masked_field, query.split("&")))))
    except IdentityError:  # too long with its masks: no earlier version stored it
        return identity.key


def _masked_field(field: str) -> str:
    name, _, value = field.partition("=")
    secret = _OLD_NAME.search(unquote_plus(name)) or _OLD_WITHIN.search(unquote_plus(value))
    return f"{name}{_MASK}" if value and secret else field


def _is_masked(key: IdentityKey) -> bool:
    return key[0] is Kind.REMOTE and _MASK in key[1]


def _whole(masked: set[IdentityKey], incoming: Iterable[Identity]) -> dict[IdentityKey, Identity]:
    """Each masked key with the one incoming identity that fits it; without those that several fit."""
    fits: dict[IdentityKey, dict[IdentityKey, Identity]] = defaultdict(dict)
    for identity in incoming:
        key = masked_key(identity)
        if key in masked:
            known = fits[key].get(identity.key)
            fits[key][identity.key] = identity if known is None or identity.raw < known.raw else known
    return {key: next(iter(result.values())) for key, result in fits.items() if len(result) == 1 and key not in result}

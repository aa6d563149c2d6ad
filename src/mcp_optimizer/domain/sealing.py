"""What comes from outside, made fit to be stored: credentials in URLs become keyed hashes, texts are redacted (S7).

A URL that holds a credential is identified by the URL with ``redacted~HASH`` in the credential's place: two credentials
are two identities, one credential is one, and nobody reads it back. The key is the database's own (see
:mod:`mcp_optimizer.db.credential_key`).
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mcp_optimizer.domain.identity import IdentityError, normal_percent, parse_url, remote_identity
from mcp_optimizer.domain.models import (
    Catalog,
    CatalogEntry,
    Evidence,
    Identity,
    ItemProblem,
    Kind,
    ObservedWorkload,
    RecordedRelation,
    ToolDefinition,
    WorkloadListing,
)
from mcp_optimizer.redaction import SEAL, has_credential, redact_json, redact_text, redact_url, replace_credentials

_HASH_LENGTH: Final = 16
_OLD_MASKS: Final = ("=…", "=%E2%80%A6")


def is_sealed(url: str) -> bool:
    """Whether something stands in for a credential in ``url``, so that it can't be called as it is."""
    return SEAL in url or any(mask in url for mask in _OLD_MASKS)


class Sealer:
    """Makes values storable. What holds no secret stays the same object."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def url(self, url: str) -> str:
        """``url`` with a keyed hash for every credential in it, without its fragment; else not a character changes."""
        return replace_credentials(url.partition("#")[0], self._hashed)

    def _hashed(self, credential: str) -> str:
        """The same for all spellings of one credential (I2)."""
        digest = hmac.new(self._key, normal_percent(credential).encode("utf-8", "replace"), hashlib.sha256)
        return f"{SEAL}{digest.hexdigest()[:_HASH_LENGTH]}"

    def identity(self, identity: Identity) -> Identity:
        """The identity that is stored and compared."""
        if identity.kind is not Kind.REMOTE or not has_credential(identity.raw):
            return identity
        try:
            return remote_identity(self.url(identity.raw))
        except IdentityError:  # hashes are longer than short credentials, and there may be hundreds
            whole = parse_url(identity.canonical)
            sealed = replace(whole, path=f"/{self._hashed(identity.canonical)}", query=None, userinfo=None)
            return remote_identity(str(sealed))

    def catalog(self, catalog: Catalog) -> Catalog:
        """Every text and identity of a catalog, made storable."""
        entries = tuple(map(self._entry, catalog.entries))
        same = all(new is old for new, old in zip(entries, catalog.entries, strict=True))
        return catalog.model_copy(
            update={
                "entries": catalog.entries if same else entries,
                "skipped": self._problems(catalog.skipped),
                "resolutions": tuple((self.identity(one), redact_text(name)) for one, name in catalog.resolutions),
                "aliases": tuple(
                    (self.identity(one), redact_text(name), self.identity(earlier))
                    for one, name, earlier in catalog.aliases
                ),
            }
        )

    def listing(self, listing: WorkloadListing) -> WorkloadListing:
        """Every text, identity and address of a listing, made storable."""
        return listing.model_copy(
            update={
                "workloads": tuple(map(self._workload, listing.workloads)),
                "problems": self._problems(listing.problems),
            }
        )

    def _problems(self, problems: Iterable[ItemProblem]) -> tuple[ItemProblem, ...]:
        return tuple(
            item.model_copy(
                update={
                    "name": redact_text(item.name),
                    "reason": redact_text(item.reason),
                    "identity": item.identity and self.identity(item.identity),
                }
            )
            for item in problems
        )

    def _entry(self, entry: CatalogEntry) -> CatalogEntry:
        fields = ("name", "transport", "description", "title", "tier", "group", "status")
        changes: dict[str, object] = {
            "identity": self.identity(entry.identity),
            "repository": redact_text(redact_url(entry.repository)),
            "tags": _texts(entry.tags),
            "tools": _tools(entry.tools),
        }
        return _changed(entry, changes | {field: redact_text(getattr(entry, field)) for field in fields})

    def _workload(self, observed: ObservedWorkload) -> ObservedWorkload:
        fields = (
            "name", "identity_problem", "transport", "proxy_mode", "status", "status_reason", "group", "tools_problem",
        )  # fmt: skip
        evidence = observed.evidence
        changes: dict[str, object] = {
            "identity": observed.identity and self.identity(observed.identity),
            "endpoint": observed.endpoint and self.url(observed.endpoint),
            "evidence": Evidence(
                recorded_registry_server=_text(evidence.recorded_registry_server),
                image_label=_text(evidence.image_label),
            ),
            "relation": self._relation(observed.relation),
            "tools": None if observed.tools is None else _tools(observed.tools),
        }
        return _changed(observed, changes | {field: _text(getattr(observed, field)) for field in fields})

    def _relation(self, recorded: RecordedRelation | None) -> RecordedRelation | None:
        if recorded is None or recorded.identity is None:
            return recorded
        return recorded.model_copy(update={"identity": self.identity(recorded.identity)})


def _changed[V: CatalogEntry | ObservedWorkload](value: V, fields: dict[str, object]) -> V:
    different = {name: new for name, new in fields.items() if new != getattr(value, name)}
    return value.model_copy(update=different) if different else value


def _text(text: str | None) -> str | None:
    return None if text is None else redact_text(text)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(redact_text, texts))


def _tools(tools: tuple[ToolDefinition, ...]) -> tuple[ToolDefinition, ...]:
    """Each tool redacted; of two whose names are the same then, the first counts (S2)."""
    redacted = [_tool(tool) for tool in tools]
    if all(new is old for new, old in zip(redacted, tools, strict=True)):
        return tools
    return tuple({tool.name: tool for tool in reversed(redacted)}.values())[::-1]


def _tool(tool: ToolDefinition) -> ToolDefinition:
    name, details = redact_text(tool.name), redact_json(tool.details)
    if name == tool.name and details is tool.details:
        return tool
    return ToolDefinition.trusted(name=name, details={**details, "name": name})

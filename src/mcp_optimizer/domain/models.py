"""The values of the domain. All are frozen: a change makes a new value.

Incoming values come from sources (:class:`CatalogEntry`, :class:`ObservedWorkload`); stored values come from the
database (:class:`RegistryServer`, :class:`Workload`, :class:`StoredTool`).
"""

from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field


class Value(BaseModel):
    """A frozen value. Comparing two compares what they hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    _every_field: ClassVar[set[str]]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Know the names of the fields once, not in every value."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._every_field = set(cls.model_fields)

    @classmethod
    def trusted(cls, **fields: Any) -> Self:
        """A value of fields that are known to be right: not validated, and a third of the memory.

        For what is made by the hundred thousand. Fields that are not given get their defaults.
        """
        return cls.model_construct(cls._every_field, **fields)


class Kind(StrEnum):
    """How a server is reached: at a URL of its own, or in a container made from an image."""

    REMOTE = "remote"
    CONTAINER = "container"


class Identity(Value):
    """What a server *is* (I1): the URL of a remote one, the image reference of a container.

    ``canonical`` is compared and unique; ``raw`` is the spelling that was given, kept for display (I2).
    """

    kind: Kind
    canonical: str
    raw: str

    @property
    def key(self) -> "IdentityKey":
        """What two spellings of one identity have in common."""
        return (self.kind, self.canonical)


type IdentityKey = tuple[Kind, str]


class ToolDefinition(Value):
    """A tool as MCP describes it. ``details`` is the whole JSON object; a catalog often gives the name alone."""

    name: str
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def description(self) -> str:
        """The tool's own description, empty where there is none."""
        return str(self.details.get("description") or "")


class CatalogEntry(Value):
    """One usable entry of a catalog document."""

    name: str
    identity: Identity
    transport: str = ""
    description: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    tier: str = ""
    repository: str = ""
    group: str = ""
    status: str = ""
    """What the catalog says of its life, such as ``deprecated``; empty: it is active (C8)."""
    tools: tuple[ToolDefinition, ...] = ()


class ItemProblem(Value):
    """Why one item of a batch could not be used as it came, or is in an unsound state."""

    name: str
    reason: str
    kind: Kind | None = None
    """Of a part of a catalog that was skipped: its kind, where known (C6)."""
    identity: Identity | None = Field(default=None, exclude=True)
    """Of a part of a catalog that was skipped: its identity, where known. A stored row of it stays (C6). Not shown."""


class Catalog(Value):
    """A catalog as one source gave it. Incomplete ones (a page missing, say) never cause a deletion (C6)."""

    source: str
    entries: tuple[CatalogEntry, ...] = ()
    skipped: tuple[ItemProblem, ...] = ()
    complete: bool = True
    resolutions: tuple[tuple[Identity, str], ...] = ()
    """Choices among duplicates that a snapshot records (M3); a choice made here counts more."""
    aliases: tuple[tuple[Identity, str, Identity], ...] = ()
    """What a snapshot records of entries' past: an entry's identity, and a name and an identity that it had."""


class Evidence(Value):
    """What others say about where a workload came from. Shown, never decisive (M5)."""

    recorded_registry_server: str | None = None
    """``registry_server_name`` of ToolHive's export."""
    image_label: str | None = None
    """The image label ``io.modelcontextprotocol.server.name``."""


class Cause(StrEnum):
    """Why a relation is as it is, or changed (L11)."""

    FIRST_MATCH = "first-match"
    IDENTITY_CHANGED = "identity-changed"
    REGISTRY_RENAMED = "registry-renamed"
    REGISTRY_RETAGGED = "registry-retagged"
    REGISTRY_REMOVED = "registry-removed"
    REGISTRY_DELETED = "registry-deleted"
    REMATCH = "re-match"
    LINKED_BY_HAND = "linked-by-hand"
    UNLINKED_BY_HAND = "unlinked-by-hand"
    UNIDENTIFIED = "unidentified"
    OLDER_DATABASE = "older-database"


class RecordedRelation(Value):
    """A relation as a snapshot records it: which entry a workload inherits from (None: none), since when and why."""

    identity: Identity | None
    cause: Cause
    since: str = ""


class ObservedWorkload(Value):
    """One workload as a source lists it, with its tools where they could be had."""

    name: str
    identity: Identity | None
    identity_problem: str | None = None
    """Why there is no identity; set exactly when ``identity`` is None."""
    unidentified_kind: Kind = Kind.CONTAINER
    """How it is reached, where no identity says so."""
    endpoint: str | None = None
    transport: str = ""
    proxy_mode: str = ""
    status: str = "unknown"
    status_reason: str | None = None
    group: str = ""
    virtual_mcp: bool = False
    evidence: Evidence = Evidence()
    relation: RecordedRelation | None = None
    """Given by snapshots that this program exported: a workload that is new here gets this relation."""
    tools: tuple[ToolDefinition, ...] | None = None
    """None: not fetched (stopped, or failed with ``tools_problem``); the stored ones stay (L8). A list that was cut
    at the allowed number has both tools and problem."""
    tools_problem: str | None = None
    tools_partial: bool = False
    """The server's listing ended early: tools that are stored and not in it may still be there (L8)."""

    @property
    def kind(self) -> Kind:
        """How it is reached, also where its identity is not known."""
        return self.identity.kind if self.identity else self.unidentified_kind


class WorkloadListing(Value):
    """The workloads of one source. Only a complete listing lets a workload be deleted (L9)."""

    source: str
    workloads: tuple[ObservedWorkload, ...] = ()
    problems: tuple[ItemProblem, ...] = ()
    """Items that could not even be named as workloads."""
    pending: tuple[str, ...] = ()
    """Workloads whose MCP servers are still being asked for their tools: what is stored of those stays for now."""
    complete: bool = True
    of_file: bool = False
    """A document tells it, which may be the wrong one, and no runtime (C9)."""


class RegistryServer(Value):
    """A row of ``mcpservers_registry``."""

    id: str
    name: str
    identity: Identity
    claim: Identity | None = None
    """What the catalog names for its entry, where the row of another entry has that identity: then this row stands
    for its links alone, and ``identity`` is what the catalog named before (C4, C7)."""
    transport: str = ""
    description: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    tier: str = ""
    repository: str = ""
    group: str = ""
    status: str = ""
    """What the catalog says of its life, such as ``deprecated``; empty: it is active (C8)."""
    text_hash: str = ""
    """Hash of the text that ``server_embedding`` was made from; empty when there is no embedding."""
    tools_digest: str = ""
    """Hash over the tools and their context: equal means that no tool needs a look."""
    created_at: str = ""
    updated_at: str = ""

    @property
    def claimed(self) -> Identity:
        """What the catalog names for it: drift and near misses follow from that (C7)."""
        return self.claim or self.identity


class Workload(Value):
    """A row of ``mcpservers_workload``. Linked exactly when ``registry_server_id`` is set."""

    id: str
    name: str
    identity: Identity | None
    """None: unidentified, with the reason in ``identity_problem``; such a workload is linked to nothing (I4)."""
    identity_problem: str | None = None
    unidentified_kind: Kind = Kind.CONTAINER
    """How it is reached, where no identity says so."""
    endpoint: str | None = None
    transport: str = ""
    proxy_mode: str = ""
    status: str = "unknown"
    status_reason: str | None = None
    registry_server_id: str | None = None
    registry_server_name: str | None = None
    """Context name: the registry server's name that the tools are embedded with; None when autonomous (L6)."""
    relation_cause: str = ""
    """What made the relation as it is: one of :class:`Cause`."""
    relation_changed_at: str = ""
    description: str | None = None
    """Own description; set exactly when autonomous (S2)."""
    group: str = ""
    virtual_mcp: bool = False
    evidence: Evidence = Evidence()
    tools_digest: str = ""
    created_at: str = ""
    updated_at: str = ""

    @property
    def kind(self) -> Kind:
        """How it is reached, also where its identity is not known."""
        return self.identity.kind if self.identity else self.unidentified_kind

    @property
    def linked(self) -> bool:
        """Whether it inherits from a registry server."""
        return self.registry_server_id is not None

    @property
    def context_name(self) -> str:
        """The name its tools are embedded with (L6)."""
        return self.registry_server_name or self.name

    @property
    def running(self) -> bool:
        """Whether it counts as running; any status but ``running`` does not (L8)."""
        return is_running(self.status)


def is_running(status: str) -> bool:
    """Only the status ``running`` is running; new and unknown values are not (L8, Q4)."""
    return status == "running"


class StoredTool(Value):
    """A row of ``tools_registry`` or ``tools_workload``, without its embedding."""

    id: str
    server_id: str
    name: str
    details: dict[str, Any] = Field(default_factory=dict)
    text_hash: str = ""
    """Hash of model and embedded text (E2); empty when the tool is not embedded yet."""
    token_count: int = 0

    @property
    def definition(self) -> ToolDefinition:
        """The tool without what the store adds."""
        return ToolDefinition.trusted(name=self.name, details=self.details)


class Relation(StrEnum):
    """How a workload stands to the catalog."""

    LINKED = "linked"
    AUTONOMOUS = "autonomous"
    REJECTED = "rejected"
    UNIDENTIFIED = "unidentified"
    """What it is can't be told, so it has no relation (I4)."""


class Drift(Value):
    """A linked workload runs something else than the catalog now names. Raw spellings."""

    running: str
    catalog: str


class Alias(Value):
    """What a registry server was until the catalog renamed or moved it: a name and an identity of earlier."""

    registry_server_id: str
    name: str
    identity: Identity
    until: str = ""


class Duplicate(Value):
    """One identity that several names claim (C4): all of them, sorted, and which of them a person chose (M3)."""

    identity: Identity
    names: tuple[str, ...]
    chosen: str | None = None

    @computed_field
    @property
    def resolved(self) -> bool:
        """Whether a person's choice among the present claimants settles it."""
        return self.chosen is not None and self.chosen in self.names

"""What the faces show: read-only values that the service makes from the store. The first fields of each are the JSON
that the command line promises; more may follow them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import Field, computed_field

from mcp_optimizer.domain.models import Drift, Duplicate, Evidence, Kind, Relation, Value
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.serving.presence import ServerView
from mcp_optimizer.domain.tools.definitions import DefinitionChange


class RegistryServerView(Value):
    """A registry server in a list."""

    name: str
    kind: Kind
    identity: str
    transport: str
    tools: int
    workloads: int
    """How many workloads inherit from it."""
    duplicates: tuple[str, ...] = ()
    """The other names that claim its identity (C4)."""
    chosen: str | None = None
    """Which of those names, or its own, a person chose (M3)."""
    id: str = ""
    group: str = ""
    title: str = ""
    description: str = ""
    status: str = ""
    """What the catalog says of its life, such as ``deprecated``; empty: it is active (C8)."""
    updated_at: str = ""


class ToolView(Value):
    """A tool of a registry server or a workload."""

    name: str
    description: str
    tokens: int
    embedded: bool
    details: dict[str, Any] = Field(default_factory=dict)
    hash: str = ""
    """Of the definition: equal means that it says the same."""
    invisible: tuple[str, ...] = ()
    """Characters in its texts that can't be seen, each kind once, named and counted."""
    change: DefinitionChange | None = None
    """How the definition differs from what was first seen, or accepted since (workloads only)."""


class RegistryServerDetail(RegistryServerView):
    """A registry server with all that is known of it."""

    tags: tuple[str, ...] = ()
    tier: str = ""
    repository: str = ""
    canonical_identity: str = ""
    created_at: str = ""
    tool_list: tuple[ToolView, ...] = ()
    workload_names: tuple[str, ...] = ()
    duplicate: Duplicate | None = None


class DescriptionSource(StrEnum):
    """Where a workload's effective description comes from."""

    REGISTRY = "registry"
    OWN = "own"


class WorkloadView(Value):
    """A workload in a list; rejected ones included, which may have no row (``id`` empty)."""

    name: str
    kind: Kind
    identity: str
    status: str
    status_reason: str | None
    relation: Relation
    registry_server: str | None
    drift: Drift | None
    group: str
    tools: int
    description: str
    description_source: DescriptionSource
    context_name: str
    id: str = ""
    tokens: int = 0
    linkable_to: str | None = None
    """Autonomous, and the catalog now has its identity: an explicit re-match would link it to this (L3)."""
    problem: str | None = None
    """The open problem of its last ingestion, where recorded provenance disagrees, or what is suspicious."""
    registry_server_status: str = ""
    """What the catalog says of its registry server's life, such as ``deprecated``; empty: it is active (C8)."""
    suspicious: str | None = None
    """Tools whose definition changed since first seen, or that hold invisible characters, in words."""
    endpoint: str | None = None
    transport: str = ""
    updated_at: str = ""


class ToolDifference(Value):
    """Live tools of a linked workload against those the catalog names, by name."""

    both: tuple[str, ...] = ()
    only_live: tuple[str, ...] = ()
    only_catalog: tuple[str, ...] = ()


class WorkloadDetail(WorkloadView):
    """A workload with all that is known of it."""

    canonical_identity: str = ""
    virtual_mcp: bool = False
    evidence: Evidence = Evidence()
    relation_cause: str = ""
    relation_changed_at: str = ""
    created_at: str = ""
    tool_list: tuple[ToolView, ...] = ()
    tool_difference: ToolDifference | None = None
    """None when it is autonomous."""


class Scope(StrEnum):
    """Which tools are searched."""

    WORKLOAD = "workload"
    REGISTRY = "registry"
    ALL = "all"


class SearchQuery(Value):
    """A search. The filters hold inside both halves of it (Q1)."""

    text: str
    scope: Scope = Scope.WORKLOAD
    limit: int = Field(default=20, ge=1, le=200)
    group: str | None = None
    status: str | None = "running"
    """Status of the workload; None for any (Q4). Registry servers have none and are not filtered by it."""
    kind: Kind | None = None
    visibility: AgentVisibility | None = None
    """Only workloads that agents see; None: all. Registry servers are not filtered by it."""
    keywords: str = ""
    """Looked for by words in place of ``text``, which is then looked for by meaning alone."""
    semantic_ratio: float = Field(default=0.5, ge=0, le=1)
    """Weight of the score by meaning beside that by words; 0.5: as tuned."""
    max_distance: float | None = None
    """Tools of a greater cosine distance are not found by meaning. Words find them all the same."""
    plain: bool = False
    """Whether what was learned from use is left out (Q6)."""
    compare: bool = False
    """Whether hits say where they are without what was learned; costs a second search where something was."""


class SearchHit(Value):
    """A tool that was found, and why (Q3). Ranks start at 1; None means that half did not find it."""

    server: str
    tool: str
    scope: Scope
    description: str
    score: float
    semantic_rank: int | None
    semantic_distance: float | None
    """Cosine distance, 0 (same direction) to 2."""
    text_rank: int | None
    exact_name: bool = False
    tokens: int = 0
    details: dict[str, Any] = Field(default_factory=dict)
    text_score: float | None = None
    """BM25; higher is better, comparable within one search only."""
    coverage: float = 0.0
    """Share of the query's words that the tool answers, 0 to 1."""
    matched: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Field (name, server, description, parameters) to the query's words found there."""
    vector_score: float = 0.0
    """What its vector, and its server's, count in ``score``."""
    word_score: float = 0.0
    """What its words count in ``score``."""
    sentence: str | None = None
    """The sentence of the query that it answers best, where the query has several."""
    learned_rank: int | None = None
    """Its place, where an order learned from use made it and the query asks to compare."""
    plain_rank: int | None = None
    """Its place without what was learned; None where that was not asked, or it would not be found."""
    learned_calls: int = 0
    """In how many sessions it was called after questions like this one."""

    @property
    def moved(self) -> bool:
        """Whether what was learned gave it another place."""
        return self.learned_rank is not None and self.learned_rank != self.plain_rank


def learned_words(hit: SearchHit) -> str:
    """What was learned about a hit, in words; empty where its place is the same without."""
    if not hit.moved:
        return ""
    times = f"called {hit.learned_calls} time{'s' if hit.learned_calls > 1 else ''} after such questions"
    why = times if hit.learned_calls else "from calls after other questions"
    return f"{why}; without it {'not found' if hit.plain_rank is None else f'at place {hit.plain_rank}'}"


_WEAK_LIKENESS: Final = 0.25
"""Below this cosine a tool is hardly about what was asked."""
_WEAK_COVERAGE: Final = 0.6
"""A tool with so much of the query's words in it is about it, whatever its vector says."""
WEAK_WORDS: Final = "weak matches: none of these tools is close to what was asked"


def is_weak(hit: SearchHit) -> bool:
    """Whether a tool is hardly about what was asked, by its vector and by its words."""
    if hit.exact_name or hit.semantic_distance is None:
        return False
    return 1 - hit.semantic_distance < _WEAK_LIKENESS and hit.coverage < _WEAK_COVERAGE


def are_weak(hits: Sequence[SearchHit]) -> bool:
    """Whether a search is sure of nothing it found. Hits are never left out for it; nothing found is not weak."""
    return bool(hits) and all(map(is_weak, hits))


class CountedHits(NamedTuple):
    """The best tools, and the tokens of all tools among which they were looked for."""

    hits: list[SearchHit]
    baseline_tokens: int

    @property
    def weak(self) -> bool:
        """Whether the search is sure of nothing it found."""
        return are_weak(self.hits)


class OfferedTool(Value):
    """A tool that agents may call. ``details`` is its definition as its server gives it."""

    server: str
    name: str
    details: dict[str, Any] = Field(default_factory=dict)
    tokens: int = 0


class WhyNotReason(StrEnum):
    """Why a tool is not where somebody expected it; ``FOUND`` when it is."""

    FOUND = "found"
    NO_SUCH_SERVER = "no-such-server"
    NO_SUCH_TOOL = "no-such-tool"
    STATUS = "status"
    GROUP = "group"
    KIND = "kind"
    VISIBILITY = "visibility"
    """An agent does not see the server: its groups, a name that is skipped, a virtual server in its place."""
    THRESHOLD = "threshold"
    """Only meaning finds it, from farther away than the query allows."""
    OUTRANKED = "outranked"
    NOT_MATCHED = "not-matched"


class WhyNot(Value):
    """Why a search finds a tool where it does, or not at all (Q3)."""

    server: str
    tool: str
    scope: Scope | None
    reason: WhyNotReason
    detail: str
    """The reason in words."""
    place: int | None = None
    """Its place among all tools that the filters let through; None when it is not among those that are ranked."""
    embedded: bool = True
    hit: SearchHit | None = None
    """Its ranks, where it has any."""
    above: tuple[str, ...] = ()
    """The first tools that are ranked above it, as ``server/tool``."""


class ServerHit(Value):
    """A registry server that answers a question: which one to install. ``tools``: its best tools for it."""

    server: str
    description: str
    score: float
    distance: float | None
    """Cosine distance of its own description, 0 to 2; None when it has no embedding."""
    tools: tuple[str, ...] = ()
    workloads: int = 0
    """How many workloads already run from it."""
    kind: Kind
    identity: str


class SavedQuery(Value):
    """A query whose right answers are known. ``expect``: ``server/tool``; all must be among the first ``within``."""

    query: str = Field(min_length=1)
    expect: tuple[str, ...] = Field(min_length=1)
    within: int = Field(default=8, ge=1, le=200)
    scope: Scope = Scope.WORKLOAD


class SavedResult(Value):
    """What a saved query finds now. ``places``: each expected tool's place from 1; None when it is not found at all."""

    query: str
    within: int
    places: dict[str, int | None]

    @computed_field
    @property
    def ok(self) -> bool:
        """Whether every expected tool is among the first ``within``."""
        return all(place is not None and place <= self.within for place in self.places.values())


class RunView(Value):
    """One ingestion in the run log. ``outcome`` is done, partial, failed or cancelled."""

    id: str
    what: str
    source: str
    started_at: str
    seconds: float
    outcome: str
    error: str | None = None
    summary: str = ""
    """The report in one line."""


class ProblemView(Value):
    """Something wrong with one item. Open ones are shown until an ingestion or a person settles them."""

    id: str
    entity: str
    """``registry`` or ``workload``."""
    name: str
    problem: str
    """rejected, failed, skipped, duplicate, provenance, changed (a tool's definition) or invisible (characters)."""
    reason: str
    since: str
    run_id: str | None = None
    open: bool = True


class ChangeView(Value):
    """One line of the change log. ``operation`` is added, updated, removed, renamed, retagged, linked, unlinked …"""

    sequence: int
    at: str
    entity: str
    """registry, workload, run or problem; ``serving`` for what running servers note of themselves (not logged)."""
    name: str
    operation: str
    cause: str = ""
    detail: str = ""
    run_id: str | None = None
    """The ingestion that made it; None: a person did."""


class Overview(Value):
    """Every count that the first screen shows."""

    registry_servers: int = 0
    registry_by_kind: dict[str, int] = Field(default_factory=dict)
    registry_tools: int = 0
    workloads: int = 0
    """Rows; rejected ones that have no row are not in it."""
    workloads_by_status: dict[str, int] = Field(default_factory=dict)
    workload_tools: int = 0
    workload_tokens: int = 0
    linked: int = 0
    drifted: int = 0
    autonomous: int = 0
    linkable: int = 0
    rejected: int = 0
    unidentified: int = 0
    """Workloads whose identity is not known, and that so have no relation (I4)."""
    duplicates: int = 0
    """Identities that several names claim and no one has resolved."""
    suspicious: int = 0
    """Workloads with tools whose definition changed since first seen, or that hold invisible characters."""
    runs: tuple[RunView, ...] = ()
    problems: tuple[ProblemView, ...] = ()
    servers: tuple[ServerView, ...] = ()
    """The servers that run on this database."""
    database: str = ""
    model: str = ""

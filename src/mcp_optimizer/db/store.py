"""The store as one thing: the database, its four ops classes, and what planning reads from it."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db import change_log, problems
from mcp_optimizer.db.definition_ops import DefinitionOps
from mcp_optimizer.db.engine import Database
from mcp_optimizer.db.registry_server_ops import RegistryServerOps
from mcp_optimizer.db.registry_tool_ops import RegistryToolOps
from mcp_optimizer.db.workload_server_ops import WorkloadServerOps
from mcp_optimizer.db.workload_tool_ops import WorkloadToolOps
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import (
    Alias,
    CatalogEntry,
    Duplicate,
    IdentityKey,
    ObservedWorkload,
    RegistryServer,
    Workload,
)
from mcp_optimizer.domain.reconcile import duplicates_of
from mcp_optimizer.domain.retention import Retention


@dataclass(frozen=True)
class StoredState:
    """What is stored, as of one moment. A plan made from it holds while ``sequence`` is still the last (S6)."""

    sequence: int
    registry: list[RegistryServer]
    workloads: list[Workload]
    claims: list[CatalogEntry]
    aliases: list[Alias]
    resolutions: dict[IdentityKey, str]
    problems: list[problems.Problem]

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """Identities that several names claim, each with a person's choice where there is one (C4, M3)."""
        return duplicates_of(self.claims, self.resolutions)

    @property
    def rejected(self) -> list[ObservedWorkload]:
        """What was observed of rejected workloads (M2)."""
        return [observed for problem in self.problems if (observed := problem.rejected) is not None]

    def index(self) -> RegistryIndex:
        """The catalog, ready to be matched against."""
        return RegistryIndex(self.registry, self.duplicates, self.aliases)

    def linked_to(self, registry_server_id: str) -> list[Workload]:
        """The workloads that inherit from a registry server."""
        return [row for row in self.workloads if row.registry_server_id == registry_server_id]


@dataclass(frozen=True)
class Store:
    """The database and everything that reads and writes it."""

    database: Database
    retention: Retention = field(default_factory=Retention)
    registry_servers: RegistryServerOps = field(default_factory=RegistryServerOps)
    registry_tools: RegistryToolOps = field(default_factory=RegistryToolOps)
    workloads: WorkloadServerOps = field(default_factory=WorkloadServerOps)
    workload_tools: WorkloadToolOps = field(default_factory=WorkloadToolOps)
    definitions: DefinitionOps = field(default_factory=DefinitionOps)

    async def state(self, connection: AsyncConnection) -> StoredState:
        """What is stored, tools apart, as the connection's transaction sees it."""
        return StoredState(
            sequence=await change_log.last_change(connection),
            registry=await self.registry_servers.all(connection),
            workloads=await self.workloads.all(connection),
            claims=await self.registry_servers.claims(connection),
            aliases=await self.registry_servers.aliases(connection),
            resolutions=await self.registry_servers.resolutions(connection),
            problems=await problems.open_problems(connection),
        )

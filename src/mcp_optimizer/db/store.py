"""The store as one thing: the database, its four ops classes, and what planning reads from it."""

from dataclasses import dataclass, field, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.database import Database
from mcp_optimizer.db.definition_ops import DefinitionOps
from mcp_optimizer.db.logs import change_log, problems
from mcp_optimizer.db.registry_server_ops import RegistryServerOps
from mcp_optimizer.db.registry_tool_ops import RegistryToolOps
from mcp_optimizer.db.workload_server_ops import WorkloadServerOps
from mcp_optimizer.db.workload_tool_ops import WorkloadToolOps
from mcp_optimizer.domain.masked_identities import Unmasking
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
from mcp_optimizer.domain.serving.retention import Retention


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

    def unmasked(self, unmasking: Unmasking) -> "StoredState":
        """The state with identities given back what earlier versions masked of them."""
        keys = {key: identity.key for key, identity in unmasking.resolutions.items()}
        return replace(
            self,
            registry=[
                row.model_copy(update={"identity": unmasking.registry.get(row.id, row.identity)})
                for row in self.registry
            ],
            workloads=[
                row.model_copy(update={"identity": unmasking.workloads.get(row.id, row.identity)})
                for row in self.workloads
            ],
            resolutions={keys.get(key, key): name for key, name in self.resolutions.items()},
        )

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

    async def unmask(self, writing: change_log.Writing, unmasking: Unmasking) -> None:
        """Store identities that were masked as they are whole; rows keep their ids and links."""
        changed = [("mcpservers_registry", key, identity) for key, identity in unmasking.registry.items()]
        changed += [("mcpservers_workload", key, identity) for key, identity in unmasking.workloads.items()]
        for table, key, identity in changed:
            await writing.connection.execute(
                text(f"UPDATE {table} SET url = :url, identity = :identity, updated_at = :at WHERE id = :id"),
                {"url": identity.raw, "identity": identity.canonical, "at": writing.at, "id": key},
            )
        for (_, canonical), identity in unmasking.resolutions.items():
            await writing.connection.execute(
                text("UPDATE registry_resolutions SET identity = :identity WHERE remote AND identity = :old"),
                {"identity": identity.canonical, "old": canonical},
            )
        if not unmasking.empty:
            detail = f"{len(changed)} identities are stored whole that an earlier version had masked"
            await change_log.record(writing, [change_log.Logged("database", "", "", "updated", "ingestion", detail)])

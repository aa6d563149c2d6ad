"""Having ToolHive start a server from the registry."""

import asyncio
import importlib
import re
from typing import Final

from mcp_optimizer.config import Settings
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.lookup import find_registry_server
from mcp_optimizer.domain.matching import match, rejection_reason
from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.reports import InstallReport
from mcp_optimizer.errors import AmbiguousError, NotFoundError, ReadOnlyError
from mcp_optimizer.text import one_line

_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_LENGTH: Final = 63


class Installer:
    """Starts servers. What it starts is in the store after the next ingestion."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def install(self, name: str) -> InstallReport:
        """What was done. Raises NotFoundError, AmbiguousError, ReadOnlyError, SourceError.

        What several entries claim is not started: it would be rejected, and its tools never be found (M2).
        """
        if self._settings.runtime_mode == "k8s":
            raise ReadOnlyError("servers are not installed on Kubernetes", remedy="apply an MCPServer resource instead")
        if not self._settings.enable_dynamic_install:
            raise ReadOnlyError("installing servers is off", remedy="set MCP_OPTIMIZER_ENABLE_DYNAMIC_INSTALL=true")
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
        try:
            entry = find_registry_server(state.registry, name)
        except NotFoundError as error:
            raise NotFoundError(one_line(error.message), remedy="search_registry gives the names of servers") from None
        result = match(entry.claimed, state.index())
        if result.verdict is Relation.REJECTED:
            raise AmbiguousError(
                one_line(rejection_reason(entry.claimed, result.claimants)),
                remedy="a person chooses the one that counts with `registry resolve`",
            )
        for workload in state.workloads:
            if workload.running and workload.registry_server_id == entry.id:
                text = f"{one_line(entry.name)} is running already, as {one_line(workload.name)}."
                return InstallReport(workload=workload.name, said=text, running=True)
        toolhive = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.toolhive.source")
        workload_name = workload_name_for(entry.name)
        there = await toolhive.ToolHiveSource(self._settings).start(entry.name, name=workload_name)
        text = f"ToolHive starts {one_line(entry.name)} as {workload_name}."
        if there is not None:
            text = f"There is a workload {workload_name} already; its status is {one_line(there)}."
        return InstallReport(workload=workload_name, said=text)


def workload_name_for(server: str) -> str:
    """A name that ToolHive takes for a workload: what a registry name ends with, in letters that it allows."""
    return _NOT_ALLOWED.sub("-", server.rpartition("/")[2]).strip("-.")[:_MAX_NAME_LENGTH] or "server"

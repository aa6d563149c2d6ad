"""Among what a person chooses: when linking a workload, resolving a duplicate, or missing a tool."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcp_optimizer.domain.matching import Explanation, Reason
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.views import RegistryServerView, Scope, WorkloadView
from mcp_optimizer.text import one_line
from mcp_optimizer.tui.details.explanation import REASON_WORDS
from mcp_optimizer.tui.dialogs.choose import Choice
from mcp_optimizer.tui.format.tone import Tone

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


async def link_choices(service: "DataService", workload: WorkloadView) -> Sequence[Choice]:
    """The near misses of a workload, strongest first, then every other registry server of its kind."""
    explanation = await service.explain(workload.name)
    servers = await service.registry_servers()
    return to_link(explanation, servers, workload.kind)


def to_link(explanation: Explanation, servers: Sequence[RegistryServerView], kind: Kind) -> list[Choice]:
    """The same from what was read already."""
    of_kind = {server.name: server for server in servers if server.kind is kind}
    of_kind.pop(explanation.registry_server or "", None)
    words = {miss.registry_server: _words(miss.reason) for miss in reversed(explanation.near_misses)}
    if explanation.linkable_to:
        words[explanation.linkable_to] = "has exactly its identity"
    strength = [explanation.linkable_to, *(miss.registry_server for miss in explanation.near_misses)]
    near = [of_kind.pop(name) for name in dict.fromkeys(strength) if name in of_kind]
    return [_choice(server, words[server.name]) for server in near] + [_choice(server) for server in of_kind.values()]


async def claimants(service: "DataService", *, workload: str = "", server: str = "") -> Sequence[Choice]:
    """The entries that claim the identity of a rejected workload, or of a registry server."""
    if workload:
        explanation = await service.explain(workload)
        results = [miss for miss in explanation.near_misses if miss.reason is Reason.DUPLICATE]
        return [Choice(miss.registry_server, miss.registry_server, "claims it", miss.catalog) for miss in results]
    detail = await service.registry_server(server)
    duplicate = detail.duplicate
    names = duplicate.names if duplicate else (detail.name, *detail.duplicates) if detail.duplicates else ()
    chosen = duplicate.chosen if duplicate else None
    return [_claimant(name, detail, chosen) for name in names]


async def searched_servers(service: "DataService", scope: Scope) -> Sequence[Choice]:
    """The servers of a scope, whatever their status: workloads, registry servers, or both."""
    tools = []
    if scope is not Scope.REGISTRY:
        tools += [Choice(w.name, w.name, w.status, w.identity, Tone.MUTED) for w in await service.workloads() if w.id]
    if scope is not Scope.WORKLOAD:
        tools += [Choice(s.name, s.name, "registry", s.identity, Tone.MUTED) for s in await service.registry_servers()]
    return list({choice.key: choice for choice in reversed(tools)}.values())[::-1]


async def tools_of(service: "DataService", scope: Scope, server: str) -> Sequence[Choice]:
    """The tools of a server of that scope."""
    workloads = {w.name for w in await service.workloads() if w.id} if scope is not Scope.REGISTRY else set()
    detail = await (service.workload(server) if server in workloads else service.registry_server(server))
    return [Choice(tool.name, tool.name, "", one_line(tool.description)) for tool in detail.tool_list]


def _claimant(name: str, server: RegistryServerView, chosen: str | None) -> Choice:
    if name == chosen:
        return Choice(name, name, "✓ chosen by a person", server.identity, Tone.GOOD)
    note = "current owner" if name == server.name else "also claims it"
    return Choice(name, name, note, server.identity, Tone.MUTED)


def _choice(server: RegistryServerView, note: str = "") -> Choice:
    return Choice(server.name, server.name, note, server.identity, Tone.WARN)


def _words(reason: Reason) -> str:
    return REASON_WORDS.get(reason, reason.value)

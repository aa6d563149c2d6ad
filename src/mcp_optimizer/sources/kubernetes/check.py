"""Whether a Kubernetes API server can be used as a source: is it there, and may we list each kind?"""

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.reports import CheckFinding
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.sources.kubernetes.client import KubernetesClient
from mcp_optimizer.sources.kubernetes.items import API_GROUP, ResourceKind
from mcp_optimizer.sources.kubernetes.listing import ResourceListing
from mcp_optimizer.sources.kubernetes.source import every_kind, namespaces_of


async def check_kubernetes(settings: Settings) -> list[CheckFinding]:
    """What ``doctor`` says of the cluster: reachable or not, and then one finding for each kind. Changes nothing."""
    try:
        async with await KubernetesClient.opened(settings) as client:
            version = await client.version()
            result = await every_kind(client, namespaces_of(settings), only_first=True)
            label = client.label
    except OptimizerError as error:
        remedy = error.remedy or "check MCP_OPTIMIZER_K8S_API_SERVER_URL, and that this machine reaches it"
        return [CheckFinding(name="kubernetes", ok=False, detail=error.message, remedy=remedy)]
    common = {part.problem for part in result}
    if len(common) == 1 and "" not in common and not result[0].forbidden:
        remedy = "see that the API server is well, and check MCP_OPTIMIZER_K8S_TOKEN_FILE"
        return [CheckFinding(name="kubernetes", ok=False, detail=f"{label}: {common.pop()}", remedy=remedy)]
    reached = CheckFinding(name="kubernetes", ok=True, detail=f"{label} {version}".rstrip())
    if any(part.version for part in result):
        return [reached, *(_kind(kind, [part for part in result if part.kind is kind]) for kind in ResourceKind)]
    remedy = "install ToolHive's operator and its custom resource definitions"
    detail = "the cluster knows none of its kinds"
    return [reached, CheckFinding(name=API_GROUP, ok=False, detail=detail, remedy=remedy)]


def _kind(kind: ResourceKind, parts: list[ResourceListing]) -> CheckFinding:
    problems = list(dict.fromkeys(part.problem for part in parts if part.problem))
    if problems:
        granting = f"grant it to the service account: docs/deployment.md has a role that may `list` {kind.plural}"
        remedy = granting if any(part.forbidden for part in parts) else "look into the log of the API server"
        return CheckFinding(name=kind, ok=False, detail="; ".join(problems), remedy=remedy)
    versions = sorted({part.version for part in parts if part.version})
    if not versions:
        return CheckFinding(name=kind, ok=True, detail="the cluster does not know this kind")
    places = " and ".join(part.where.removeprefix("in ") for part in parts)
    return CheckFinding(name=kind, ok=True, detail=f"{' and '.join(versions)}, can be listed in {places}")

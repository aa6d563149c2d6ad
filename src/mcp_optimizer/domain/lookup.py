"""Which stored thing a name given by a person stands for."""

from collections.abc import Sequence

from mcp_optimizer.domain.models import RegistryServer
from mcp_optimizer.errors import AmbiguousError, NotFoundError


def find_registry_server(rows: Sequence[RegistryServer], name: str) -> RegistryServer:
    """The registry server of this name, identity or id. Raises NotFoundError, AmbiguousError."""
    results = [row for row in rows if name in {row.name, row.id}]
    if not results:
        results = [row for row in rows if name in {row.identity.raw, row.identity.canonical}]
    if not results:
        raise NotFoundError(f"no registry server named {name}", remedy="`registry list` shows all")
    if len(results) > 1:
        identities = ", ".join(row.identity.raw for row in results)
        raise AmbiguousError(f"several registry servers are named {name}", remedy=f"name one by identity: {identities}")
    return results[0]

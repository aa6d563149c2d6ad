"""A ToolHive in which secrets are planted wherever it gives secrets away (S7)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp_optimizer.demo.faults import Fault
from mcp_optimizer.demo.sample import sample_catalog, sample_workloads
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.demo.simulator_state import SECRET_CANARY

URL_CANARY: Final = "canary-in-a-url-4711"
CANARIES: Final = (SECRET_CANARY, URL_CANARY)
PLACES: Final = ("keyed", "keyed-refused", "keyed-away", "keyed-nameless", "keyed-in-url")
"""Two entries and three workloads that have canaries, one of each without a usable identity. The names are shown:
where a name is found, a canary would be."""
PUBLIC: Final = "https://mcp.example.com/mcp?region=eu&api_key="
"""What may be shown of the URL of ``keyed-in-url``."""


@asynccontextmanager
async def planted_toolhive() -> AsyncGenerator[ToolHiveSimulator]:
    """Canaries in every env var, header and run configuration, in URLs, and in the text of an error."""
    remote = {"package": "remote", "remote": True}
    away = f"http://user:{URL_CANARY}@127.0.0.1:9/mcp?token={URL_CANARY}"
    workloads = [
        *sample_workloads(),
        {"name": "keyed-away", **remote, "remote_url": f"http://127.0.0.1:9/mcp?token={URL_CANARY}", "url": away},
        {"name": "keyed-nameless", **remote, "remote_url": away, "url": away},
        {"name": "keyed-in-url", **remote, "status": "stopped", "remote_url": f"{PUBLIC}{URL_CANARY}", "url": away},
    ]
    wants = {
        "description": "Wants a key.",
        "headers": [{"name": "Authorization", "value": f"Bearer {URL_CANARY}"}],
        "env_vars": [{"name": "API_KEY", "default": SECRET_CANARY}],
    }
    catalog, url = sample_catalog(), "mcp.example.com/mcp?region=us&api_key="
    catalog["remote_servers"]["keyed"] = {**wants, "url": f"https://{url}{URL_CANARY}"}
    catalog["remote_servers"]["keyed-refused"] = {**wants, "url": f"https://user:{URL_CANARY}@{url}{URL_CANARY}"}
    async with ToolHiveSimulator(catalog=catalog, workloads=workloads) as simulator:
        simulator.set_fault("workload:tickets", Fault(status=500, body=f"token={SECRET_CANARY}".encode()))
        yield simulator


def leaked(text: str | bytes) -> list[Any]:
    """The canaries that are in it."""
    return [canary for canary in CANARIES if (canary.encode() if isinstance(text, bytes) else canary) in text]

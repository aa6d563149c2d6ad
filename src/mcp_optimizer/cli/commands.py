"""All commands, put together. Importing a command's module is cheap: it imports what it needs when it runs."""

from mcp_optimizer.cli.compare import compare
from mcp_optimizer.cli.db import db, doctor
from mcp_optimizer.cli.ingest import ingest
from mcp_optimizer.cli.main import program
from mcp_optimizer.cli.open import open_file
from mcp_optimizer.cli.registry import registry
from mcp_optimizer.cli.relations import link, rematch, resolve, unlink
from mcp_optimizer.cli.search import search
from mcp_optimizer.cli.serve import learn_process, search_process, serve
from mcp_optimizer.cli.snapshots import snapshot
from mcp_optimizer.cli.tui import demo, simulate_toolhive, tui
from mcp_optimizer.cli.workloads import workload

for command in (
    tui, demo, simulate_toolhive, ingest, registry, workload, search, snapshot, open_file, compare,
    serve, search_process, learn_process, db, doctor,
):  # fmt: skip
    program.add_command(command)

__all__ = ["link", "program", "rematch", "resolve", "unlink"]

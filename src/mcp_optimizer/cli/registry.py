"""``registry``: what is in the catalog."""

from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.confirm import confirmed, dry_run_option, yes_option
from mcp_optimizer.cli.delete import describe_deletion
from mcp_optimizer.cli.main import Program
from mcp_optimizer.cli.output import emit, facts, json_option, table
from mcp_optimizer.text import lines, one_line

if TYPE_CHECKING:
    from mcp_optimizer.domain.views import RegistryServerDetail
    from mcp_optimizer.service import DataService


@click.group()
def registry() -> None:
    """The catalog: registry servers and who inherits from them."""


@registry.command("list")
@json_option
@click.pass_obj
def list_servers(program: Program, *, as_json: bool) -> None:
    """List all registry servers."""
    servers = program.run(lambda service: service.registry_servers())
    columns = ("NAME", "KIND", "TOOLS", "WORKLOADS", "IDENTITY", "ALSO CLAIMED BY", "STATUS")
    rows = [(s.name, s.kind, s.tools, s.workloads, s.identity, ", ".join(s.duplicates), s.status) for s in servers]
    empty = "The catalog is empty. `ingest registry` fills it."
    emit(servers, as_json=as_json, text=lambda: table(columns, rows, empty=empty))


@registry.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_server(program: Program, name: str, *, as_json: bool) -> None:
    """Show one registry server, by name, identity or id."""
    server = program.run(lambda service: service.registry_server(name))
    emit(server, as_json=as_json, text=lambda: _describe(server))


@registry.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def delete_servers(program: Program, names: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete registry servers from this database. Workloads linked to them become autonomous."""

    async def work(service: "DataService") -> None:
        report = await service.delete_registry_servers(names, dry_run=True)
        if not dry_run:
            confirmed(f"{describe_deletion(report)}\nDelete?", yes=yes)
            report = await service.delete_registry_servers(names)
        emit(report, as_json=as_json, text=lambda: describe_deletion(report))

    program.run(work)


def _describe(server: "RegistryServerDetail") -> str:
    text = facts(
        [
            ("name", server.name),
            ("title", server.title),
            ("kind", server.kind),
            ("status", server.status),
            ("identity", server.identity),
            ("transport", server.transport),
            ("tier", server.tier),
            ("tags", ", ".join(server.tags)),
            ("repository", server.repository),
            ("also claimed by", ", ".join(server.duplicates)),
            ("inherited by", ", ".join(server.workload_names) or "no workload"),
            ("updated", server.updated_at),
        ]
    )
    description = "\n".join(lines(server.description))
    tools = [f"  {one_line(tool.name)}  {lines(tool.description)[0]}".rstrip() for tool in server.tool_list]
    return "\n".join([text, "", description, "", f"{len(tools)} tools", *tools])

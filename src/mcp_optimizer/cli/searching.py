"""``search``: find the right tool."""

import click

from mcp_optimizer.cli.output import emit, json_option, table
from mcp_optimizer.cli.program import Program
from mcp_optimizer.domain.views import Scope, SearchHit, SearchQuery
from mcp_optimizer.text import lines, one_line


@click.command()
@click.argument("query")
@click.option("--scope", type=click.Choice([s.value for s in Scope]), default=Scope.WORKLOAD.value, show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=8, show_default=True)
@click.option("--group", help="Only this group.")
@click.option("--status", default="running", show_default=True, help="Only workloads of this status; `any` for all.")
@click.option("--explain", is_flag=True, help="Say why each tool was found.")
@json_option
@click.pass_obj
def search(
    program: Program,
    query: str,
    scope: str,
    limit: int,
    group: str | None,
    status: str,
    *,
    explain: bool,
    as_json: bool,
) -> None:
    """Search tools by meaning and by words. An exact tool name comes first."""
    asked = SearchQuery(
        text=query, scope=Scope(scope), limit=limit, group=group, status=None if status == "any" else status
    )
    hits = program.run(lambda service: service.search(asked))
    emit(hits, as_json=as_json, text=lambda: _explained(hits) if explain else _listed(hits))


_EMPTY = "No tool found. `--scope all` also searches the catalog, `--status any` stopped servers."


def _listed(hits: list[SearchHit]) -> str:
    columns = ("SERVER", "TOOL", "SCOPE", "DESCRIPTION")
    return table(columns, [(h.server, h.tool, h.scope, lines(h.description)[0]) for h in hits], empty=_EMPTY)


def _explained(hits: list[SearchHit]) -> str:
    said: list[str] = []
    for place, hit in enumerate(hits, start=1):
        said += [f"{place}. {one_line(hit.server)} / {one_line(hit.tool)}  score {hit.score:.4f}", f"   {why(hit)}"]
    return "\n".join(said) or _EMPTY


def why(hit: SearchHit) -> str:
    """Why a tool was found, in words (Q3)."""
    reasons = ["exact name"] if hit.exact_name else []
    if hit.semantic_rank is not None:
        reasons.append(f"meaning: place {hit.semantic_rank}, distance {hit.semantic_distance:.3f}")
    if hit.text_rank is not None:
        reasons.append(f"words: place {hit.text_rank}")
    return "; ".join(reasons)

"""``search``: find the right tool."""

from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.learning import SearchCommand, read_saved
from mcp_optimizer.cli.main import DONE, PARTLY, Program
from mcp_optimizer.cli.output import emit, json_option, table
from mcp_optimizer.cli.output import plain as plain_values
from mcp_optimizer.domain.search.words import mark_words
from mcp_optimizer.domain.views import (
    WEAK_WORDS,
    Scope,
    SearchHit,
    SearchQuery,
    ServerHit,
    are_weak,
    is_weak,
    learned_words,
)
from mcp_optimizer.text import lines, one_line, shorten

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


@click.command(cls=SearchCommand)
@click.argument("query", required=False)
@click.option("--scope", type=click.Choice([s.value for s in Scope]), default=Scope.WORKLOAD.value, show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=8, show_default=True)
@click.option("--group", help="Only this group.")
@click.option("--status", default="running", show_default=True, help="Only workloads of this status; `any` for all.")
@click.option("--explain", is_flag=True, help="Say why each tool was found.")
@click.option("--why", "expected", metavar="SERVER/TOOL", help="Say why this tool is not found, or only so far down.")
@click.option("--plain", is_flag=True, help="Leave out what was learned from use.")
@click.option("--servers", is_flag=True, help="Search registry servers instead: which one to install.")
@click.option(
    "--check",
    "saved",
    type=click.Path(exists=True, dir_okay=False),
    help="Ask the saved queries of this file (JSON) and say what is no longer found; leaves with 3 if anything is not.",
)
@json_option
@click.pass_obj
def search(
    program: Program,
    query: str | None,
    scope: str,
    limit: int,
    group: str | None,
    status: str,
    expected: str | None,
    saved: str | None,
    *,
    servers: bool,
    plain: bool,
    explain: bool,
    as_json: bool,
) -> int:
    """Search tools by meaning and by words. An exact tool name comes first.

    `search learn` and `search forget` have the order learn from what agents called after asking; a query that begins
    with one of these words comes behind `--`.
    """
    if saved is not None:
        return _check(program, saved, as_json=as_json)
    if query is None:
        raise click.UsageError("give a query, or --check FILE")
    if servers:
        result = program.run(lambda service: service.search_servers(query, limit))
        emit(result, as_json=as_json, text=lambda: _servers(result))
        return DONE
    request = SearchQuery(
        text=query, scope=Scope(scope), limit=limit, group=group, status=None if status == "any" else status,
        plain=plain, compare=not plain,
    )  # fmt: skip
    if expected is not None:
        return _why(program, request, expected, as_json=as_json)

    async def work(service: "DataService") -> tuple[list[SearchHit], int]:
        return await service.search(request), await service.search_tokens(request) if explain else 0

    hits, baseline = program.run(work)

    def said() -> str:
        text = _explained(hits, baseline) if explain else _listed(hits)
        return f"{WEAK_WORDS}\n{text}" if are_weak(hits) else text

    emit([{**plain_values(hit), "weak": is_weak(hit)} for hit in hits], as_json=as_json, text=said)
    return DONE


def _why(program: Program, asked: SearchQuery, expected: str, *, as_json: bool) -> int:
    server, slash, tool = expected.rpartition("/")
    if not slash or not server or not tool:
        raise click.UsageError("--why takes SERVER/TOOL")
    answer = program.run(lambda service: service.search_why(asked, server, tool))

    def said() -> str:
        lines = [f"{one_line(answer.server)} / {one_line(answer.tool)}: {one_line(answer.detail)}"]
        if answer.hit is not None:
            lines.append(f"   {why(answer.hit)}")
        lines += [f"   above it: {one_line(name)}" for name in answer.above]
        return "\n".join(lines)

    emit(answer, as_json=as_json, text=said)
    return DONE


def _check(program: Program, path: str, *, as_json: bool) -> int:
    saved = read_saved(path)
    results = program.run(lambda service: service.search_saved(saved))
    moved = [result for result in results if not result.ok]

    def said() -> str:
        lines = [f"{len(results) - len(moved)} of {len(results)} saved queries find what they should"]
        for result in moved:
            for name, place in result.places.items():
                if place is None or place > result.within:
                    where = "not found" if place is None else f"at place {place}"
                    lines.append(f"{one_line(result.query)}: {one_line(name)} {where}, expected within {result.within}")
        return "\n".join(lines)

    emit(results, as_json=as_json, text=said)
    return PARTLY if moved else DONE


def _servers(hits: list[ServerHit]) -> str:
    rows = [(h.server, h.kind, h.workloads, ", ".join(h.tools), lines(h.description)[0]) for h in hits]
    return table(("SERVER", "KIND", "RUNNING", "BEST TOOLS", "DESCRIPTION"), rows, empty="No registry server found.")


_SENTENCE_SHOWN = 60
"""Characters."""
_EMPTY = "No tool found. `--scope all` also searches the catalog, `--status any` stopped servers."


def _listed(hits: list[SearchHit]) -> str:
    columns = ("SERVER", "TOOL", "SCOPE", "DESCRIPTION")
    return table(columns, [(h.server, h.tool, h.scope, lines(h.description)[0]) for h in hits], empty=_EMPTY)


def _explained(hits: list[SearchHit], baseline: int) -> str:
    text: list[str] = []
    for place, hit in enumerate(hits, start=1):
        text += [f"{place}. {one_line(hit.server)} / {one_line(hit.tool)}  score {hit.score:.4f}", f"   {why(hit)}"]
        text += [f"   {name}: {highlighted(hit, name)}" for name in hit.matched]
    if not hits:
        return _EMPTY
    returned = sum(hit.tokens for hit in hits)
    return "\n".join([*text, f"{returned} tokens returned, of {baseline} of all tools searched"])


def why(hit: SearchHit) -> str:
    """Why a tool was found, in words (Q3)."""
    reasons = ["exact name"] if hit.exact_name else []
    if hit.semantic_distance is not None:
        place = "" if hit.semantic_rank is None else f"place {hit.semantic_rank}, "
        reasons.append(f"meaning: {place}distance {hit.semantic_distance:.3f}, counts {hit.vector_score:.3f}")
    if hit.text_rank is not None and hit.text_score is not None:
        reasons.append(
            f"words: place {hit.text_rank}, score {hit.text_score:.2f}, {hit.coverage:.0%} of the query's words, "
            f"counts {hit.word_score:.3f}"
        )
    if hit.sentence:
        reasons.append(f"best for: {shorten(one_line(hit.sentence), _SENTENCE_SHOWN)}")
    if learned := learned_words(hit):
        reasons.append(f"learned: {learned}")
    return "; ".join(reasons)


def highlighted(hit: SearchHit, field: str) -> str:
    """A field's text with the query's words in it in bold where there is a terminal; of other fields the words."""
    text = {"name": hit.tool, "server": hit.server, "description": lines(hit.description)[0]}.get(field)
    words = hit.matched[field]
    if text is None:
        return one_line(", ".join(words))
    return mark_words(one_line(text), words, lambda word: click.style(word, bold=True, underline=True))

"""``search learn`` and ``search forget``: the order of search as agents' calls confirm it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_optimizer.cli.confirm import confirmed, dry_run_option, yes_option
from mcp_optimizer.cli.main import DONE, Program
from mcp_optimizer.cli.output import emit, json_option, table
from mcp_optimizer.domain.search.learning import ForgetReport, LearnReport
from mcp_optimizer.text import one_line, shorten

if TYPE_CHECKING:
    from mcp_optimizer.domain.views import SavedQuery

_MAX_QUERY_SHOWN = 60
"""Characters."""
_MAX_TOOLS_SHOWN = 10


class SearchCommand(click.Command):
    """A command whose first word may be one of others; behind ``--`` it is a query again."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """The context of the command that is meant."""
        other = {"learn": learn, "forget": forget}.get(args[0]) if args else None
        if other is None:
            return super().make_context(info_name, args, parent, **extra)
        return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)


@click.command()
@click.option(
    "--check",
    "saved",
    type=click.Path(exists=True, dir_okay=False),
    help="Saved queries (JSON) whose answers must not be lost.",
)
@dry_run_option
@json_option
@click.pass_obj
def learn(program: Program, saved: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Learn the order of tools from which offered tool agents called next.

    Trains on four fifths of the queries, each fifth held out in turn, and is used only where the held-out ones find
    more and nothing known is lost; else the order is the plain one.
    """
    known = [] if saved is None else read_saved(saved)
    report = program.run(lambda service: service.learn(saved=known, dry_run=dry_run), read_only=dry_run)
    emit(report, as_json=as_json, text=lambda: _learned(report))
    return DONE


@click.command()
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def forget(program: Program, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Forget what was learned, and the calls it was learned from: the order is the plain one again."""
    if not dry_run:
        confirmed("Forget what was learned from use, and the calls it was learned from?", yes=yes)
    report = program.run(lambda service: service.forget_learned(dry_run=dry_run), read_only=dry_run)
    emit(report, as_json=as_json, text=lambda: _forgot(report))
    return DONE


def read_saved(path: str) -> "list[SavedQuery]":
    """The saved queries of a file."""
    from mcp_optimizer.domain.search.saved import parse_saved

    try:
        content = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise click.UsageError(f"can't read {path}") from None
    return parse_saved(content)


def _learned(report: LearnReport) -> str:
    outcome = "accepted" if report.accepted else "not accepted"
    text = [f"{outcome}: {report.reason}{' (dry run: nothing was stored)' if report.dry_run else ''}"]
    text.append(f"{report.calls} calls after {report.queries} different queries")
    if report.before is not None and report.after is not None:
        text.append(
            f"{report.held_out} queries, each held out from training once: "
            f"recall@8 {report.before.recall:.3f} -> {report.after.recall:.3f}, "
            f"MRR {report.before.mrr:.3f} -> {report.after.mrr:.3f}, {report.seconds:.1f} s"
        )
    if report.tools:
        rows = [(tool.server, tool.tool, tool.calls, tool.votes) for tool in report.tools[:_MAX_TOOLS_SHOWN]]
        text += ["", table(("SERVER", "TOOL", "CALLS", "VOTES"), rows, empty="")]
    if report.moved:
        rows = [
            (
                shorten(one_line(m.query), _MAX_QUERY_SHOWN),
                f"{m.server}/{m.tool}",
                m.plain_rank or "-",
                m.learned_rank or "-",
            )
            for m in report.moved
        ]
        text += ["", table(("HELD-OUT QUERY", "TOOL", "PLACE", "LEARNED"), rows, empty="")]
    text += [f"lost: {one_line(lost)}" for lost in report.lost]
    return "\n".join(text)


def _forgot(report: ForgetReport) -> str:
    verb = "would forget" if report.dry_run else "forgot"
    return f"{verb} {report.calls} calls and {report.orders} learned orders"

"""Asking before something is lost."""

import sys

import click

yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")


def confirmed(question: str, *, yes: bool) -> None:
    """Return when the user agrees. Without a terminal to ask on, and without ``--yes``, it is a usage error."""
    if yes:
        return
    if not can_ask():
        raise click.UsageError("there is no terminal to ask on: give --yes, or --dry-run to see what would happen")
    click.confirm(question, abort=True, err=True)


def can_ask() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()

"""The program: its options, its commands, and what its exit codes mean."""

import asyncio
import contextlib
import errno
import io
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import click
import structlog
from pydantic import ValidationError

from mcp_optimizer import __version__
from mcp_optimizer.cli.logs import log_to_stderr
from mcp_optimizer.config import ConfigFileError, Settings, config_file
from mcp_optimizer.domain.identity import IdentityError
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.redaction import redact_text
from mcp_optimizer.text import redact_message

DONE: Final = 0
FAILED: Final = 1
"""Nothing changed."""
USAGE: Final = 2
PARTLY: Final = 3
"""Some items were rejected, skipped or failed; they are in the output."""
INTERRUPTED: Final = 130
_MISTAKE_REMEDY: Final = "`mcp-optimizer db check` says whether the database is sound; `--log-level debug` shows where"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Program:
    """What every command gets: the settings that the options, the environment and the configuration file give."""

    settings: Settings

    def run[T](self, work: Callable[[Any], Awaitable[T]], *, read_only: bool = False) -> T:
        """Run ``work`` with an open service."""
        from mcp_optimizer.service import DataService

        async def with_service() -> T:
            async with DataService(self.settings, read_only=read_only) as service:
                return await work(service)

        return self.run_async(with_service())

    def run_async[T](
        self, work: Coroutine[Any, Any, T], *, on: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> T:
        """Run a coroutine to its end; ``on`` makes the loop that it runs on."""
        return asyncio.run(work, loop_factory=on)

    def with_settings(self, **changes: object) -> "Program":
        """The same program with other settings."""
        return replace(self, settings=self.settings.model_copy(update=changes))


def run_program(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit code. Every error is one line on stderr, never a traceback."""
    from mcp_optimizer.cli.commands import program

    try:
        result = program.main(args=arguments, prog_name="mcp-optimizer", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(redact_text(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError):
        click.echo("interrupted; what was not finished is not stored", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except Exception as error:  # noqa: BLE001 (a mistake of the program's own is told in one line, too)
        say_error(_readable(error))
        return FAILED
    return result if isinstance(result, int) else DONE


def _readable(error: Exception) -> OptimizerError:
    """Any error as one that a person is meant to read."""
    if isinstance(error, OptimizerError):
        return error
    if isinstance(error, IdentityError):  # of a stored row: those from outside are problems of their items
        remedy = "run `mcp-optimizer db check`, which names the row; then ingest again"
        return OptimizerError(f"the database holds an identity that can't be read: {error}", remedy=remedy)
    if isinstance(error, UnicodeEncodeError):
        return OptimizerError(
            "what was given is not UTF-8 text", remedy="check how your terminal encodes what you type"
        )
    if isinstance(error, OSError):
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        remedy = "free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
        return OptimizerError(f"{where}{error.strerror or error}", remedy=remedy)
    log.debug("a mistake of the program", exc_info=error)
    mistake = f"a mistake of the program: {type(error).__name__}: {error}"
    return OptimizerError(mistake, remedy=_MISTAKE_REMEDY)


def _drop_output() -> None:
    """Forget output that can't be written, so that leaving does not try again and fail once more."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            sys.stdout.close()


def say_error(error: OptimizerError) -> None:
    """An error and its remedy, on stderr."""
    click.echo(f"error: {redact_message(error.message)}", err=True)
    if error.remedy:
        click.echo(f"  try: {redact_message(error.remedy)}", err=True)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--db",
    metavar="URL",
    help="Database: sqlite:///PATH or postgresql://USER@HOST/NAME. Default: a file in your data directory.",
)
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error; logs go to stderr.")
@click.option("--read-only", is_flag=True, help="Of the terminal UI: offer nothing that changes the database.")
@click.version_option(__version__, prog_name="mcp-optimizer")
@click.pass_context
def program(context: click.Context, db: str | None, log_level: str | None, *, read_only: bool) -> int | None:
    """See which MCP servers are in the catalog, which are running, and which entry each inherits from, and why.

    Without a command it opens the terminal UI.
    """
    options = {name: value for name, value in (("db_url", db), ("log_level", log_level)) if value is not None}
    try:
        settings = Settings(**cast("dict[str, Any]", options))
    except ValidationError as error:
        from mcp_optimizer.cli.setting_errors import explain_bad_settings

        raise click.UsageError(explain_bad_settings(error, options)) from None
    except ConfigFileError as error:
        raise click.UsageError(redact_message(str(error))) from None
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{config_file()} can't be read: {redact_message(str(error))}") from None
    log_to_stderr(settings.log_level)
    context.obj = Program(settings)
    if read_only and context.invoked_subcommand is not None:
        raise click.UsageError("--read-only comes behind the command (tui or demo), where it has it")
    if context.invoked_subcommand is None:
        from mcp_optimizer.cli.tui import tui

        return context.invoke(tui, read_only=read_only)
    return None

"""The program's entry point."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from mcp_optimizer.cli.main import run_program  # noqa: PLC0415 (importing this module must cost nothing)

    sys.exit(run_program())


if __name__ == "__main__":
    main()

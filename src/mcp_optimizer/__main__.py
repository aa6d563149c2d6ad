"""The program's entry point."""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    _open_standard_streams()
    from mcp_optimizer.cli.main import run_program  # noqa: PLC0415 (importing this module must cost nothing)

    sys.exit(run_program())


def _open_standard_streams() -> None:
    """Open those that the caller closed: else the next file that is opened, a database, would get their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 (open for as long as we are)


if __name__ == "__main__":
    main()

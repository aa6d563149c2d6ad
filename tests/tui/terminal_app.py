"""The app as the command line runs it, on the sample in memory, to be run in a terminal of its own by the tests."""

import sys
from pathlib import Path

from mcp_optimizer.tui.run import run
from tests.tui.fake_service import FakeService

if __name__ == "__main__":
    code, _ = run(FakeService.loaded, state_file=Path(sys.argv[1]), theme="mcp-optimizer-dark")
    sys.exit(code)

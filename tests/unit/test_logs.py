"""The log of a server: each event one line of JSON, whoever it is of."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from mcp_optimizer.cli.logs import log_as_json, log_for_libraries


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is of the whole process."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    yield
    root.handlers[:] = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_what_libraries_log_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json("info")
    log_for_libraries()
    log_for_libraries()
    library = logging.getLogger("uvicorn.error")
    library.warning("Invalid \x1b[2J request\nreceived: %s", 7)
    library.info("not worth a line")
    try:
        {}["lost"]
    except KeyError:
        library.exception("Exception in application")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["logger"]) == (
        "Invalid  [2J request received: 7",
        "warning",
        library.name,
    )
    assert (second["event"], second["level"]) == ("Exception in application", "error")
    assert "KeyError: 'lost'" in second["exception"]

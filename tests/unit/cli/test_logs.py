"""The log of a server: each event one line of JSON, whoever it is of."""

import json
import logging
from pathlib import Path

import pytest
from structlog.contextvars import bound_contextvars

from mcp_optimizer.cli.logs import log_as_json, log_for_libraries
from mcp_optimizer.embeddings import FastEmbedder
from mcp_optimizer.embeddings.executors import ModelExecutors
from mcp_optimizer.errors import ModelUnavailableError


def test_what_libraries_log_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json("info")
    log_for_libraries()
    log_for_libraries()
    library = logging.getLogger("some.library")
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


async def test_what_fastembed_logs_in_a_thread_is_json_with_the_id_of_the_request(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log_as_json("info")
    log_for_libraries()
    with pytest.raises(ModelUnavailableError):
        await FastEmbedder("nobody/knows-it", cache_directory=tmp_path).embed(["a"])
    capsys.readouterr()
    from fastembed.common.model_management import logger

    threads = ModelExecutors(at_once=1)
    with bound_contextvars(request_id="mine"):
        await threads.soon(lambda: logger.error("Could not find model in cache_dir"))
        await threads.aside(lambda: logger.warning("trying again"))
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"], line["request_id"]) for line in logged] == [
        ("Could not find model in cache_dir", "error", "mine"), ("trying again", "warning", "mine")
    ]  # fmt: skip

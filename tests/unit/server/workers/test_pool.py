"""When a server searches in other processes, and what is said between them."""

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Kind
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.views import CountedHits, Scope, SearchHit, SearchQuery
from mcp_optimizer.errors import ModelMismatchError, OptimizerError
from mcp_optimizer.server.workers.messages import (
    SearchRequest,
    SearchResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from mcp_optimizer.server.workers.pool import another_wanted


@pytest.mark.parametrize(
    ("under_way", "processes", "most", "wanted"),
    [
        (1, 0, 4, False), (8, 0, 4, False), (9, 0, 4, True), (16, 1, 4, False), (17, 1, 4, True), (99, 4, 4, False),
        (99, 0, 0, False),
    ],
)  # fmt: skip
def test_a_process_is_started_when_many_search_at_once(
    under_way: int, processes: int, most: int, *, wanted: bool
) -> None:
    assert another_wanted(under_way, processes=processes, most=most) is wanted


@pytest.mark.parametrize(("cores", "given", "most"), [(1, None, 0), (2, None, 2), (64, None, 2), (2, 0, 0), (1, 3, 3)])
def test_one_core_gains_nothing_by_another_process(
    monkeypatch: pytest.MonkeyPatch, cores: int, given: int | None, most: int
) -> None:
    monkeypatch.setattr("os.process_cpu_count", lambda: cores)
    assert Settings(search_processes=given).most_search_processes() == most


@pytest.mark.parametrize(
    "query",
    [
        None,
        SearchQuery(text="a line\nand \u2028 another"),
        SearchQuery(
            text="x", scope=Scope.ALL, limit=3, group="g", status=None, kind=Kind.REMOTE, keywords="k",
            visibility=AgentVisibility(groups=frozenset({"a", "b"}), skipped=("inspector",)), semantic_ratio=0.25,
            max_distance=0.5,
        ),
    ],
)  # fmt: skip
def test_a_search_arrives_as_it_was_asked(query: SearchQuery | None) -> None:
    line = encode_request(SearchRequest(7, query))
    assert line.count(b"\n") == 1 == line.endswith(b"\n")
    assert decode_request(line) == SearchRequest(7, query)


def test_what_is_found_arrives_as_it_was_found() -> None:
    hit = SearchHit(
        server="github", tool="create_issue", scope=Scope.WORKLOAD, description="Über\nzwei Zeilen", score=0.5,
        semantic_rank=1, semantic_distance=0.25, text_rank=None, exact_name=True, tokens=12,
        details={"name": "create_issue", "big": 2**60, "inputSchema": {"type": "object"}}, text_score=1.5, coverage=0.5,
        matched={"name": ("create", "issue")},
    )  # fmt: skip
    line = encode_response(SearchResponse(3, CountedHits([hit, hit], 1234)))
    assert line.count(b"\n") == 1
    assert decode_response(line) == SearchResponse(3, CountedHits([hit, hit], 1234))
    assert decode_response(encode_response(SearchResponse(1, CountedHits([], 0)))) == SearchResponse(
        1, CountedHits([], 0)
    )


@pytest.mark.parametrize("error", [ModelMismatchError("another model", remedy="start again"), OptimizerError("odd")])
def test_an_error_arrives_as_what_it_is(error: OptimizerError) -> None:
    number, arrived = decode_response(encode_response(SearchResponse(3, error)))
    assert number == 3
    assert type(arrived) is type(error)
    assert isinstance(arrived, OptimizerError)
    assert (arrived.message, arrived.remedy) == (error.message, error.remedy)

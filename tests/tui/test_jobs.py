"""How far an ingestion is, in words."""

from mcp_optimizer.domain.reports import IngestPhase, IngestProgress
from mcp_optimizer.tui.dialogs.ingest import IngestRequest
from mcp_optimizer.tui.state.jobs import Job


def test_count_rate_and_time_left_are_those_of_the_phase() -> None:
    seconds = [0.0]
    job = Job(IngestRequest(), lambda: seconds[0])
    assert job.words == "all: fetching"
    job.advance(IngestProgress(phase=IngestPhase.FETCH, done=5))
    seconds[0] = 10.0
    assert job.words == "all: fetching 5, 0/s"
    job.advance(IngestProgress(phase=IngestPhase.EMBED, done=0, total=400))
    assert job.words == "all: embedding 0 of 400"
    seconds[0] = 12.0
    job.advance(IngestProgress(phase=IngestPhase.EMBED, done=100, total=400, detail="list_issues"))
    assert job.words == "all: embedding 100 of 400, 50/s, 6.0 s left  list_issues"
    job.advance(IngestProgress(phase=IngestPhase.EMBED, done=400, total=400))
    assert job.words == "all: embedding 400 of 400, 200/s"

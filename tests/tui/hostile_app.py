"""The app on a service that is full of hostile text, to be run in a terminal of its own by ``test_terminal.py``."""

import itertools

from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.errors import StoreError
from mcp_optimizer.tui.app import OptimizerApp
from tests.tui import sample
from tests.tui.fake_service import FakeService

CONTROLS = (
    "\x1b[7331m", "\x1b[7331;1H", "\x1b[?7331h", "\x1b]52;c;UFdOOg==\x07", "\x1b]0;PWNED\x07", "\x1b]8;;x://pwned\x1b\\",
    "\x1bP7331q\x1b\\", "\x1b_pwned\x1b\\", "\x9b7331m", "\x9d52;c;UFdO\x9c", "\u202e", "\u2066", "\u200b", "\u200f",
    "\ufeff",    "\x07", "\x08", "\x0e", "\x7f", "\x85", "\u2028", "\ud83d", "\udcff", "\x00", "\r\n\x0b",
)  # fmt: skip
FRAMES = ("[red]{}[/red]", "{}evil", "evil{}", "ev{}il", "[/]{}", "{}" * 3, "[bold {}]", "\t{}\t")
PAYLOADS = tuple(frame.replace("{}", control) for control, frame in itertools.product(CONTROLS, FRAMES))
"""200 of them."""


def service() -> FakeService:
    """Every text that comes from outside is one of the payloads."""
    made = FakeService.loaded()
    made.registry = [
        sample.registry_server(f"{n:03}{text}", f"evil.example/{text}:{n}", description=text, title=text, group=text)
        for n, text in enumerate(PAYLOADS)
    ]
    made.views = [_workload(number, text) for number, text in enumerate(PAYLOADS)]
    made.hits = [sample.hit(text, text, place + 1) for place, text in enumerate(PAYLOADS)]
    made.problem_views = [
        p.model_copy(update={"id": str(n), "name": text, "reason": text})
        for n, text in enumerate(PAYLOADS)
        for p in made.problem_views[:1]
    ]
    made.run_views = [
        r.model_copy(update={"id": str(n), "error": text, "source": text})
        for n, text in enumerate(PAYLOADS)
        for r in made.run_views[:1]
    ]
    made.query_views = [
        q.model_copy(update={"sequence": n, "text": text, "keywords": text, "error": text})
        for n, text in enumerate(PAYLOADS)
        for q in made.query_views[:1]
    ]
    made.servers = tuple(
        server.model_copy(
            update={"address": text, "host": text, "polls": (server.polls[0].model_copy(update={"detail": text}),)}
        )
        for server in made.servers
        for text in PAYLOADS[:40]
    )
    made.errors = {
        name: StoreError("".join(PAYLOADS), remedy=PAYLOADS[0]) for name in ("ingest", "unlink", "delete_workloads")
    }
    return made


def _workload(number: int, text: str) -> WorkloadView:
    return sample.workload(
        f"{number:03}{text}", f"evil.example/{text}:{number}", group=text, status=text, description=text, problem=text
    )


if __name__ == "__main__":
    OptimizerApp(service, still=True).run()

"""What `/metrics` says, in Prometheus' text format."""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mcp_optimizer.domain.serving.presence import PollView
from mcp_optimizer.domain.views import Overview
from mcp_optimizer.server.results import TokenMetrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Figures of one server. Labels have few values: names of our own tools, outcomes, parts; nothing from outside."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "mcp_optimizer_requests", "Calls of the server's tools.", ["tool", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "mcp_optimizer_request_seconds",
            "Seconds that calls of the server's tools took.",
            ["tool"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._tokens = Counter(
            "mcp_optimizer_tokens",
            "Tokens of tool definitions: of all that an agent would else have been shown, those returned, those saved.",
            ["kind"],
            registry=self.registry,
        )
        self._polls = Counter(
            "mcp_optimizer_ingestions", "Ingestions by polling.", ["part", "outcome"], registry=self.registry
        )
        self._poll_seconds = Gauge(
            "mcp_optimizer_ingestion_seconds", "Seconds that the last ingestion took.", ["part"], registry=self.registry
        )
        self._age = Gauge(
            "mcp_optimizer_ingestion_age_seconds",
            "Seconds since the last ingestion that was done, in part or whole.",
            ["part"],
            registry=self.registry,
        )
        self._searching = Gauge(
            "mcp_optimizer_search_processes",
            "Processes that search beside the server's own; there are some while many search at once.",
            registry=self.registry,
        )
        self._stored = Gauge("mcp_optimizer_stored", "What is stored.", ["what"], registry=self.registry)

    def requested(self, tool: str, outcome: str, seconds: float) -> None:
        """A call has ended. ``outcome``: ok, error or cancelled."""
        self._requests.labels(tool, outcome).inc()
        self._seconds.labels(tool).observe(seconds)

    def saved(self, metrics: TokenMetrics) -> None:
        """A search has saved tokens."""
        self._tokens.labels("baseline").inc(metrics.baseline_tokens)
        self._tokens.labels("returned").inc(metrics.returned_tokens)
        self._tokens.labels("saved").inc(metrics.tokens_saved)

    def polled(self, poll: PollView) -> None:
        """An ingestion has ended."""
        self._polls.labels(poll.part, poll.outcome).inc()
        self._poll_seconds.labels(poll.part).set(poll.seconds)
        if poll.outcome != "failed":
            ended = time.monotonic()
            self._age.labels(poll.part).set_function(lambda: time.monotonic() - ended)

    def searched_in(self, processes: Callable[[], int]) -> None:
        """How many processes search is asked when the figures are."""
        self._searching.set_function(processes)

    def text(self, overview: Overview | None) -> bytes:
        """Everything, with what is stored now; without an overview that part is as it was."""
        if overview is not None:
            for what, number in _stored(overview).items():
                self._stored.labels(what).set(number)
        return generate_latest(self.registry)


def _stored(overview: Overview) -> dict[str, int]:
    return {
        "registry_servers": overview.registry_servers,
        "registry_tools": overview.registry_tools,
        "workloads": overview.workloads,
        "workload_tools": overview.workload_tools,
        "workload_tokens": overview.workload_tokens,
    }

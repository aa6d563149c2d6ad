"""What the terminal UI shows of deprecated entries, and of what an ingestion skipped and removed (C5, C8)."""

from typing import Any

from mcp_optimizer.domain.models import ItemProblem, Kind
from mcp_optimizer.domain.reports import IngestReport, RegistryReport, group_problems
from mcp_optimizer.domain.views import RegistryServerView
from mcp_optimizer.tui.details.registry import registry_document
from mcp_optimizer.tui.details.report import ingest_document
from mcp_optimizer.tui.renderers.registry import registry_renderer


def clock() -> Any:
    raise AssertionError("no time is shown where there is none")


def server(status: str) -> RegistryServerView:
    return RegistryServerView(
        name="old",
        kind=Kind.CONTAINER,
        identity="x/y:1",
        transport="",
        tools=0,
        workloads=0,
        duplicates=(),
        status=status,
    )


def shown(lines: Any) -> str:
    return "\n".join(str(line) for line in lines)


def test_c8_a_deprecated_entry_is_marked_in_list_and_detail() -> None:
    renderer = registry_renderer(clock)
    name = next(column for column in renderer.columns if column.id == "name")
    assert name.cell(server("deprecated")).text == "old (deprecated)"
    assert name.cell(server("")).text == "old"
    assert "deprecated by its catalog" in shown(registry_document(server("deprecated"), clock, 80))
    assert "deprecated" not in shown(registry_document(server(""), clock, 80))


def test_c5_a_report_groups_what_was_skipped_and_names_what_goes() -> None:
    skipped = tuple(ItemProblem(name=f"n{number}", reason="npm") for number in range(95))
    report = RegistryReport(
        removed=1,
        removed_names=("gone",),
        unlinked=("runs",),
        skipped=skipped,
        skipped_by_reason=group_problems(skipped),
    )
    text = shown(ingest_document([IngestReport(registry=report)], 200))
    assert text.count("skipped") == 1
    assert "95 entries: npm: n0, n1, n2 and 92 more" in text
    assert "gone" in text
    assert "runs" in text

"""Rows, columns and outlines without a terminal."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mcp_optimizer.tui.details.explanation import explanation_document
from mcp_optimizer.tui.format.columns import GAP, Sort, lay_out, natural_widths
from mcp_optimizer.tui.format.filter import Filter
from mcp_optimizer.tui.format.json_outline import folded_at_first, json_lines
from mcp_optimizer.tui.format.plain import plain_overview
from mcp_optimizer.tui.renderers.workloads import workload_renderer
from mcp_optimizer.tui.state.outline import Relationships, opened_at_first
from mcp_optimizer.tui.state.rows import Rows
from mcp_optimizer.tui.widgets.table import fit
from tests.tui import sample
from tests.tui.fake_service import FakeService
from tests.tui.screens import NOW

RENDERER = workload_renderer(lambda: NOW)


@given(st.integers(0, 300))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    natural = natural_widths(RENDERER.columns, sample.workloads())
    widths = lay_out(RENDERER.columns, natural, width)
    assert widths[0][0].id == "name"
    if width >= 24:
        assert sum(size for _, size in widths) + GAP * (len(widths) - 1) <= width


def test_less_important_columns_leave_first() -> None:
    natural = natural_widths(RENDERER.columns, sample.workloads())
    shown = [{column.id for column, _ in lay_out(RENDERER.columns, natural, width)} for width in (40, 80, 160)]
    assert shown[0] <= shown[1] <= shown[2]
    assert "relation" in shown[0]
    assert "kind" in shown[2] - shown[1]


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_a_cell_is_exactly_as_wide_as_asked_and_printable(text: str, width: int, middle: bool) -> None:
    fitted = fit(text, width, middle=middle)
    assert cell_len(fitted) == width
    assert fitted.isprintable()


@given(st.lists(st.sampled_from(["put", "filter", "sort", "mark", "move"]), max_size=12), st.randoms())
def test_cursor_and_marks_stay_with_their_rows(steps: list[str], random: object) -> None:
    rows = Rows(RENDERER)
    rows.put(sample.workloads())
    choose = getattr(random, "choice")  # noqa: B009 - hypothesis types it as an object
    for step in steps:
        key = rows.cursor_key
        if step == "put":
            rows.put(reversed(sample.workloads()))
        elif step == "sort":
            rows.sort_by(Sort(choose(["name", "tools", "status"]), choose([True, False])))
        elif step == "filter":
            rows.filter_by(choose(["", "fetch", "!fetch", "is:linked"]))
        elif step == "mark" and key:
            rows.toggle_mark(key)
        elif step == "move":
            rows.move(choose([0, 3, 99]))
        if step in {"put", "sort"} and key in {row.name for row in rows.visible}:
            assert rows.cursor_key == key
        assert rows.marks <= {row.name for row in rows.all}


def test_every_workload_has_a_place_in_the_outline() -> None:
    relationships = Relationships.of(sample.registry(), sample.workloads())
    for view in sample.workloads():
        place = relationships.place(view.name, workload=True)
        assert place is not None
        lines = relationships.lines(set(place[:-1]), Filter(), RENDERER)
        assert place[-1] in {line.key for line in lines}


def test_the_outline_builds_nothing_for_what_is_closed() -> None:
    servers = [sample.registry_server(f"s{n}", f"x.example/s:{n}") for n in range(1000)]
    relationships = Relationships.of(servers, ())
    assert len(relationships.lines(opened_at_first(relationships), Filter(), RENDERER)) == 1


def test_an_explanation_marks_differences_under_the_text() -> None:
    view = next(view for view in sample.workloads() if view.name == "github-prod")
    lines = [line.plain for line in explanation_document(sample.explanation(view), 76)]
    place = next(number for number, line in enumerate(lines) if line.startswith("  runs"))
    marked = [a for a, b in zip(lines[place], lines[place + 1], strict=False) if b == "^"]
    assert "".join(marked) == "71"


def test_json_lines_fold() -> None:
    value = {"a": 1, "b": {"c": [1, 2]}}
    closed = folded_at_first(value)
    assert [line.label for line in json_lines(value, closed)] == ["a", "b", "c"]
    assert [line.label for line in json_lines(value, set())] == ["a", "b", "c", "0", "1"]


async def test_plain_text_has_numbers_relations_and_reasons_and_nothing_unprintable() -> None:
    service = FakeService.loaded()
    service.views.append(sample.workload(sample.HOSTILE, "evil.example/x:1"))
    text = await plain_overview(service)
    assert "github-prod  ≠ drifted" in text
    assert "Nearest: maps (path-differs)" in text
    assert all(line.isprintable() for line in text.splitlines())

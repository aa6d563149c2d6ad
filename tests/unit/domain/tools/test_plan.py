"""Which tools change and which texts that takes (E2, L6)."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.models import StoredTool, ToolDefinition
from mcp_optimizer.domain.tools.plan import ToolPlan, plan_tools
from tests.support.builders import tool, tools


def planned(
    stored: Iterable[StoredTool], wanted: Iterable[ToolDefinition], *, context: str = "web", model: str = "m"
) -> ToolPlan:
    """A plan for the server ``s``; ids are made from a counter, a tool has as many tokens as details."""
    fresh = iter(range(1000))
    return plan_tools(
        "s",
        context,
        list(stored),
        list(wanted),
        model=model,
        new_id=lambda: f"{context}-{model}-{next(fresh)}",
        count_tokens=len,
    )


def names(found: Iterable[StoredTool]) -> list[str]:
    return [tool.name for tool in found]


def test_e2_new_tools_are_added_and_embedded_with_the_context_name() -> None:
    plan = planned([], tools("a", "b"), context="fetch")
    assert (names(plan.add), plan.update, plan.keep, plan.remove) == (["a", "b"], (), (), ())
    assert plan.changed_texts == ["fetch: a\x1ea does what it says.", "fetch: b\x1eb does what it says."]
    assert {(tool.server_id, tool.token_count) for tool in plan.add} == {("s", 3)}


def test_e2_unchanged_tools_are_kept_and_nothing_is_embedded() -> None:
    stored = planned([], tools("a", "b")).tools
    plan = planned(stored, tools("b", "a"))
    assert (plan.keep, plan.changed_texts, plan.tools) == (stored, [], stored)


def test_e2_a_changed_tool_keeps_its_row_and_the_others_are_left_alone() -> None:
    stored = planned([], tools("a", "b")).tools
    plan = planned(stored, [tool("a", "Now better."), tool("b")])
    assert [(tool.id, tool.name) for tool in plan.update] == [(stored[0].id, "a")]
    assert names(plan.keep) == ["b"]
    assert plan.changed_texts == ["web: a\x1eNow better."]


def test_e2_a_tool_that_is_gone_is_removed() -> None:
    stored = planned([], tools("a", "b")).tools
    plan = planned(stored, tools("b"))
    assert (plan.remove, names(plan.tools)) == ((stored[0].id,), ["b"])


def test_c2_l6_another_context_name_embeds_every_tool_anew_in_place() -> None:
    stored = planned([], tools("a", "b")).tools
    plan = planned(stored, tools("a", "b"), context="renamed")
    assert [tool.id for tool in plan.update] == [tool.id for tool in stored]
    assert all(text.startswith("renamed: ") for text in plan.changed_texts)


def test_e3_another_model_embeds_every_tool_anew() -> None:
    stored = planned([], tools("a")).tools
    assert names(planned(stored, tools("a"), model="other").update) == ["a"]


def test_l7_a_tool_without_embedding_is_tried_again_and_not_counted_again() -> None:
    stored = [tool.model_copy(update={"text_hash": "", "token_count": 77}) for tool in planned([], tools("a")).tools]
    (again,) = planned(stored, tools("a")).update
    assert (again.token_count, bool(again.text_hash)) == (77, True)


def test_details_that_are_not_embedded_change_the_row_all_the_same() -> None:
    before, after = (ToolDefinition(name="a", details={"default": value}) for value in (1, True))
    (changed,) = planned(planned([], [before]).tools, [after]).update
    assert changed.details["default"] is True


def test_s2_of_tools_with_one_name_the_first_counts() -> None:
    plan = planned([], [tool("a", "first"), tool("a", "second")])
    assert [tool.definition.description for tool in plan.tools] == ["first"]


definitions = st.lists(st.builds(tool, st.sampled_from("abcde"), st.sampled_from(["", "one", "two"])), max_size=6)


@settings(max_examples=100, deadline=None)
@given(definitions, definitions)
def test_e2_a_plan_leads_to_what_is_wanted_and_is_then_empty(
    before: list[ToolDefinition], after: list[ToolDefinition]
) -> None:
    stored = planned([], before).tools
    plan = planned(stored, after)
    wanted = {tool.name: tool for tool in reversed(after)}
    assert {tool.name: tool.definition for tool in plan.tools} == wanted
    assert set(plan.remove) | {tool.id for tool in (*plan.update, *plan.keep)} == {tool.id for tool in stored}
    assert plan.texts.keys() == {tool.id for tool in plan.tools}
    again = planned(plan.tools, after)
    assert (again.add, again.update, again.remove) == ((), (), ())

"""Which workloads agents get to see."""

from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility


class _Workload(Value):
    name: str
    group: str = ""
    virtual: bool = False


def exposed(visibility: AgentVisibility, *workloads: _Workload) -> list[str]:
    return [workload.name for workload in visibility.exposed(workloads)]


def test_a_group_with_a_virtual_server_exposes_only_that() -> None:
    found = exposed(AgentVisibility(), _Workload(name="a", group="g"), _Workload(name="v", group="g", virtual=True))
    assert found == ["v"]


def test_groups_of_the_same_name_in_two_namespaces_are_two() -> None:
    one, other = _Workload(name="x/v", group="g", virtual=True), _Workload(name="y/a", group="g")
    assert exposed(AgentVisibility(), one, other) == ["x/v", "y/a"]


def test_a_virtual_server_without_a_group_hides_nobody() -> None:
    assert exposed(AgentVisibility(), _Workload(name="v", virtual=True), _Workload(name="a")) == ["v", "a"]


def test_groups_that_are_not_allowed_and_skipped_names_are_not_seen() -> None:
    visibility = AgentVisibility(groups=frozenset({"g"}), skipped=("inspector",))
    workloads = (
        _Workload(name="a", group="g"),
        _Workload(name="b", group="h"),
        _Workload(name="my-inspector", group="g"),
    )
    assert exposed(visibility, *workloads) == ["a"]
    assert exposed(AgentVisibility(groups=frozenset()), *workloads) == []


def test_why_a_workload_is_hidden_is_said_exactly_when_it_is_q5() -> None:
    every = [
        _Workload(name="a", group="g"),
        _Workload(name="v", group="g", virtual=True),
        _Workload(name="b", group="h"),
        _Workload(name="skipped-c"),
    ]
    for visibility in (
        AgentVisibility(),
        AgentVisibility(groups=frozenset()),
        AgentVisibility(groups=frozenset({"g"})),
        AgentVisibility(skipped=("skip", "v")),
    ):
        seen = [workload.name for workload in every if not visibility.refusal(workload, every)]
        assert seen == exposed(visibility, *every)
    assert AgentVisibility().refusal(every[0], every) == "a virtual MCP server stands for its group: v"

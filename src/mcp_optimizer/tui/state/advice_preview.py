"""What each way on would do, found out by its dry run: it stands beside the explanation that names the way."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mcp_optimizer.domain.matching import Explanation, Reason
from mcp_optimizer.tui.details.explanation import advices, nearest_miss
from mcp_optimizer.tui.details.relation import trial_words
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.state import confirmable_actions as questions
from mcp_optimizer.tui.state.confirmable_actions import ConfirmableAction

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


async def tried(service: "DataService", explanation: Explanation) -> dict[str, str]:
    """The dry runs of what an explanation advises: the id of the action, and what it would do in a sentence."""
    return {action: await _words(question) for action, question in _ways(service, explanation)}


def _ways(service: "DataService", explanation: Explanation) -> Iterator[tuple[str, ConfirmableAction[Any]]]:
    name, nearest = explanation.workload, nearest_miss(explanation)
    for action, _ in advices(explanation):
        if action == "rematch":
            yield action, questions.rematch(service, [name])
        elif action == "unlink":
            yield action, questions.unlink(service, [name])
        elif action == "link" and nearest is not None:
            yield action, questions.link(service, [name], nearest.registry_server)
        elif action == "resolve":
            for miss in explanation.near_misses:
                if miss.reason is Reason.DUPLICATE:
                    yield action, questions.resolve(service, explanation.identity, miss.registry_server)
                    break


async def _words(question: ConfirmableAction[Any]) -> str:
    try:
        return trial_words(await question.ask(True))
    except Exception as error:  # noqa: BLE001 - told beside the way it closes
        return safe.error_line(error)

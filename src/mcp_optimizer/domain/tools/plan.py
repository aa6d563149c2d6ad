"""Which tools of a server are new, changed or gone, and which texts that takes (E2)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from mcp_optimizer.domain.models import StoredTool, ToolDefinition, Value
from mcp_optimizer.domain.tools.text import details_json, one_per_name, text_hash, tool_text


class ToolPlan(Value):
    """The tools of one server as they should be, and how to get there. ``texts``: tool id to embedded text."""

    add: tuple[StoredTool, ...] = ()
    update: tuple[StoredTool, ...] = ()
    keep: tuple[StoredTool, ...] = ()
    remove: tuple[str, ...] = ()
    texts: dict[str, str] = Field(default_factory=dict)

    @property
    def tools(self) -> tuple[StoredTool, ...]:
        """All tools that the server will have."""
        return (*self.add, *self.update, *self.keep)

    @property
    def changed_texts(self) -> list[str]:
        """The texts that need an embedding, unless it is remembered."""
        return [self.texts[tool.id] for tool in (*self.add, *self.update)]


def plan_tools(
    server_id: str,
    context_name: str,
    stored: Sequence[StoredTool],
    wanted: Sequence[ToolDefinition],
    *,
    model: str,
    new_id: Callable[[], str],
    count_tokens: Callable[[Mapping[str, Any]], int],
) -> ToolPlan:
    """The plan that turns ``stored`` into ``wanted``, each embedded with ``context_name`` before it (L6)."""
    rows = {tool.name: tool for tool in stored}
    definitions = one_per_name(wanted)
    add: list[StoredTool] = []
    update: list[StoredTool] = []
    keep: list[StoredTool] = []
    texts: dict[str, str] = {}
    for name, definition in sorted(definitions.items()):
        text = tool_text(context_name, definition)
        digest = text_hash(model, text)
        row = rows.get(name)
        same_details = row is not None and details_json(row.details) == details_json(definition.details)
        if row is not None and same_details and row.text_hash == digest:
            tool = row
            keep.append(row)
        else:
            tool = StoredTool.trusted(
                id=row.id if row else new_id(),
                server_id=server_id,
                name=name,
                details=definition.details,
                text_hash=digest,
                token_count=row.token_count if row and same_details else count_tokens(definition.details),
            )
            (update if row else add).append(tool)
        texts[tool.id] = text
    remove = tuple(row.id for name, row in sorted(rows.items()) if name not in definitions)
    return ToolPlan(add=tuple(add), update=tuple(update), keep=tuple(keep), remove=remove, texts=texts)

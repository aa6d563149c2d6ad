"""The six search tables, as every engine has them (S3): their names, and what full text holds of a tool."""

from typing import Final, NamedTuple

from mcp_optimizer.db.search_index import IndexedTool, Side, WordMatch
from mcp_optimizer.domain.search.words import pairs
from mcp_optimizer.domain.tools.text import name_words, parameter_words


class ToolWords(NamedTuple):
    """What full text knows of a tool."""

    id: str
    server_id: str
    name: str
    words: str
    """The name split into words."""
    description: str
    parameters: str
    server: str
    segments: str
    """Pairs of characters of scripts without spaces."""


def server_table(side: Side) -> str:
    """The table of server vectors."""
    return f"{side}_server_vector"


def vector_table(side: Side) -> str:
    """The table of tool vectors."""
    return f"{side}_tool_vectors"


def text_table(side: Side) -> str:
    """The full-text table of tools."""
    return f"{side}_tool_fts"


def all_tables() -> list[str]:
    """The six search tables."""
    return [table(side) for side in Side for table in (server_table, vector_table, text_table)]


def tool_words(indexed: IndexedTool) -> ToolWords:
    """A tool's row in the full-text table."""
    tool = indexed.tool
    parameters = parameter_words(tool.details)
    return ToolWords(
        id=indexed.id,
        server_id=indexed.server_id,
        name=tool.name,
        words=name_words(tool.name),
        description=tool.description,
        parameters=parameters,
        server=f"{indexed.server_name} {name_words(indexed.server_name)}",
        segments=" ".join(pairs(f"{tool.name} {tool.description} {parameters}")),
    )


MATCH_FIELDS: Final = {
    "name": "name || ' ' || words",
    "server": "server",
    "description": "description",
    "parameters": "parameters",
}
"""The texts in which a match is shown, by the names of their fields: SQL of the full-text table, for every engine."""


def word_match(score: float, identifier: str, server_id: str, *texts: str) -> WordMatch:
    """A row that full text found, its ``texts`` in the order of ``MATCH_FIELDS``."""
    return WordMatch(identifier, server_id, score, dict(zip(MATCH_FIELDS, texts, strict=True)))

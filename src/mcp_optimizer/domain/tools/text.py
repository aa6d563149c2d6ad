"""The texts that are embedded, indexed and counted, made from what servers and tools say of themselves."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import orjson

from mcp_optimizer.domain.models import ToolDefinition

_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？])(?:\s+|(?<=[。！？]))|\n\s*\n")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_MAX_SENTENCE: Final = 400
_PART: Final = "\x1e"
"""Parts of a text that are embedded one by one. No text of a tool has it: it counts as white space."""
_TEXTS: Final = b"2"
"""Which texts are embedded: when others are, every tool is looked at again by the next ingestion."""
_MAX_NAMED_TOOLS: Final = 12


def server_text(*, name: str, title: str, description: str, tags: Sequence[str]) -> str:
    """What is embedded for a registry server."""
    words = ". ".join(part.strip().rstrip(".") for part in (title or name, description) if part.strip())
    return f"{words}. {' '.join(tags)}" if tags else words


def tool_text(context_name: str, tool: ToolDefinition) -> str:
    """What is embedded for a tool: the context name (L6) with its name in words, and the first sentence of its
    description, each by itself (:func:`parts_of`).

    Apart they rank better than as one text, at the same cost: a vector of both is mostly one of the longer. The first
    sentence ranks as well as the whole description, for a fraction of the time.
    """
    words = f"{' '.join(context_name.split())}: {name_words(tool.name)}"
    sentence = first_sentence(tool.description)
    return f"{words}{_PART}{sentence}" if sentence else words


def parts_of(text: str) -> list[str]:
    """The parts of a text that are embedded one by one; the text's vector is their mean."""
    return [part for part in text.split(_PART) if part] or [text]


def first_sentence(text: str) -> str:
    """The first sentence of ``text`` as one line of at most 400 characters."""
    head = _SENTENCE_END.split(text.strip(), maxsplit=1)[0]
    return " ".join(head.split())[:_MAX_SENTENCE]


def name_words(name: str) -> str:
    """A name split at separators and camelCase: ``getHTTPPage_v2`` gives ``get HTTP Page v2``."""
    spaced = _CAMEL.sub(" ", name)
    return " ".join(_SEPARATORS.sub(" ", spaced).split()) or name


def parameter_words(details: Mapping[str, Any]) -> str:
    """Names and descriptions of a tool's parameters, for full text."""
    schema = details.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return ""
    words: list[str] = []
    for name, about in properties.items():
        words.append(f"{name} {name_words(str(name))}")
        if isinstance(about, Mapping) and isinstance(about.get("description"), str):
            words.append(about["description"])
    return " ".join(words)


def text_hash(model: str, text: str) -> str:
    """The key under which a text's embedding is found again (E2)."""
    return hashlib.sha256(f"{model}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()


def details_json(details: Mapping[str, Any]) -> bytes:
    """A tool's details as one text: equal exactly when the details are, ``1`` and ``true`` told apart.

    Made of every tool at every ingestion, so it has to be quick; what the quick way refuses (integers beyond 64 bits,
    lone surrogates) goes the slow one.
    """
    try:
        return orjson.dumps(details, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(details, sort_keys=True).encode()


def one_per_name(tools: Iterable[ToolDefinition]) -> dict[str, ToolDefinition]:
    """Tools by name. Of several with one name the first counts, as a store holds one (S2)."""
    by_name: dict[str, ToolDefinition] = {}
    for tool in tools:
        by_name.setdefault(tool.name, tool)
    return by_name


def tools_digest(context_name: str, tools: Iterable[ToolDefinition]) -> str:
    """A hash over tools and context name; the order of the tools does not matter. Equal: nothing to embed or write."""
    digest = hashlib.sha256(_TEXTS)
    digest.update(context_name.encode("utf-8", "surrogatepass"))
    for name, tool in sorted(one_per_name(tools).items(), key=itemgetter(0)):
        for part in (name.encode("utf-8", "surrogatepass"), details_json(tool.details)):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()


def own_description(tool_names: Iterable[str]) -> str:
    """The description of an autonomous workload, which no catalog describes (S2): what it can do, by its tools."""
    names = sorted(tool_names)
    if not names:
        return "An MCP server whose tools are not known yet"
    more = f" and {len(names) - _MAX_NAMED_TOOLS} more" if len(names) > _MAX_NAMED_TOOLS else ""
    return f"Offers {', '.join(names[:_MAX_NAMED_TOOLS])}{more}"

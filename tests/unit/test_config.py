"""Settings from the environment."""

import pytest

from mcp_optimizer.config import Settings


def test_what_is_set_to_nothing_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALLOWED_GROUPS", "RUNTIME_MODE", "MAX_TOOL_RESPONSE_TOKENS", "MCP_PORT"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert (settings.allowed_groups, settings.runtime_mode, settings.mcp_port) == (None, "docker", 9900)
    assert settings.max_tool_response_tokens is None


@pytest.mark.parametrize("prefix", ["", "MCP_OPTIMIZER_"])
def test_old_names_and_prefixed_ones_are_the_same(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv(f"{prefix}ALLOWED_GROUPS", "a, b")
    assert Settings().allowed_groups == ("a", "b")

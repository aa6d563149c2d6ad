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


def test_the_database_has_two_old_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNC_DB_URL", "sqlite+aiosqlite:///async.db")
    assert Settings().database_url() == "sqlite+aiosqlite:///async.db"
    assert Settings(db_url="sqlite:///option.db").db_url == "sqlite:///option.db"
    monkeypatch.setenv("DB_URL", "sqlite:///both.db")
    assert Settings().database_url() == "sqlite:///both.db"


@pytest.mark.parametrize(
    ("given", "meant"), [("INFO", "info"), ("Warn", "warning"), ("CRITICAL", "error"), (" debug ", "debug")]
)
def test_levels_are_known_by_the_names_that_python_gives_them(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv("LOG_LEVEL", given)
    assert Settings().log_level == meant


def test_the_runtime_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_MODE", "K8S")
    assert Settings().runtime_mode == "k8s"


@pytest.mark.parametrize(("given", "meant"), [("s3cret\n", "s3cret"), (" s3cret", "s3cret"), (" \n", None)])
def test_a_token_is_what_a_header_can_carry(monkeypatch: pytest.MonkeyPatch, given: str, meant: str | None) -> None:
    monkeypatch.setenv("MCP_OPTIMIZER_MCP_TOKEN", given)
    token = Settings().mcp_token
    assert (token and token.get_secret_value()) == meant

"""Settings from the environment."""

from pathlib import Path

import click
import pytest

from mcp_optimizer.cli.main import run_program
from mcp_optimizer.cli.tui import check_appearance
from mcp_optimizer.config import OFFLINE_MODEL, Settings, config_file


def test_what_is_set_to_nothing_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALLOWED_GROUPS", "RUNTIME_MODE", "MAX_TOOL_RESPONSE_TOKENS", "MCP_PORT"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert (settings.allowed_groups, settings.runtime_mode, settings.mcp_port) == (None, "docker", 9900)
    assert settings.max_tool_response_tokens is None


OLD_NAMES = {
    "MCP_PORT": (9900, "9901", 9901),
    "LOG_LEVEL": ("warning", "debug", "debug"),
    "TOOLHIVE_HOST": ("127.0.0.1", "toolhive.example", "toolhive.example"),
    "TOOLHIVE_PORT": (None, "8081", 8081),
    "TOOLHIVE_TIMEOUT": (5.0, "7", 7.0),
    "TOOLHIVE_MAX_RETRIES": (100, "3", 3),
    "TOOLHIVE_INITIAL_BACKOFF": (1.0, "2", 2.0),
    "TOOLHIVE_MAX_BACKOFF": (60.0, "9", 9.0),
    "WORKLOAD_POLLING_INTERVAL": (60.0, "61", 61.0),
    "REGISTRY_POLLING_INTERVAL": (86400.0, "61", 61.0),
    "STARTUP_POLLING_DELAY": (3.0, "0", 0.0),
    "MCP_TIMEOUT": (20.0, "21", 21.0),
    "DB_URL": (None, "sqlite:///old.db", "sqlite:///old.db"),
    "EMBEDDING_MODEL_NAME": (OFFLINE_MODEL, "some/model", "some/model"),
    "EMBEDDING_THREADS": (None, "3", 3),
    "MAX_TOOLS_TO_RETURN": (8, "9", 9),
    "TOOL_DISTANCE_THRESHOLD": (1.0, "0.5", 0.5),
    "HYBRID_SEARCH_SEMANTIC_RATIO": (0.5, "1", 1.0),
    "ENABLE_DYNAMIC_INSTALL": (False, "true", True),
    "ALLOWED_GROUPS": (None, "a,b", ("a", "b")),
    "SKIPPED_WORKLOADS": (("inspector", "mcp-optimizer"), "x", ("x",)),
    "MAX_TOOL_RESPONSE_TOKENS": (None, "100", 100),
    "RUNTIME_MODE": ("docker", "k8s", "k8s"),
}
"""The default of each setting that has an old name, what an environment may say, and what that means."""


@pytest.mark.parametrize("prefix", ["", "MCP_OPTIMIZER_"])
@pytest.mark.parametrize("name", OLD_NAMES)
def test_every_old_name_is_an_alias(monkeypatch: pytest.MonkeyPatch, name: str, prefix: str) -> None:
    default, given, meant = OLD_NAMES[name]
    assert getattr(Settings(), name.lower()) == default
    monkeypatch.setenv(f"{prefix}{name}", given)
    assert getattr(Settings(), name.lower()) == meant


@pytest.mark.parametrize("name", ["TOOLHIVE_START_PORT_SCAN", "TOOLHIVE_END_PORT_SCAN"])
def test_the_scan_for_toolhive_has_old_names_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"MCP_OPTIMIZER_{name}")
    assert getattr(Settings(), name.lower()) in {50000, 50100}
    monkeypatch.setenv(name, "7")
    assert getattr(Settings(), name.lower()) == 7


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


# What is refused names where it was set

BAD_VARIABLES = [
    ("WORKLOAD_POLLING_INTERVAL", "-1"),
    ("MCP_OPTIMIZER_WORKLOAD_POLLING_INTERVAL", "often"),
    ("MCP_PORT", "99999"),
    ("MCP_OPTIMIZER_MCP_PORT", "http"),
    ("mcp_optimizer_mcp_port", "-7"),
    ("LOG_LEVEL", "loud"),
    ("MCP_OPTIMIZER_BUSY_TIMEOUT", "x"),
    ("TOOLHIVE_PORT", "0"),
    ("RUNTIME_MODE", "swarm"),
    ("MCP_OPTIMIZER_SEARCH_TIMEOUT", "0"),
]


@pytest.mark.parametrize(("variable", "value"), BAD_VARIABLES)
def test_a_refused_variable_is_named_as_it_was_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert run_program(["doctor"]) == 2
    told = capsys.readouterr().err
    assert f"bad setting {variable} (environment): " in told
    assert value in told


def test_a_refused_line_of_the_file_is_named_with_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    path = config_file()
    path.parent.mkdir(parents=True)
    path.write_text("mcp_port = 99999\n")
    assert run_program(["doctor"]) == 2
    assert f"bad setting mcp_port (in {path}, line 1): " in capsys.readouterr().err
    path.write_text('[[mcp_tokens]]\nname = "dev"\n')
    assert run_program(["doctor"]) == 2
    assert f"bad setting mcp_tokens (in {path}, line 1)[0].token_file: field required" in capsys.readouterr().err


def test_a_refused_option_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert run_program(["--log-level", "loud", "doctor"]) == 2
    assert "bad setting --log-level: " in capsys.readouterr().err


def test_tokens_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_OPTIMIZER_MCP_TOKENS", '[{"name": "dev", "token_file": "/run/dev", "groups": ["a"]}]')
    (token,) = Settings().mcp_tokens
    assert (token.name, str(token.token_file), token.groups) == ("dev", "/run/dev", ("a",))


CONFIG_MISTAKES = {
    "an unknown name": (
        "busy_timeout = 5\n\nbusytimeout = 3\n",
        ", line 3: there is no setting 'busytimeout'; did you mean",
    ),
    "an unknown table": ("[serve]\nmcp_port = 1\n", ", line 1: there is no setting 'serve'"),
    "a name of something else": ('colour = "red"\n', ", line 1: there is no setting 'colour'"),
    "no TOML": ("[[[", " is not TOML: "),
    "nested lists": ("x = " + "[" * 5000, " is nested too deeply"),
    "nested tables": ("x = " + "{a=" * 2000 + "1" + "}" * 2000, " is nested too deeply"),
    "a bad value": ('\nmcp_port = "x"\n', ", line 2): input should be"),
}


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration file is looked for."""
    file = tmp_path / "config.toml"
    monkeypatch.setattr("mcp_optimizer.config.config_file", lambda: file)
    monkeypatch.setattr("mcp_optimizer.cli.main.config_file", lambda: file)
    monkeypatch.setattr("mcp_optimizer.cli.setting_errors.config_file", lambda: file)
    monkeypatch.setattr("mcp_optimizer.cli.tui.config_file", lambda: file)
    return file


@pytest.mark.parametrize("mistake", CONFIG_MISTAKES)
def test_a_mistake_in_the_configuration_file_is_named_with_its_line(
    mistake: str, configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = CONFIG_MISTAKES[mistake]
    configuration.write_text(content)
    assert run_program(["workload", "list"]) == 2
    assert f"{configuration}{words}" in capsys.readouterr().err


def test_a_directory_in_the_place_of_the_configuration_file_is_named(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.mkdir()
    assert run_program(["workload", "list"]) == 2
    assert f"{configuration} is not a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mcp_port", "MCP_PORT", "MCP_OPTIMIZER_MCP_PORT"])
def test_every_name_of_a_setting_is_known_in_the_file(name: str, configuration: Path) -> None:
    configuration.write_text(f"{name} = 1234\n")
    assert Settings().mcp_port == 1234


APPEARANCE_MISTAKES = {
    "an unknown action": (
        '[keys]\nhelp = "f1"\ndelet = "f2"\n',
        ", line 3: there is no action 'delet'",
        "did you mean delete",
    ),
    "a key that is none": (
        'theme = "nord"\n[keys]\ndelete = "ctlr+d"\n',
        ", line 3: 'ctlr+d' for delete is not",
        "named like",
    ),
    "a key name misspelt": ('[keys]\ndelete = ["f2", "entr"]\n', ", line 2: 'entr' for delete is not", "named like"),
    "a theme that is none": (
        'theme = "mcp-optimizer-drak"\n',
        ", line 1): there is no theme",
        "did you mean mcp-optimizer-dark",
    ),
}


@pytest.mark.parametrize("mistake", APPEARANCE_MISTAKES)
def test_a_mistake_of_appearance_is_named_before_the_screens_open(mistake: str, configuration: Path) -> None:
    content, *words = APPEARANCE_MISTAKES[mistake]
    configuration.write_text(content)
    with pytest.raises(click.UsageError) as refusal:
        check_appearance(Settings())
    for part in words:
        assert part in refusal.value.message
    assert str(configuration) in refusal.value.message


def test_what_may_be_configured_of_the_appearance(configuration: Path) -> None:
    configuration.write_text('theme = "nord"\n[keys]\ndelete = "D,ctrl+shift+f2"\nhelp = ["question_mark", "é"]\n')
    check_appearance(Settings())

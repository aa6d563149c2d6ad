"""Settings: from options, then environment (``MCP_OPTIMIZER_…``), then the configuration file, then these defaults."""

import difflib
import os
import re
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import PlatformDirs
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.serving.retention import Retention

OFFLINE_MODEL = "offline/all-MiniLM-L6-v2-w8a8"
"""The model whose weights come with the program's dependencies; needs no network (E3). It multiplies in integers."""

OFFLINE_FLOAT_MODEL = "offline/all-MiniLM-L6-v2-int8"
"""The same weights multiplied in floating point: half as fast, and another model, as its vectors differ a little."""

_DIRS = PlatformDirs("mcp-optimizer", appauthor=False)


def data_directory() -> Path:
    """Where the database is kept when none is named."""
    return Path(_DIRS.user_data_dir)


def cache_directory() -> Path:
    """Where what can be made again is kept: the prepared embedding model."""
    return Path(_DIRS.user_cache_dir)


def config_file() -> Path:
    """Where the configuration file is looked for."""
    return Path(_DIRS.user_config_dir) / "config.toml"


def existing_config_file() -> Path | None:
    """The configuration file, where there is one. Raises ConfigFileError for what is there and is no file."""
    path = config_file()
    if path.exists() and not path.is_file():
        raise ConfigFileError(f"{path} is not a file: the configuration is looked for there")
    return path if path.exists() else None


def state_directory() -> Path:
    """Where the terminal UI keeps how it was left."""
    return Path(_DIRS.user_state_dir)


def _env(name: str, *older: str) -> AliasChoices:
    """``MCP_OPTIMIZER_NAME``, the older unprefixed ``NAME``, other ``older`` ones, and ``name`` in the configuration
    file: the first that is set."""
    return AliasChoices(f"MCP_OPTIMIZER_{name.upper()}", name.upper(), *older, name)


def _comma_list(value: object) -> object:
    """The parts of a list that is given as ``a,b``; what is given as a list is one already."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_COMMA_LIST = BeforeValidator(_comma_list)


def _lower(value: object) -> object:
    """A word in lower case: environments give ``INFO`` and ``K8S`` as often as ``info`` and ``k8s``."""
    return value.strip().lower() if isinstance(value, str) else value


def _level(value: object) -> object:
    """A level of logging, also by the other names that Python knows it by."""
    level = _lower(value)
    return (
        {"warn": "warning", "critical": "error", "fatal": "error"}.get(level, level)
        if isinstance(level, str)
        else level
    )


def _bare(value: object) -> object:
    """A secret without the white space around it, which files that hold secrets end with and no header can carry."""
    return (value.strip() or None) if isinstance(value, str) else value


class TokenSetting(BaseModel):
    """A bearer token for one client, or several that see the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@ -]+$")]
    """What it is called in logs and in the query log; never the token itself."""
    token_file: Path
    """The file that holds the token and nothing else."""
    groups: Annotated[tuple[str, ...] | None, _COMMA_LIST] = None
    """Groups that it sees, of those in ``allowed_groups``. Unset: all of them."""


class ConfigFileError(ValueError):
    """The configuration file can't be used; the message names it, and the line."""


class _ConfigFile(TomlConfigSettingsSource):
    """The configuration file. A name in it that is no setting is refused: it would have no effect, unnoticed."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        """Raises ConfigFileError."""
        path = Path(str(file_path))
        try:
            given = super()._read_file(path)
        except (ValueError, RecursionError) as error:
            reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not TOML: {error}"
            raise ConfigFileError(f"{path} {reason}") from None
        known = {alias.lower() for field in Settings.model_fields.items() for alias in _aliases(*field)}
        for name in given:
            if name.lower() not in known:
                near = difflib.get_close_matches(name.lower(), known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigFileError(f"{path}{line_of(path, name)}: there is no setting {name!r}{hint}")
        return given


def _aliases(name: str, field: FieldInfo) -> list[str]:
    """Every name that a setting may be given by."""
    if isinstance(field.validation_alias, AliasChoices):
        return [*map(str, field.validation_alias.choices), name]
    return [f"MCP_OPTIMIZER_{name}", name]


def line_of(file: Path, name: str, *, within: str = "") -> str:
    """Where a name stands in a configuration file, as ``, line 3``; empty where it is not seen to.

    ``within``: the table that the name stands in.
    """
    table = ""
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        heading = re.match(r"\s*\[+\s*\"?([^\]\"]+?)\"?\s*\]", line)
        table = heading[1] if heading else table
        if heading and heading[1] == name and not within:
            return f", line {number}"
        if table == within and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[.=]", line):
            return f", line {number}"
    return ""


type LogLevel = Literal["debug", "info", "warning", "error"]
type RuntimeMode = Literal["docker", "k8s"]


class Settings(BaseSettings):
    """Everything that can be set. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MCP_OPTIMIZER_",
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        case_sensitive=False,
        env_ignore_empty=True,  # an environment variable that is set to nothing counts as unset
    )

    db_url: Annotated[str | None, Field(validation_alias=_env("db_url", "ASYNC_DB_URL"))] = None
    """Database URL, ``sqlite:///PATH``. Unset: an SQLite file in the user's data directory."""

    toolhive_url: str | None = None
    """Base URL of ToolHive's API. Unset: it is discovered."""
    toolhive_host: Annotated[str, Field(validation_alias=_env("toolhive_host"))] = "127.0.0.1"
    """Host on which ToolHive is looked for."""
    toolhive_port: Annotated[int | None, Field(ge=1, le=65535, validation_alias=_env("toolhive_port"))] = None
    """Port on which ToolHive is looked for first."""
    toolhive_start_port_scan: Annotated[int, Field(validation_alias=_env("toolhive_start_port_scan"))] = 50000
    """First port of the scan for ToolHive."""
    toolhive_end_port_scan: Annotated[int, Field(validation_alias=_env("toolhive_end_port_scan"))] = 50100
    """Last port of the scan for ToolHive; below the first: no scan."""
    toolhive_timeout: Annotated[float, Field(gt=0, validation_alias=_env("toolhive_timeout"))] = 5.0
    """How long one request to ToolHive may take."""

    toolhive_max_retries: Annotated[int, Field(ge=0, validation_alias=_env("toolhive_max_retries"))] = 100
    """How many failed polls in a row are followed by a pause that grows; after that polls come at their interval."""
    toolhive_initial_backoff: Annotated[float, Field(gt=0, validation_alias=_env("toolhive_initial_backoff"))] = 1.0
    """The pause after the first failed poll; it doubles with each further one."""
    toolhive_max_backoff: Annotated[float, Field(gt=0, validation_alias=_env("toolhive_max_backoff"))] = 60.0
    """The longest pause after a failed poll."""

    workload_polling_interval: Annotated[float, Field(ge=0, validation_alias=_env("workload_polling_interval"))] = 60.0
    """How often a running server ingests workloads; 0: not by itself."""
    registry_polling_interval: Annotated[float, Field(ge=0, validation_alias=_env("registry_polling_interval"))] = (
        86400.0
    )
    """How often a running server ingests the registry; 0: never."""
    startup_polling_delay: Annotated[float, Field(ge=0, validation_alias=_env("startup_polling_delay"))] = 3.0
    """How long a running server waits before it polls for the first time."""
    runtime_mode: Annotated[RuntimeMode, BeforeValidator(_lower), Field(validation_alias=_env("runtime_mode"))] = (
        "docker"
    )
    """Where workloads run: ``docker`` asks ToolHive's API, ``k8s`` the Kubernetes API server."""
    k8s_api_server_url: Annotated[str | None, Field(validation_alias=_env("k8s_api_server_url"))] = None
    """URL of the Kubernetes API server. Unset: the one of the cluster that the program runs in."""
    k8s_namespace: Annotated[str, Field(validation_alias=_env("k8s_namespace"))] = ""
    """Namespaces to look into, separated by commas. Empty: all of them."""
    k8s_token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    """The file with the token for the API server; read again for every poll, as tokens are renewed."""
    k8s_ca_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
    """The file with the certificates that the API server's is checked against; where there is none, the system's."""

    mcp_timeout: Annotated[float, Field(gt=0, validation_alias=_env("mcp_timeout"))] = 20.0
    """How long one MCP server may take to list its tools."""
    mcp_concurrency: Annotated[int, Field(ge=1, le=256)] = 16
    """How many MCP servers are asked side by side."""
    max_tools_per_server: Annotated[int, Field(ge=1)] = 2000
    """A server that lists more tools than this is cut, and reported."""
    max_document_bytes: Annotated[int, Field(ge=1)] = 256 * 1024 * 1024
    """A catalog or listing larger than this is refused."""

    embedding_model_name: Annotated[str, Field(validation_alias=_env("embedding_model_name"))] = OFFLINE_MODEL
    """The embedding model: the offline one, or any that FastEmbed knows by name."""
    embedding_threads: Annotated[int | None, Field(ge=1, validation_alias=_env("embedding_threads"))] = None
    """Threads for embedding. Unset: as many as there are cores."""
    embedding_batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    """Long texts per batch; small, as a batch is padded to its longest text. Short texts go in greater numbers."""

    cache_dir: Path | None = None
    """Where prepared models are kept. Unset: the user's cache directory."""

    search_memory_mb: Annotated[int, Field(ge=0)] = 512
    """Memory for vectors that are kept at hand while searching, in MB; where they need more, searches scan the
    database instead. 100,000 tools of 384 numbers take 154 MB."""

    busy_timeout: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    """How long to wait for another process that is writing to the database."""

    log_level: Annotated[LogLevel, BeforeValidator(_level), Field(validation_alias=_env("log_level"))] = "warning"
    """What is logged to stderr."""

    mcp_host: Annotated[str, Field(validation_alias=_env("mcp_host"))] = "127.0.0.1"
    """Address that the MCP server binds. Any but loopback needs ``mcp_token`` and ``allowed_hosts``."""
    mcp_port: Annotated[int, Field(ge=0, le=65535, validation_alias=_env("mcp_port"))] = 9900
    """Port of the MCP server; 0 takes a free one."""
    mcp_token: Annotated[SecretStr | None, BeforeValidator(_bare)] = None
    """Bearer token that clients of the MCP server must send. Unset: none, which only a loopback address allows."""
    mcp_tokens: tuple[TokenSetting, ...] = ()
    """Bearer tokens of several clients, each with a name, a file and groups; beside ``mcp_token``, which sees all."""
    allowed_hosts: Annotated[tuple[str, ...], _COMMA_LIST, NoDecode] = ()
    """Values of the Host header that are accepted beside loopback's: ``name:port``, or ``name`` for any port."""
    allowed_origins: Annotated[tuple[str, ...], _COMMA_LIST, NoDecode] = ()
    """Values of the Origin header that are accepted beside those of the allowed hosts; their pages may read answers."""
    max_request_bytes: Annotated[int, Field(ge=1024)] = 4 * 1024 * 1024
    """A request to the MCP server larger than this is refused."""

    max_tools_to_return: Annotated[int, Field(ge=1, le=200, validation_alias=_env("max_tools_to_return"))] = 8
    """How many tools ``find_tool`` and ``search_registry`` give at most."""
    find_tool_hint: str = ""
    """What can be found, said at the end of ``find_tool``'s description, as in "tools for GitHub and Datadog"; the
    names of the running servers take the place of ``{servers}`` in it."""
    max_tools_listed: Annotated[int, Field(ge=1)] = 10_000
    """``list_tools`` refuses to list more tools than this, and names ``find_tool`` instead."""
    tool_distance_threshold: Annotated[float, Field(ge=0, le=2, validation_alias=_env("tool_distance_threshold"))] = 1.0
    """Tools of a greater cosine distance to the query than this are not found by meaning; by words they still are."""
    hybrid_search_semantic_ratio: Annotated[
        float, Field(ge=0, le=1, validation_alias=_env("hybrid_search_semantic_ratio"))
    ] = 0.5
    """Weight of the score by meaning beside that by words: 1 is meaning alone, 0 words alone, 0.5 as tuned."""
    allowed_groups: Annotated[
        tuple[str, ...] | None, _COMMA_LIST, NoDecode, Field(validation_alias=_env("allowed_groups"))
    ] = None
    """Groups whose workloads agents see. Unset: all of them."""
    skipped_workloads: Annotated[
        tuple[str, ...], _COMMA_LIST, NoDecode, Field(validation_alias=_env("skipped_workloads"))
    ] = (
        "inspector",
        "mcp-optimizer",
    )
    """Workloads whose name holds one of these are never shown to agents."""
    enable_dynamic_install: Annotated[bool, Field(validation_alias=_env("enable_dynamic_install"))] = False
    """Whether agents may search the registry and have ToolHive start servers from it."""
    tool_call_timeout: Annotated[float, Field(gt=0)] = 300.0
    """How long one call of a tool may take. Progress that its server tells begins the time again, up to ten times as
    long in all."""
    max_tool_response_tokens: Annotated[
        Annotated[int, Field(ge=100, le=100_000)] | None,
        Field(validation_alias=_env("max_tool_response_tokens")),
    ] = None
    """Longer results of tools are cut to so many tokens. Unset: they are not."""

    search_timeout: Annotated[float, Field(gt=0)] = 15.0
    """How long a search may take; the first one also loads the embedding model."""
    search_processes: Annotated[int | None, Field(ge=0, le=64)] = None
    """Processes that ``serve`` over HTTP may start to search in, beside its own, while many search at once; each takes
    some 200 MB. Unset: two, or none where there is one core."""
    max_searches_at_once: Annotated[int, Field(ge=1)] = 256
    """Agents' searches that may be under way; more are refused at once, rather than left waiting."""

    log_max_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    """Changes, ingestions, closed problems and agents' queries are forgotten after so many days."""
    change_log_max_rows: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000
    """How many of the newest changes are kept."""
    query_log_max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """How many of the newest queries of agents are kept."""
    run_log_max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """How many of the newest ingestions are kept."""
    search_learning: bool = True
    """Whether the order of search learns from which offered tool agents call next; `search forget` undoes it."""

    theme: str = "mcp-optimizer-dark"
    """Theme of the terminal UI."""
    keys: Annotated[dict[str, str | list[str]], Field(default_factory=dict)]
    """Keys of the terminal UI: the id of an action to the key it gets instead, or several; docs/keys.md names all."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, environment, configuration file: in this order."""
        return init_settings, env_settings, _ConfigFile(settings_cls, toml_file=existing_config_file())

    def retention(self) -> Retention:
        """How long the logs are kept."""
        return Retention(
            max_days=self.log_max_days,
            max_changes=self.change_log_max_rows,
            max_queries=self.query_log_max_rows,
            max_runs=self.run_log_max_rows,
        )

    def visibility(self) -> AgentVisibility:
        """Which workloads agents see."""
        groups = None if self.allowed_groups is None else frozenset(self.allowed_groups)
        return AgentVisibility(groups=groups, skipped=self.skipped_workloads)

    def most_search_processes(self) -> int:
        """How many processes may search beside the server's own. One core gains nothing by another process."""
        if self.search_processes is not None:
            return self.search_processes
        return 2 if (os.process_cpu_count() or 1) > 1 else 0

    def database_url(self) -> str:
        """The database to use."""
        return self.db_url or f"sqlite:///{data_directory() / 'mcp-optimizer.db'}"

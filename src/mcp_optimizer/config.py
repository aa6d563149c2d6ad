"""Settings: from options, then environment (``MCP_OPTIMIZER_…``), then the configuration file, then these defaults."""

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import PlatformDirs
from pydantic import AliasChoices, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

OFFLINE_MODEL = "offline/all-MiniLM-L6-v2-int8"
"""The model whose weights come with the program's dependencies; needs no network (E3)."""

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


def state_directory() -> Path:
    """Where the terminal UI keeps how it was left."""
    return Path(_DIRS.user_state_dir)


def _env(name: str) -> AliasChoices:
    """``MCP_OPTIMIZER_NAME``, the older unprefixed ``NAME``, and ``name`` in the configuration file."""
    return AliasChoices(f"MCP_OPTIMIZER_{name.upper()}", name.upper(), name)


type LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """Everything that can be set. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MCP_OPTIMIZER_", extra="ignore", frozen=True, populate_by_name=True, case_sensitive=False
    )

    db_url: Annotated[str | None, Field(validation_alias=_env("db_url"))] = None
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

    busy_timeout: Annotated[float, Field(ge=0)] = 5.0
    """How long to wait for another process that is writing to the database."""

    log_level: Annotated[LogLevel, Field(validation_alias=_env("log_level"))] = "warning"
    """What is logged to stderr."""

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())

    def database_url(self) -> str:
        """The database to use."""
        return self.db_url or f"sqlite:///{data_directory() / 'mcp-optimizer.db'}"

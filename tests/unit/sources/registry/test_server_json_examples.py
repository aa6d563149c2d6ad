"""What the examples in the official registry's documents mean, in every version of its schema (C5, C8).

The table is written by hand from the documents: of each example what decides where the server is, and beside it the
entries that its author means. Versions are those of the schema; ``seed`` is the registry's first data, of May 2025.
"""

from typing import Any

import pytest

from mcp_optimizer.domain.models import Catalog
from mcp_optimizer.sources.registry.documents import parse_catalog


def seed_package(registry: str, name: str, version: str, /, **more: Any) -> dict[str, Any]:
    """A package as files before 2025-07-09 have it."""
    return {"registry_name": registry, "name": name, "version": version, **more}


def july_package(kind: str, base_url: str, identifier: str, version: str, /, **more: Any) -> dict[str, Any]:
    """A package of 2025-07-09."""
    return {"registry_type": kind, "registry_base_url": base_url, "identifier": identifier, "version": version, **more}


def september_package(kind: str, base_url: str, identifier: str, version: str, /, **more: Any) -> dict[str, Any]:
    """A package of 2025-09-16 and 2025-09-29."""
    transport = {"transport": {"type": "stdio"}}
    place = {"registryType": kind, "registryBaseUrl": base_url, "identifier": identifier, "version": version}
    return {**place, **transport, **more}


def package(kind: str, identifier: str, /, **more: Any) -> dict[str, Any]:
    """A package from 2025-10-11 on: an image's registry and tag stand in its name."""
    return {"registryType": kind, "identifier": identifier, "transport": {"type": "stdio"}, **more}


NPM, PYPI, NUGET, HUB = "https://npm.example", "https://pypi.example", "https://nuget.example", "https://docker.io"
BUNDLE = "https://github.com/modelcontextprotocol/text-editor-mcpb/releases/download/v1.0.2/text-editor.mcpb"
SHA = "fe333e598595000ae021bd27117db32ec69af6987f507ba7a63c90638ff633ce"
MOUNT = {"type": "named", "name": "--mount", "value": "type=bind,src={source_path},dst={target_path}"}
ANONYMOUS = "https://mcp.anonymous.modelcontextprotocol.io"

type Row = tuple[str, dict[str, Any], list[tuple[str, str]], str]
"""Title, example, (canonical identity, transport) of each entry, and the reason where there is none."""

EXAMPLES: dict[str, list[Row]] = {
    "seed": [
        ("npm", {"packages": [seed_package("npm", "@modelcontextprotocol/server-brave-search", "1.0.2")]}, [], "npm"),
        (
            "several packages",
            {
                "packages": [
                    seed_package("npm", "@modelcontextprotocol/server-filesystem", "1.0.2"),
                    seed_package("docker", "mcp/filesystem", "1.0.2", runtime_arguments=[MOUNT]),
                ]
            },
            [("docker.io/mcp/filesystem:1.0.2", "")],
            "",
        ),
        (
            "remote",
            {"remotes": [{"transport_type": "sse", "url": "https://mcp-fs.example.com/sse"}]},
            [("https://mcp-fs.example.com/sse", "sse")],
            "",
        ),
        ("python", {"packages": [seed_package("pypi", "weather-mcp-server", "0.5.0")]}, [], "pypi"),
        ("nuget", {"packages": [seed_package("nuget", "Knapcode.SampleMcpServer", "0.3.0-beta")]}, [], "nuget"),
        (
            "docker",
            {"packages": [seed_package("docker", "mcp/database-manager", "3.1.0")]},
            [("docker.io/mcp/database-manager:3.1.0", "")],
            "",
        ),
        (
            "remote and package",
            {
                "packages": [seed_package("npm", "@example/hybrid-mcp-server", "1.5.0")],
                "remotes": [
                    {"transport_type": "sse", "url": "https://hybrid-mcp.example.com/sse"},
                    {"transport_type": "streamable", "url": "https://hybrid-mcp.example.com/stream"},
                ],
            },
            [
                ("https://hybrid-mcp.example.com/sse", "sse"),
                ("https://hybrid-mcp.example.com/stream", "streamable-http"),
            ],
            "",
        ),
        (
            "the registry stands beside the name twice",
            {"packages": [seed_package("apache/iotdb", "apache/iotdb", "", registry="docker")]},
            [("docker.io/apache/iotdb:latest", "")],
            "",
        ),
        (
            "the registry of a package that says its name instead",
            {"packages": [seed_package("agentql-mcp", "agentql-mcp", "1.0.0", registry="npm")]},
            [],
            "npm",
        ),
        (
            "an image at another registry",
            {"packages": [seed_package("docker", "ghcr.io/github/github-mcp-server", "latest", runtime_hint="docker")]},
            [("ghcr.io/github/github-mcp-server:latest", "")],
            "",
        ),
        (
            "an npm package that says docker",
            {"packages": [seed_package("docker", "@gongrzhe/server-redis-mcp", "1.0.0")]},
            [],
            "not an image reference",
        ),
        ("unknown", {"packages": [seed_package("unknown", "atlanhq/agent-toolkit", "")]}, [], "unknown"),
    ],
    "2025-07-09": [
        (
            "npm",
            {"packages": [july_package("npm", NPM, "@modelcontextprotocol/server-brave-search", "1.0.2")]},
            [],
            "npm",
        ),
        (
            "constant arguments",
            {"packages": [july_package("nuget", NUGET, "Knapcode.SampleMcpServer", "0.4.0-beta")]},
            [],
            "nuget",
        ),
        (
            "several packages",
            {
                "packages": [
                    july_package("npm", NPM, "@modelcontextprotocol/server-filesystem", "1.0.2"),
                    july_package("oci", HUB, "mcp/filesystem", "1.0.2", runtime_arguments=[MOUNT]),
                ]
            },
            [("docker.io/mcp/filesystem:1.0.2", "")],
            "",
        ),
        (
            "remote",
            {
                "remotes": [
                    {"transport_type": "sse", "url": "http://mcp-fs.anonymous.modelcontextprotocol.io/sse"},
                ]
            },
            [("http://mcp-fs.anonymous.modelcontextprotocol.io/sse", "sse")],
            "",
        ),
        ("python", {"packages": [july_package("pypi", PYPI, "weather-mcp-server", "0.5.0")]}, [], "pypi"),
        ("nuget", {"packages": [july_package("nuget", NUGET, "Knapcode.SampleMcpServer", "0.5.0")]}, [], "nuget"),
        (
            "docker",
            {"packages": [july_package("oci", HUB, "example/database-manager-mcp", "3.1.0")]},
            [("docker.io/example/database-manager-mcp:3.1.0", "")],
            "",
        ),
        (
            "remote and package",
            {
                "packages": [july_package("npm", NPM, "@example/hybrid-mcp-server", "1.5.0")],
                "remotes": [
                    {"transport_type": "sse", "url": f"{ANONYMOUS}/sse", "headers": [{"name": "X-API-Key"}]},
                    {"transport_type": "streamable-http", "url": f"{ANONYMOUS}/http"},
                ],
            },
            [(f"{ANONYMOUS}/sse", "sse"), (f"{ANONYMOUS}/http", "streamable-http")],
            "",
        ),
        (
            "bundle",
            {"packages": [july_package("mcpb", "https://github.com", BUNDLE, "1.0.2", file_sha256=SHA)]},
            [],
            "mcpb",
        ),
        (
            "deprecated",
            {"status": "deprecated", "packages": [july_package("npm", NPM, "@legacy/old-weather-server", "0.9.5")]},
            [],
            "npm",
        ),
    ],
    "2025-09-16": [
        (
            "several packages",
            {
                "status": "active",
                "packages": [
                    september_package("npm", NPM, "@modelcontextprotocol/server-filesystem", "1.0.2"),
                    september_package("oci", HUB, "mcp/filesystem", "1.0.2", runtimeArguments=[MOUNT]),
                ],
            },
            [("docker.io/mcp/filesystem:1.0.2", "stdio")],
            "",
        ),
        (
            "docker",
            {"packages": [september_package("oci", HUB, "example/database-manager-mcp", "3.1.0")]},
            [("docker.io/example/database-manager-mcp:3.1.0", "stdio")],
            "",
        ),
        (
            "GitHub's registry",
            {"packages": [september_package("oci", "https://ghcr.io", "yourusername/your-mcp-server", "1.0.0")]},
            [("ghcr.io/yourusername/your-mcp-server:1.0.0", "stdio")],
            "",
        ),
        (
            "a digest as version",
            {"packages": [september_package("oci", HUB, "jimclark106/gramin_mcp", f"sha256:{SHA}")]},
            [(f"docker.io/jimclark106/gramin_mcp@sha256:{SHA}", "stdio")],
            "",
        ),
        (
            "a container that serves HTTP",
            {
                "packages": [
                    september_package(
                        "oci",
                        HUB,
                        "yourdockerhub/your-server",
                        "1.0.0",
                        transport={"type": "streamable-http", "url": "http://127.0.0.1:{port}/mcp"},
                    )
                ]
            },
            [("docker.io/yourdockerhub/your-server:1.0.0", "streamable-http")],
            "",
        ),
        (
            "remote and package",
            {
                "packages": [september_package("npm", NPM, "@example/hybrid-mcp-server", "1.5.0")],
                "remotes": [
                    {"type": "sse", "url": f"{ANONYMOUS}/sse"},
                    {"type": "streamable-http", "url": f"{ANONYMOUS}/http"},
                ],
            },
            [(f"{ANONYMOUS}/sse", "sse"), (f"{ANONYMOUS}/http", "streamable-http")],
            "",
        ),
    ],
    "2025-10-17": [
        (
            "npm",
            {"packages": [package("npm", "@modelcontextprotocol/server-brave-search", version="1.0.2")]},
            [],
            "npm",
        ),
        (
            "in a subfolder",
            {
                "repository": {"url": "https://github.com/modelcontextprotocol/servers", "subfolder": "src/everything"},
                "packages": [package("npm", "@modelcontextprotocol/everything", version="0.6.2")],
            },
            [],
            "npm",
        ),
        (
            "constant arguments",
            {"packages": [package("nuget", "Knapcode.SampleMcpServer", version="0.4.0-beta")]},
            [],
            "nuget",
        ),
        (
            "several packages",
            {
                "packages": [
                    package("npm", "@modelcontextprotocol/server-filesystem", version="1.0.2"),
                    package("oci", "docker.io/mcp/filesystem:1.0.2", runtimeArguments=[MOUNT]),
                ]
            },
            [("docker.io/mcp/filesystem:1.0.2", "stdio")],
            "",
        ),
        (
            "remote",
            {"remotes": [{"type": "streamable-http", "url": "https://mcp-fs.anonymous.modelcontextprotocol.io/http"}]},
            [("https://mcp-fs.anonymous.modelcontextprotocol.io/http", "streamable-http")],
            "",
        ),
        ("python", {"packages": [package("pypi", "weather-mcp-server", version="0.5.0")]}, [], "pypi"),
        (
            "docker",
            {"packages": [package("oci", "docker.io/example/database-manager-mcp:3.1.0")]},
            [("docker.io/example/database-manager-mcp:3.1.0", "stdio")],
            "",
        ),
        (
            "remote and package",
            {
                "packages": [package("npm", "@example/hybrid-mcp-server", version="1.5.0")],
                "remotes": [
                    {"type": "streamable-http", "url": f"{ANONYMOUS}/http"},
                    {"type": "sse", "url": f"{ANONYMOUS}/sse"},
                ],
            },
            [(f"{ANONYMOUS}/http", "streamable-http"), (f"{ANONYMOUS}/sse", "sse")],
            "",
        ),
        ("bundle", {"packages": [package("mcpb", BUNDLE, fileSha256=SHA)]}, [], "mcpb"),
        ("in a command line tool", {"packages": [package("npm", "snyk", version="1.1298.0")]}, [], "npm"),
        ("in an application", {"websiteUrl": f"{ANONYMOUS}/embedded-mcp-guide"}, [], "no image and no URL"),
        (
            "an image as the change log shows it",
            {"packages": [package("oci", "ghcr.io/modelcontextprotocol/server-example:v1.2.3")]},
            [("ghcr.io/modelcontextprotocol/server-example:v1.2.3", "stdio")],
            "",
        ),
    ],
    "2025-12-11": [
        (
            "a tenant in the host",
            {
                "remotes": [
                    {
                        "type": "streamable-http",
                        "url": "https://{tenant_id}.api.example.com/mcp",
                        "variables": {"tenant_id": {"description": "Your tenant identifier", "isRequired": True}},
                    }
                ]
            },
            [],
            "a URL with variables: tenant_id",
        ),
        (
            "a base URL",
            {"remotes": [{"type": "streamable-http", "url": "{baseUrl}/mcp"}]},
            [],
            "a URL with variables: baseUrl",
        ),
    ],
}


def version_fields(schema: str, version: str) -> dict[str, Any]:
    """How a document of a schema says its version."""
    return {"version_detail": {"version": version}} if schema in {"seed", "2025-07-09"} else {"version": version}


def parsed(document: object) -> Catalog:
    return parse_catalog(document, source="test")


ROWS = [(schema, *row) for schema, rows in EXAMPLES.items() for row in rows]


@pytest.mark.parametrize(
    ("schema", "title", "example", "entries", "reason"), ROWS, ids=[f"{r[0]} {r[1]}" for r in ROWS]
)
def test_c5_examples_mean_what_their_authors_mean(
    schema: str, title: str, example: dict[str, Any], entries: list[tuple[str, str]], reason: str
) -> None:
    document = {"name": "io.example/server", "description": title, **version_fields(schema, "1.0.2"), **example}
    meta = {"io.modelcontextprotocol.registry/official": {"status": "active", "isLatest": True}}
    for form in (
        document,
        {"server": document},
        [document],
        {"servers": [document]},
        {"data": {"servers": [document]}},
        {"servers": [{"server": document, "_meta": meta}], "metadata": {"count": 1}},
        [{"server": document, "x-io.modelcontextprotocol.registry": {"id": "1", "is_latest": True}}],
    ):
        catalog = parsed(form)
        assert [(entry.identity.canonical, entry.transport) for entry in catalog.entries] == entries
        assert {entry.name for entry in catalog.entries} <= {"io.example/server"}
        assert catalog.complete
        assert [reason in item.reason for item in catalog.skipped] == ([True] if reason else [])
        assert {entry.status for entry in catalog.entries} <= {example.get("status", "").replace("active", "")}


@pytest.mark.parametrize(
    ("base_url", "identifier", "version", "canonical"),
    [
        ("https://docker.io", "mcp/x", "1", "docker.io/mcp/x:1"),
        ("https://index.docker.io/v1/", "mcp/x", "1", "docker.io/mcp/x:1"),
        ("https://registry-1.docker.io/v2", "mcp/x", "1", "docker.io/mcp/x:1"),
        ("https://hub.docker.com/r/mcp/x", "mcp/x", "1", "docker.io/mcp/x:1"),
        ("https://registry.hub.docker.com/", "x", "", "docker.io/library/x:latest"),
        ("docker.io", "fetch:1.0.5", "", "docker.io/library/fetch:1.0.5"),
        ("https://docker.io", "ghcr.io/a/x", "1", "ghcr.io/a/x:1"),
        ("https://ghcr.io", "a/x", "v1", "ghcr.io/a/x:v1"),
        ("https://ghcr.io/", "ghcr.io/a/x:2", "1", "ghcr.io/a/x:2"),
        ("https://ghcr.io/v2/", "a/x", "1", "ghcr.io/a/x:1"),
        ("https://GHCR.io", "a/x", "1", "ghcr.io/a/x:1"),
        ("https://ghcr.io", "fetch:1.0.5", "", "ghcr.io/fetch:1.0.5"),
        ("http://localhost:5000", "x", "1", "localhost:5000/x:1"),
        ("https://registry.example:5000", "team/x", "1", "registry.example:5000/team/x:1"),
        ("https://registry.example:5000/team", "x", "1", "registry.example:5000/team/x:1"),
        ("https://eu-docker.pkg.dev/p/r", "p/r/x", "1", "eu-docker.pkg.dev/p/r/x:1"),
        ("https://user:hunter2@registry.example", "a/x", "1", "registry.example/a/x:1"),
        ("", "docker://mcp/x:1", "", "docker.io/mcp/x:1"),
        ("", "oci://ghcr.io/a/x", "1", "ghcr.io/a/x:1"),
        ("https://ghcr.io", "https://ghcr.io/a/x", "1", "ghcr.io/a/x:1"),
        ("", f"mcp/x@sha256:{SHA}", "1", f"docker.io/mcp/x@sha256:{SHA}"),
        ("", "mcp/x", f"sha256:{SHA}", f"docker.io/mcp/x@sha256:{SHA}"),
    ],
)
def test_i2_base_urls_join_as_the_registries_clients_join_them(
    base_url: str, identifier: str, version: str, canonical: str
) -> None:
    for names in (("registryType", "registryBaseUrl"), ("registry_type", "registry_base_url")):
        given = {names[0]: "oci", names[1]: base_url, "identifier": identifier, "version": version, "fileSha256": SHA}
        catalog = parsed({"servers": [{"name": "one", "packages": [given]}]})
        assert [entry.identity.canonical for entry in catalog.entries] == [canonical]
        assert catalog.skipped == ()

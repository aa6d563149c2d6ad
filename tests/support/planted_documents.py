"""Documents of every source with a credential in every field, in every shape that one is found in (S7)."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

CANARY: Final = "canary-8c2f-not-a-real-secret"
SHAPES: Final = (
    "Authorization: Bearer {}", "https://me:{}@git.example/a", "API_KEY={}", "see https://h.example/x?api_key={}&b=1",
    "https://h.example/a#{}", "--header \"X-Api-Key: {}\"", "password: {}", "Bearer {}", "postgresql:/me:{}@h/db",
    "--token {}", '{{"client_secret": "{}"}}', "https://h.example/s/sk-1{}", "Cookie: session={}",
    "login me:{}@h.example",
)  # fmt: skip

type Json = dict[str, Any]


class Planter:
    """Gives texts with the canary in them, each of another shape than the last."""

    def __init__(self) -> None:
        self._shapes: Iterator[str] = itertools.cycle(SHAPES)

    def text(self) -> str:
        """A text with a credential."""
        return f"planted {next(self._shapes).format(CANARY)}"

    def texts(self, *names: str) -> Json:
        """An object that has such a text for every name."""
        return {name: self.text() for name in names}

    def tool(self, name: str) -> Json:
        """An MCP tool."""
        schema = {"type": "object", "properties": {"q": {"type": "string", **self.texts("description", "default")}}}
        return {
            "name": name, **self.texts("description", "title"), "inputSchema": schema,
            "annotations": self.texts("title"), "_meta": {"secret": CANARY, "env": {"API_TOKEN": CANARY}},
        }  # fmt: skip

    def legacy_catalog(self) -> Json:
        """A registry document of ToolHive's own format."""

        def server(place: int, **identity: str) -> Json:
            return {
                **self.texts("description", "title", "transport", "tier", "repository_url", "status", "license"),
                "tags": [self.text(), self.text()], "tools": [self.text()],
                "tool_definitions": [self.tool(f"t{place}")],
                "env_vars": [{"name": "API_KEY", "default": CANARY, **self.texts("description")}],
                "headers": [{"name": "Authorization", "value": CANARY}], "args": [f"--token={CANARY}"],
                "oauth_config": {"client_secret": CANARY}, "metadata": self.texts("last_updated"), **identity,
            }  # fmt: skip

        names = [f"shape-{place} {shape.format(CANARY)}" for place, shape in enumerate(SHAPES)]
        urls = ("https://h.example/mcp?api_key={}", "https://me:{}@h.example/mcp", "https://h.example/s/sk-1{}#{}")
        return {
            **self.texts("version", "last_updated"),
            "servers": {
                "image": server(1, image="example.org/a:1"),
                "bad-image": server(2, image=f"https://u:{CANARY}@ghcr.io/a"),
                **{name: server(place, image=f"example.org/n{place}:1") for place, name in enumerate(names, 10)},
            },
            "remote_servers": {
                **{f"url-{n}": server(20 + n, url=url.format(CANARY, CANARY)) for n, url in enumerate(urls)},
                "bad-url": server(30, url=f"https://me:{CANARY}@h.example:x/?token={CANARY}"),
                "ftp": server(31, url=f"ftp://me:{CANARY}@h.example/"),
            },
            "groups": [{"name": self.text(), "servers": {"grouped": server(40, image="example.org/g:1")}}],
        }  # fmt: skip

    def upstream_catalog(self) -> Json:
        """Objects of the official server.json format."""
        meta = {"io.modelcontextprotocol.registry/publisher-provided": {"io.github.stacklok": {
            "example.org/up:1": {"tags": [self.text()], **self.texts("tier"), "tool_definitions": [self.tool("up")]},
        }}}  # fmt: skip
        variables = [{"name": "API_KEY", "value": CANARY, "default": CANARY, **self.texts("description")}]
        package = {
            "registryType": "oci", "identifier": "example.org/up:1", "transport": {"type": "stdio"},
            "environmentVariables": variables, "runtimeArguments": variables, "packageArguments": variables,
        }  # fmt: skip
        remote = {
            "type": "sse", "url": f"https://up.example/mcp?token={CANARY}",
            "headers": [{"name": "Authorization", "value": f"Bearer {CANARY}"}],
        }  # fmt: skip
        server = {
            "name": "io.github.x/up", **self.texts("description", "title", "websiteUrl", "version"), "_meta": meta,
            "repository": {"url": f"https://me:{CANARY}@git.example/up", "source": self.text()},
            "packages": [package], "remotes": [remote],
        }  # fmt: skip
        other = {**server, "name": "io.github.x/npm", "packages": [{"registryType": self.text()}], "remotes": []}
        return {"data": {"servers": [server, other, {"server": {**server, "name": f"x token={CANARY}"}}]}}

    def workload(self, name: str, **fields: Any) -> Json:
        """An item of ToolHive's listing, of a snapshot too."""
        return {
            "name": name, "package": "example.org/a:1", "status": "stopped",
            **self.texts("status_context", "group", "transport_type", "proxy_mode", "registry_server_name"),
            "labels": {"io.modelcontextprotocol.server.name": self.text(), "x": self.text()},
            "env_vars": {"API_KEY": CANARY}, "url": f"http://me:{CANARY}@127.0.0.1:9/mcp?token={CANARY}#{CANARY}",
            **fields,
        }  # fmt: skip

    def workloads(self) -> list[Json]:
        """Containers and remotes, with identities and without."""
        remote = {"package": "remote", "remote": True}
        return [
            self.workload("stopped"), self.workload("defined", tool_definitions=[self.tool("d")]),
            self.workload("keyed", **remote, remote_url=f"https://h.example/mcp?api_key={CANARY}"),
            self.workload("broken", **remote, remote_url=f"https://me:{CANARY}@h.example:x/"),
            self.workload("odd", status=self.text()), self.workload("away", status="running"),
            self.workload("no-image", package=f"npx://{CANARY}@x token={CANARY}"),
            self.workload(f"named token={CANARY}"), {"package": self.text()},
            self.workload("restored", relation={"cause": "first-match", "kind": "remote",
                "identity": f"https://h.example/mcp?api_key={CANARY}", **self.texts("since")}),
        ]  # fmt: skip

    def snapshot(self) -> Json:
        """A snapshot that another program wrote."""
        keyed = {"kind": "remote", "identity": f"https://h.example/mcp?api_key={CANARY}"}
        return {
            "format": "mcp-optimizer-snapshot/1", "registry": self.legacy_catalog(), "workloads": self.workloads(),
            "resolutions": [{**keyed, "name": self.text()}], "aliases": [{**keyed, "name": self.text(), "of": keyed}],
        }  # fmt: skip

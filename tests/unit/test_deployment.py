"""The container file, the manifests and the guide: they parse, agree with one another and name settings that exist."""

import json
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mcp_optimizer.cli.commands import program
from mcp_optimizer.config import Settings
from mcp_optimizer.sources.kubernetes.items import API_GROUP, ResourceKind

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "deployment.md"
MANIFESTS = sorted((ROOT / "deploy").glob("*.yaml"))
CONTAINER = ROOT / "Containerfile"
UNIT = ROOT / "deploy" / "mcp-optimizer.service"


def objects() -> list[dict[str, Any]]:
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (item for item in objects() if item["kind"] == kind)
    return found


def container() -> dict[str, Any]:
    (found,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def test_the_manifests_parse_and_hold_what_the_guide_says() -> None:
    assert sorted(item["kind"] for item in objects()) == [
        "ClusterRole", "ClusterRoleBinding", "Deployment", "PersistentVolumeClaim", "Role", "RoleBinding", "Service",
        "ServiceAccount",
    ]  # fmt: skip
    assert all(item["apiVersion"] and item["metadata"]["name"] == "mcp-optimizer" for item in objects())


def test_the_yaml_of_the_guide_parses() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert [set(yaml.safe_load(block)) for block in blocks] == [{"env", "volumes"}]


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_a_role_lets_read_exactly_the_kinds_that_are_read(kind: str) -> None:
    (rule,) = of_kind(kind)["rules"]
    assert rule["apiGroups"] == [API_GROUP]
    assert sorted(rule["resources"]) == sorted(known.plural for known in ResourceKind)
    assert rule["verbs"] == ["get", "list"]
    binding = of_kind(f"{kind}Binding")
    assert binding["roleRef"]["kind"] == kind
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("ServiceAccount", of_kind("Deployment")["spec"]["template"]["spec"]["serviceAccountName"])
    ]


def test_service_deployment_and_claim_belong_together() -> None:
    template = of_kind("Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    assert of_kind("Service")["spec"]["selector"].items() <= labels
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in template["spec"]["volumes"][:1]]
    assert claims == [of_kind("PersistentVolumeClaim")["metadata"]["name"]]
    mounted = {mount["name"] for mount in container()["volumeMounts"]}
    assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_pod_starts_with_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in container()["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "given-by-the-cluster"))
    settings = Settings()
    assert (settings.runtime_mode, settings.k8s_namespace) == ("k8s", "given-by-the-cluster")
    assert settings.mcp_token is not None
    service = of_kind("Service")["metadata"]
    assert f"{service['name']}.{service['namespace']}.svc.cluster.local" in settings.allowed_hosts


def test_the_probes_ask_for_health_by_the_name_of_loopback() -> None:
    port = container()["ports"][0]
    assert port["containerPort"] == Settings().mcp_port == of_kind("Service")["spec"]["ports"][0]["port"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container()[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == ("/health", port["name"])
        assert asked["httpHeaders"] == [{"name": "Host", "value": f"127.0.0.1:{port['containerPort']}"}]
        assert container()[probe]["timeoutSeconds"] == 5  # a busy server is no dead one


@pytest.mark.parametrize("path", [GUIDE, CONTAINER, UNIT, *MANIFESTS], ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"MCP_OPTIMIZER_([A-Z0-9_]+)(?![a-z])", path.read_text())) - {"NAME"}
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_container_is_slim_unprivileged_and_watched() -> None:
    lines = CONTAINER.read_text().splitlines()
    assert {line.split()[1] for line in lines if line.startswith("FROM")} == {"python:3.13-slim"}
    user = of_kind("Deployment")["spec"]["template"]["spec"]["securityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert "/health" in CONTAINER.read_text()
    assert 'CMD ["serve"]' in lines
    copied = [name for line in lines if line.startswith("COPY") and "--from" not in line for name in line.split()[1:-1]]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quietly."""


def test_the_health_check_of_the_container_tells_well_from_ill() -> None:
    (written,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*?\])$", CONTAINER.read_text(), re.DOTALL | re.MULTILINE)
    program, *arguments = json.loads(written)
    assert program == "python"
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = {"MCP_OPTIMIZER_MCP_PORT": str(server.server_port)}
        assert subprocess.run([sys.executable, *arguments], env=port, check=False).returncode == 0
        server.shutdown()
    ill = subprocess.run([sys.executable, *arguments], env=port, check=False, capture_output=True)
    assert ill.returncode != 0


def _commands(text: str) -> list[list[str]]:
    """The arguments of every call of the program, in blocks of shell and in a line."""
    joined = text.replace("\\\n", " ")
    parts = re.findall(r"(?:^|[` ])mcp-optimizer((?: +(?!\\)[\w:/.=-]+)+)", joined, re.MULTILINE)
    return [words for words in map(shlex.split, parts) if words[0] in program.commands]


def test_every_command_of_the_guide_is_understood() -> None:
    commands = _commands(GUIDE.read_text()) + _commands(UNIT.read_text().replace("/bin/", "/bin/ "))
    assert {words[0] for words in commands} == {"doctor", "ingest", "serve", "workload"}
    for words in commands:
        command: click.Command | None = program
        rest = words
        while isinstance(command, click.Group):
            _, command, rest = command.resolve_command(click.Context(command), rest)
        assert command is not None
        command.make_context("mcp-optimizer", rest)


def test_the_program_in_the_container_can_send_traces() -> None:
    synced = [line for line in CONTAINER.read_text().splitlines() if line.startswith("RUN uv sync")]
    assert len(synced) == 2
    assert all("--extra telemetry" in line for line in synced)


def test_the_guide_names_files_that_are_there() -> None:
    named = set(re.findall(r"deploy/[\w.-]+\w", GUIDE.read_text()))
    assert named == {str(path.relative_to(ROOT)) for path in (*MANIFESTS, UNIT)} | {"deploy/mcp-optimizer"}

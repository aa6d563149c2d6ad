"""What works here and what does not, each with its remedy."""

import stat

from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.migrations import HEAD, stored_model, stored_revision
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.db.sqlite.engine import SqliteEngine
from mcp_optimizer.domain.reports import CheckFinding, CheckReport
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.sources.kubernetes.check import check_kubernetes
from mcp_optimizer.sources.toolhive.discovery import default_state_home, discover


async def examine(settings: Settings, embedder: Embedder) -> CheckReport:
    """Look at everything the program leans on. Makes and changes nothing."""
    return CheckReport(
        findings=(
            *_sqlite(),
            *await _database(settings, embedder),
            await _model(embedder),
            *(await check_kubernetes(settings) if settings.runtime_mode == "k8s" else [await _toolhive(settings)]),
        )
    )


def _sqlite() -> list[CheckFinding]:
    try:
        module = sqlite_driver.sqlite_module()
    except OptimizerError as error:
        return [CheckFinding(name="sqlite", ok=False, detail=error.message, remedy=error.remedy)]
    safe = sqlite_driver.is_safe_version()
    target = ".".join(map(str, sqlite_driver.SAFE_VERSION))
    return [
        CheckFinding(
            name="sqlite",
            ok=safe,
            detail=f"{module.sqlite_version} from the module {module.__name__}",
            remedy=None
            if safe
            else f"before {target} a database that two programs write to can be corrupted; "
            "install the package pysqlite3",
        ),
        _extension(),
    ]


def _extension() -> CheckFinding:
    try:
        version = sqlite_driver.vector_extension_version()
    except Exception as error:  # noqa: BLE001 (whatever stops the extension from loading is the finding)
        remedy = "install the package sqlite-vec for this platform"
        return CheckFinding(name="vector extension", ok=False, detail=str(error), remedy=remedy)
    return CheckFinding(name="vector extension", ok=True, detail=f"sqlite-vec {version} loads")


async def _database(settings: Settings, embedder: Embedder) -> list[CheckFinding]:
    try:
        database = Database(settings.database_url(), busy_timeout=settings.busy_timeout)
    except OptimizerError as error:
        return [CheckFinding(name="database", ok=False, detail=error.message, remedy=error.remedy)]
    findings: list[CheckFinding] = []
    if isinstance(database.engine, SqliteEngine):
        path = database.path
        if not path.exists():
            return [CheckFinding(name="database", ok=True, detail=f"{path} is made when it is first needed")]
        findings.append(_permissions(path.stat().st_mode, str(path)))
    try:
        await database.open()
        try:
            revision = await stored_revision(database)
            model = await stored_model(database) if revision == HEAD else None
        finally:
            await database.close()
    except OptimizerError as error:
        return [*findings, CheckFinding(name="database", ok=False, detail=error.message, remedy=error.remedy)]
    current = revision == HEAD
    detail = f"{database.label} at revision {revision or 'none'}" + ("" if current else f", the program is at {HEAD}")
    remedy = None if current else "run `mcp-optimizer db upgrade`"
    findings.append(CheckFinding(name="database", ok=current, detail=detail, remedy=remedy))
    if model is not None:
        same = model == embedder.model
        detail = f"stored embeddings are of {model}" + ("" if same else f", the settings name {embedder.model}")
        remedy = None if same else f"set embedding_model_name to {model}, or name another database"
        findings.append(CheckFinding(name="stored model", ok=same, detail=detail, remedy=remedy))
    return findings


def _permissions(mode: int, path: str) -> CheckFinding:
    private = not mode & (stat.S_IRWXG | stat.S_IRWXO)
    detail = f"{path} is {stat.S_IMODE(mode):04o}"
    remedy = None if private else f"chmod 600 '{path}': others can read it"
    return CheckFinding(name="permissions", ok=private, detail=detail, remedy=remedy)


async def _model(embedder: Embedder) -> CheckFinding:
    try:
        vector = (await embedder.embed(["find the right tool"]))[0]
    except OptimizerError as error:
        return CheckFinding(name="embedding model", ok=False, detail=error.message, remedy=error.remedy)
    return CheckFinding(name="embedding model", ok=True, detail=f"{embedder.model} gives {len(vector)} dimensions")


async def _toolhive(settings: Settings) -> CheckFinding:
    try:
        result = await discover(settings, state_home=default_state_home())
    except OptimizerError as error:
        return CheckFinding(name="toolhive", ok=False, detail=error.message, remedy=error.remedy)
    return CheckFinding(name="toolhive", ok=True, detail=result.label)

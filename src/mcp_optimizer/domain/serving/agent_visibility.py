"""Which workloads agents get to see. Pure."""

from collections.abc import Iterable
from typing import Protocol

from mcp_optimizer.domain.models import Value


class Exposable(Protocol):
    """What the rules of exposure ask of a workload."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def group(self) -> str:
        """Its group."""
        ...

    @property
    def virtual(self) -> bool:
        """Whether it is a virtual MCP server, which stands for others of its group."""
        ...


class AgentVisibility(Value):
    """What the settings let agents see: ``groups`` (None: all), and none whose name holds one of ``skipped``."""

    groups: frozenset[str] | None = None
    skipped: tuple[str, ...] = ()

    def within(self, groups: frozenset[str] | None) -> "AgentVisibility":
        """What of it is of these groups (None: all of it)."""
        if groups is None:
            return self
        return self.model_copy(update={"groups": groups if self.groups is None else self.groups & groups})

    def exposed[W: Exposable](self, workloads: Iterable[W]) -> list[W]:
        """Those of ``workloads``, which must be all there are, that agents see, in their order.

        A group that holds a virtual MCP server exposes only its virtual ones, also while these do not run.
        """
        every = list(workloads)
        virtual = {_whole_group(workload) for workload in every if workload.virtual and workload.group}
        return [
            workload
            for workload in every
            if (self.groups is None or workload.group in self.groups)
            and (workload.virtual or _whole_group(workload) not in virtual)
            and not any(part in workload.name for part in self.skipped)
        ]

    def refusal(self, workload: Exposable, workloads: Iterable[Exposable]) -> str:
        """Why agents do not see ``workload``, one of ``workloads``, naming the setting (Q5); empty when they do."""
        if self.groups is not None and workload.group not in self.groups:
            allowed = ", ".join(sorted(self.groups)) or "none"
            return f"the server is in the group {workload.group or '(none)'}, and the agent sees only: {allowed}"
        skipped = next((part for part in self.skipped if part in workload.name), None)
        if skipped is not None:
            return f"the server is skipped: its name holds {skipped} (skipped_workloads)"
        every = list(workloads)
        if workload.name not in {item.name for item in self.exposed(every)}:
            group = _whole_group(workload)
            virtual = sorted(item.name for item in every if item.virtual and _whole_group(item) == group)
            return f"a virtual MCP server stands for its group: {', '.join(virtual)}"
        return ""


def _whole_group(workload: Exposable) -> tuple[str, str]:
    """A group with the namespace that it is in: on Kubernetes names are ``namespace/name``, and each has its groups."""
    return workload.name.rpartition("/")[0], workload.group

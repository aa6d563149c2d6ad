"""Changing relations from an area: re-match, link, unlink, resolve. Each shows its dry run before it is done."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.views import RegistryServerView, WorkloadView
from mcp_optimizer.tui.areas.list_area import ListArea
from mcp_optimizer.tui.dialogs.choose import ChooseDialog
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Say
from mcp_optimizer.tui.state import confirmable_actions as questions
from mcp_optimizer.tui.state.choices import claimants, link_choices
from mcp_optimizer.tui.state.confirmable_actions import ConfirmableAction


class RelatingArea[R](ListArea[R]):
    """A list of what stands in relations."""

    def chosen_workloads(self) -> Sequence[WorkloadView]:
        """The workloads that an action is about: those marked, or under the cursor."""
        return ()

    def chosen_server(self) -> RegistryServerView | None:
        """The registry server under the cursor."""
        return None

    def confirm(self, question: ConfirmableAction[Any]) -> None:
        """Show what would happen, and do it when a person agrees."""
        self.app.push_screen(ConfirmDialog(self.context, question), self._was_done)

    def _was_done(self, done: bool | None) -> None:
        if done:
            self.table.clear_marks()

    def _tell(self, words: str) -> None:
        self.post_message(Say(words, Tone.MUTED))

    def _stored(self) -> list[WorkloadView]:
        """The chosen workloads that have a row; it says why there is none."""
        chosen = self.chosen_workloads()
        stored = [workload for workload in chosen if workload.id]
        if chosen and not stored:
            resolve, ingest = (self.context.keymap.words_for(name) for name in ("resolve", "ingest"))
            ways = f"{resolve} chooses the entry that counts, {ingest} then takes it in"
            self._tell(f"{chosen[0].name} was rejected and is not stored: {ways}.")
        elif not chosen:
            self._tell("There is no workload here.")
        return stored

    def do_rematch(self) -> None:
        """Match the chosen workloads again."""
        service, stored = self.context.service, self._stored()
        if service is not None and stored:
            self.confirm(questions.rematch(service, [workload.name for workload in stored]))

    def do_rematch_all(self) -> None:
        """Match all workloads again."""
        if self.context.service is not None:
            self.confirm(questions.rematch(self.context.service, None))

    def do_unlink(self) -> None:
        """Make the chosen workloads autonomous."""
        service, stored = self.context.service, self._stored()
        if service is not None and stored:
            self.confirm(questions.unlink(service, [workload.name for workload in stored]))

    def do_link(self) -> None:
        """Choose a registry server for the chosen workloads."""
        service, stored = self.context.service, self._stored()
        if service is None or not stored:
            return
        if len({workload.kind for workload in stored}) > 1:
            self._tell("Remote and container workloads can't be linked to the same registry server.")
            return
        names = [workload.name for workload in stored]

        def chosen(server: str | None) -> None:
            if server is not None:
                self.confirm(questions.link(service, names, server))

        what = names[0] if len(names) == 1 else f"{len(names)} workloads"
        read = partial(link_choices, service, stored[0])
        self.app.push_screen(ChooseDialog(self.context, f"Link {what} to", read), chosen)

    def do_accept(self) -> None:
        """Accept what the tools of a workload say now; one workload at a time, since each has to be read."""
        service, stored = self.context.service, self._stored()
        if service is None or not stored:
            return
        if len(stored) > 1:
            self._tell("Changed tools are accepted one workload at a time: take the marks away with esc.")
        else:
            self.confirm(questions.accept(service, stored[0].name))

    def do_resolve(self) -> None:
        """Choose which of several entries counts."""
        service, server = self.context.service, self.chosen_server()
        workload = next((w for w in self.chosen_workloads() if w.relation is Relation.REJECTED), None)
        if service is None:
            return
        if server is not None and server.duplicates:
            identity, read = server.identity, partial(claimants, service, server=server.id or server.name)
        elif workload is not None:
            identity, read = workload.identity, partial(claimants, service, workload=workload.name)
        else:
            self._tell("Only one entry claims this identity: there is nothing to resolve.")
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self.confirm(questions.resolve(service, identity, name))

        self.app.push_screen(ChooseDialog(self.context, f"Which entry is right for {identity}?", read), chosen)

"""Overview: how things are, at a glance; every number leads to its list."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from mcp_optimizer.domain.views import Overview
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.details.news import news_document, welcome_document
from mcp_optimizer.tui.dialogs.copy import CopyDialog
from mcp_optimizer.tui.dialogs.json import JsonDialog
from mcp_optimizer.tui.dialogs.save import SaveOffer, text_offer
from mcp_optimizer.tui.format.counts import Fact, fact_renderer, facts
from mcp_optimizer.tui.format.exports import as_json, table_markdown, text_markdown
from mcp_optimizer.tui.messages import Go
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.table import Table


class OverviewArea(AreaView):
    """Numbers, and beside them problems and runs."""

    area = Area.OVERVIEW
    needs = (Resource.OVERVIEW,)
    labels: ClassVar[dict[str, str]] = {"jump": "Show list"}

    def compose(self) -> ComposeResult:
        """Numbers; news."""
        with Container(classes="split"):
            with Vertical(classes="list"):
                yield Table(fact_renderer())
            yield DetailPane()

    @property
    def table(self) -> Table[Fact]:
        """The numbers."""
        return self.query_one(Table)

    @property
    def pane(self) -> DetailPane:
        """The news."""
        return self.query_one(DetailPane)

    def take_focus(self) -> None:
        """The numbers, or the welcome when there are none."""
        self.screen.set_focus(self.pane if self._bare else self.table)

    def update(self) -> None:
        """Show numbers and news, or a welcome when nothing is stored."""
        overview = self.context.feed.overview
        trouble = self.trouble()
        if overview is None:
            self.table.say(trouble or ())
            return
        bare = not (overview.registry_servers or overview.workloads or overview.problems)
        had_focus = self.table.has_focus or self.pane.has_focus
        self.set_class(bare, "-empty")
        self.table.put(facts(overview))
        self.pane.show("welcome" if bare else "news", lambda width: self._document(overview, width, bare=bare))
        if had_focus:
            self.take_focus()

    @property
    def _bare(self) -> bool:
        return self.has_class("-empty")

    # Actions

    def do_json(self) -> None:
        """Everything that is counted."""
        if self.context.feed.overview is not None:
            self.app.push_screen(JsonDialog(self.context, self.context.feed.overview.model_dump(mode="json")))

    def do_copy(self) -> None:
        """Choose what to copy."""
        if self.context.feed.overview is not None:
            self.app.push_screen(CopyDialog(self.context, self.context.feed.overview.model_dump(mode="json")))

    def offers(self) -> list[SaveOffer]:
        """The numbers, and all that is known at a glance."""
        overview, rows = self.context.feed.overview, self.table.rows
        if overview is None:
            return []
        text = self.pane.text
        return [
            text_offer(
                "the numbers, as Markdown",
                "overview.md",
                lambda: table_markdown("Overview", rows.renderer, rows.visible),
            ),
            text_offer("problems and runs, as Markdown", "news.md", lambda: text_markdown("Overview", text)),
            text_offer("all of it, as JSON", "overview.json", lambda: as_json(overview)),
        ]

    def _document(self, overview: Overview, width: int, *, bare: bool) -> Lines:
        if bare:
            return welcome_document(overview, width, read_only=self.context.read_only)
        return news_document(overview, self.context.clock, width)

    @on(Table.Activated)
    def do_jump(self) -> None:
        """To the list behind the number."""
        fact = self.table.rows.cursor_row
        if fact is not None and fact.target is not None and not self._bare:
            self.post_message(Go(fact.target))

"""A machine that does to a real store, at random, everything that can happen to catalogs, workloads and relations.

After every step the store must say what the :class:`~tests.support.rulebook.Rulebook` says.
"""

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Collection, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mcp_optimizer.config import Settings
from mcp_optimizer.db.sqlite import driver as sqlite_driver
from mcp_optimizer.domain.matching import RegistryIndex, match
from mcp_optimizer.domain.models import Catalog, CatalogEntry, ItemProblem, ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.reports import IngestReport, RelationReport
from mcp_optimizer.domain.vectors import mean_vector
from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, identity, listing, workload
from tests.support.database import dump, raw_connection
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.rulebook import PLACES, Entry, Rulebook, Seen, another_of, kind_of
from tests.support.runtime import counted_ids, deterministic
from tests.support.services import assert_sound, ingest, same_outcome

BY_HAND = {"linked-by-hand", "unlinked-by-hand"}
SERVERS = ("ant", "bee", "cat", "dog")
WORKLOADS = ("one", "two", "six", "ten")
TOOLS = (("ping",), ("ping", "read"), ("read",), ())

servers, workloads, places = st.sampled_from(SERVERS), st.sampled_from(WORKLOADS), st.sampled_from(PLACES)
several = st.sets(workloads, min_size=1, max_size=3)
many = st.integers(0, 31)
"""Chooses among what is there: some bits of it, or its remainder."""

catalog_edits = st.one_of(
    st.tuples(st.just("puts"), servers, places),
    st.tuples(st.just("puts"), servers, places),
    st.tuples(st.just("shares"), servers, servers),
    st.tuples(st.just("shares"), servers, servers),
    st.tuples(st.just("renames"), servers, servers),
    st.tuples(st.just("swaps"), servers, servers),
    st.tuples(st.just("takes over"), servers, servers),
    st.tuples(st.just("is reissued"), servers, servers),
    st.tuples(st.just("rotates"), servers, servers),
    st.tuples(st.just("turns"), servers, places),
    st.tuples(st.just("rewrites"), servers, st.none()),
    st.tuples(st.just("respells"), servers, st.none()),
    st.tuples(st.just("drops"), servers, st.none()),
)
workload_edits = st.one_of(
    st.tuples(st.just("runs"), workloads, places),
    st.tuples(st.just("runs"), workloads, places),
    st.tuples(st.just("has other tools"), workloads, st.sampled_from(TOOLS)),
    st.tuples(st.just("does not answer"), workloads, st.none()),
    st.tuples(st.just("stops"), workloads, st.none()),
    st.tuples(st.just("hides its identity"), workloads, st.none()),
    st.tuples(st.just("goes"), workloads, st.none()),
)


class Laboratory:
    """What all machines of a test share: an event loop, a database and an empty one to begin with, and counts."""

    def __init__(self, runner: asyncio.Runner, place: Place, empty: Place) -> None:
        self._runner = runner
        self.place = place
        self._empty = empty
        self.settings = Settings(db_url=place.url)
        self.counts: Counter[str] = Counter()

    def run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for it."""
        return self._runner.run(coroutine)

    def begin(self) -> None:
        """An empty database."""
        self.place.copy_of(self._empty)


@contextmanager
def laboratory(place: Place, empty: Place) -> Iterator[Laboratory]:
    """A laboratory in which statements run at once: handing each to another thread takes longer than most of them."""

    async def at_once(_: object, function: Any, *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_driver._Connection, "_execute", at_once)
        yield Laboratory(runner, place, empty)


@functools.cache
def vector_of(text: str) -> bytes:
    """The embedding of a text, as it is stored."""
    return FakeEmbedder().vector(text).tobytes()


@functools.cache
def tool_vector(context: str, tool: str) -> bytes:
    """The embedding of one of our tools: the mean of its name, the context name before it (L6), and its sentence."""
    parts = [FakeEmbedder().vector(text) for text in (f"{context}: {tool}", f"{tool} does what it says.")]
    mean = mean_vector(parts)
    assert mean is not None
    return mean.tobytes()


def catalog_entry(given: Entry) -> CatalogEntry:
    """An entry as a source gives it."""
    return entry(given.name, given.spelled, given.tools, description=f"Version {given.version}.")


def observed(given: Seen) -> ObservedWorkload:
    """A workload as a source gives it."""
    found = workload(
        given.name,
        given.place or PLACES[0],
        given.tools,
        status=given.status,
        tools_problem=None if given.tools is not None else "it did not answer",
    )
    if given.place is None:
        return found.model_copy(update={"identity": None, "identity_problem": "it can't be told"})
    return found


class RelationshipMachine(RuleBasedStateMachine):
    """Events of every kind, each foretold by a dry run, done, and checked against the rulebook."""

    def __init__(self, lab: Laboratory) -> None:
        super().__init__()
        self.lab = lab
        self.book = Rulebook()
        self.document: dict[tuple[str, str], Entry] = {}
        self.listed: dict[str, Seen] = {}
        self.truth: dict[tuple[str, str], str] | None = None
        """What the last whole catalog names, by kind and name; None where nothing has told since a part or a person
        changed what is stored."""
        self.row_ids: dict[int, str] = {}
        self.workload_ids: dict[str, str] = {}
        self.random = random.Random(0)
        self.open = ExitStack()
        lab.begin()
        self.service = self._opened()
        self.raw = self.open.enter_context(raw_connection(lab.place))

    def _opened(self) -> DataService:
        service = DataService(self.lab.settings, embedder=FakeEmbedder(), runtime=deterministic(numbers=_IDS))
        self.lab.run(service.open())
        return service

    def teardown(self) -> None:
        """The full check, and the views."""
        self._views_agree()
        self.open.close()
        self.lab.run(assert_sound(self.service))
        self.lab.run(self.service.close())

    # What happens

    @initialize(
        entries=st.lists(st.tuples(servers, places), min_size=2, max_size=5),
        seen=st.lists(st.tuples(workloads, places), min_size=2, max_size=4),
    )
    def everything_begins(self, entries: list[tuple[str, str]], seen: list[tuple[str, str]]) -> None:
        for name, place in entries:
            self._edit_catalog("puts", name, place)
        for name, place in seen:
            self._edit_workloads("runs", name, place)
        self._ingest(self.document.values(), self.listed.values())

    @rule(edits=st.lists(catalog_edits, min_size=1, max_size=3))
    def the_catalog_changes(self, edits: list[tuple[str, str, Any]]) -> None:
        for edit in edits:
            self._edit_catalog(*edit)
        self._ingest(self.document.values())

    @rule(edits=st.lists(workload_edits, min_size=1, max_size=3))
    def workloads_change(self, edits: list[tuple[str, str, Any]]) -> None:
        for edit in edits:
            self._edit_workloads(*edit)
        self._ingest(seen=self.listed.values())

    @rule(
        entries=st.lists(catalog_edits, min_size=1, max_size=2), seen=st.lists(workload_edits, min_size=1, max_size=2)
    )
    def both_change_at_once(self, entries: list[tuple[str, str, Any]], seen: list[tuple[str, str, Any]]) -> None:
        for edit in entries:
            self._edit_catalog(*edit)
        for edit in seen:
            self._edit_workloads(*edit)
        self._ingest(self.document.values(), self.listed.values())

    @rule(edits=st.lists(catalog_edits, max_size=2), shown=many)
    def the_catalog_is_cut(self, edits: list[tuple[str, str, Any]], shown: int) -> None:
        for edit in edits:
            self._edit_catalog(*edit)
        self._ingest(_some(self.document.values(), shown), complete=False)

    @rule(edits=st.lists(workload_edits, max_size=2), shown=many)
    def the_listing_is_cut(self, edits: list[tuple[str, str, Any]], shown: int) -> None:
        for edit in edits:
            self._edit_workloads(*edit)
        self._ingest(seen=_some(self.listed.values(), shown), complete=False)

    @rule(name=servers)
    def an_entry_is_unusable(self, name: str) -> None:
        """What its parts are is known; they may be stored under another name, or not at all."""
        parts = [given.place for given in self.document.values() if given.name == name]
        rest = [given for given in self.document.values() if given.name != name]
        taken = {given.place for given in rest}
        self._ingest(rest, unusable=[place for place in parts if place not in taken])

    @rule(edits=st.lists(catalog_edits, max_size=2), first=many)
    def the_catalog_comes_in_pages(self, edits: list[tuple[str, str, Any]], first: int) -> None:
        """Each page is taken as a part; then the whole is read."""
        for edit in edits:
            self._edit_catalog(*edit)
        page = _some(self.document.values(), first)
        self._ingest(page, complete=False)
        self._ingest([given for given in self.document.values() if given not in page], complete=False)
        self._ingest(self.document.values())

    @precondition(lambda self: self._pairs())
    @rule(which=many, edit=st.sampled_from(("takes over", "shares", "swaps")), running=st.permutations(WORKLOADS))
    def two_come_and_go(self, which: int, edit: str, running: list[str]) -> None:
        """Day 1 both with what runs of each, day 2 one names what the other has, day 3 as day 1 (C7)."""
        mover, other = _one(self._pairs(), which)
        self._edit_workloads("runs", running[0], mover.place)
        self._edit_workloads("runs", running[1], other.place)
        self._ingest(self.document.values(), self.listed.values())
        as_it_was = dict(self.document)
        self._edit_catalog(edit, mover.name, other.name)
        self._ingest(self.document.values())
        self._views_agree()
        self.lab.counts["kept for its links"] += any(row.claim for row in self.book.rows.values())
        if which % 2:
            self.document = as_it_was
            self._ingest(self.document.values())
            self._views_agree()

    @rule()
    def all_are_matched_anew(self) -> None:
        self._rematch(None)

    @precondition(lambda self: self.book.workloads)
    @rule(names=several)
    def some_are_matched_anew(self, names: set[str]) -> None:
        present = sorted(names & set(self.book.workloads))
        if present:
            self._rematch(present)

    @precondition(lambda self: self.book.workloads and self.book.rows)
    @rule(which=many, to=many)
    def a_person_links(self, which: int, to: int) -> None:
        name = _one(self.book.workloads, which)
        kind = kind_of(self.book.workloads[name].place or "")
        if self.book.workloads[name].place is None:
            return
        fitting = [number for number, row in self.book.rows.items() if kind_of(row.entry.place) == kind]
        if not fitting:
            return
        row = _one(fitting, to)
        workload = self.book.workloads[name]
        moved = workload.row != row or not workload.by_hand
        before = self.book.context(name) if self.book.workloads[name].row is not None else None
        self.book.link(name, row)
        report = self._by_hand("link", name, self.row_ids[row])
        assert [(item.workload, item.registry_server, item.before) for item in report.linked] == (
            [(name, self.book.rows[row].entry.name, before)] if moved else []
        )

    @precondition(lambda self: self.book.workloads)
    @rule(names=several)
    def a_person_unlinks(self, names: set[str]) -> None:
        present = sorted(names & set(self.book.workloads))
        about = {name: self.book.workloads[name] for name in present}
        decided = [
            name
            for name, workload in about.items()
            if workload.place is not None and (workload.row is not None or not workload.by_hand)
        ]
        self.book.unlink(present)
        assert self._by_hand("unlink", present).unlinked == tuple(decided)

    @rule(which=many, choice=many, then_ingested=st.booleans())
    def a_person_resolves(self, which: int, choice: int, then_ingested: bool) -> None:
        """Where no one shares an identity, one entry moves to that of another first, and is chosen."""
        mover = None if self.book.claims else self._one_moves_onto_another(which, choice)
        if not self.book.claims:
            return
        place = _one(self.book.claims, which)
        chosen = mover if mover in self.book.claims[place] else _one(self.book.claims[place], choice)
        row = self.book.at(place)
        before = self.book.rows[row].entry.name if row is not None else None
        follow = tuple(self.book.linked_to(row)) if row is not None else ()
        waiting = self.book.waiting(place)
        self.book.resolve(place, chosen)
        report = self._by_hand("resolve", place, chosen)
        renamed = before not in {None, chosen}
        assert report.renamed_from == (before if renamed else None)
        assert report.context_renamed == (follow if renamed else ())
        assert (list(report.admitted), sorted(report.waiting)) == (waiting, waiting)
        if then_ingested:
            self._ingest(self.document.values())

    @precondition(lambda self: self.book.rows)
    @rule(which=many)
    def registry_servers_are_deleted(self, which: int) -> None:
        numbers = _some(self.book.rows, which) or [_one(self.book.rows, which)]
        self.truth = None
        left = self.book.delete_rows(numbers)
        report = self._by_hand("delete_registry_servers", [self.row_ids.pop(number) for number in numbers])
        assert report.unlinked == tuple(left)

    @precondition(lambda self: self.book.workloads or self.book.rejected)
    @rule(which=many)
    def workloads_are_deleted(self, which: int) -> None:
        names = {**self.book.workloads, **self.book.rejected}
        gone = _some(names, which) or [_one(names, which)]
        self.book.delete_workloads(gone)
        assert self._by_hand("delete_workloads", gone).deleted == tuple(sorted(gone))

    @rule()
    def the_program_starts_anew(self) -> None:
        self.lab.counts["start again"] += 1
        before = dump(self.lab.place)
        self.lab.run(self.service.close())
        self.service = self._opened()
        assert dump(self.lab.place) == before
        self._views_agree()

    # How it is done

    def _one_moves_onto_another(self, which: int, where: int) -> str | None:
        """The name of the entry that moves; None where there are no two that could."""
        pairs = self._pairs()
        if not pairs:
            return None
        mover, other = _one(pairs, which + where)
        self._edit_catalog("shares", mover.name, other.name)
        self._ingest(self.document.values())
        return mover.name

    def _pairs(self) -> list[tuple[Entry, Entry]]:
        """Any two entries of one kind and different places."""
        return [
            (mover, other)
            for mover in self.document.values()
            for other in self.document.values()
            if kind_of(mover.place) == kind_of(other.place) and mover.place != other.place
        ]

    def _edit_catalog(self, edit: str, name: str, other: Any) -> None:
        self.lab.counts[f"an entry: {edit}"] += 1
        if edit == "puts":
            known = self.document.get((kind_of(other), name))
            self.document[kind_of(other), name] = Entry(name, other, known.version if known else 0)
            return
        if edit == "turns":
            self.document = {title: given for title, given in self.document.items() if given.name != name}
            self.document[kind_of(other), name] = Entry(name, other)
            return
        if edit == "rotates":
            self._rotate(name, other)
            return
        for kind in ("container", "remote"):
            found, second = self.document.get((kind, name)), self.document.get((kind, other))
            if found is None:
                continue
            changed: Mapping[str, Collection[Entry]] = {
                "drops": [],
                "rewrites": [Entry(name, found.place, found.version + 1, found.other_spelling)],
                "respells": [Entry(name, found.place, found.version, not found.other_spelling)],
                "shares": [Entry(name, second.place, found.version), second] if second else [found],
                "renames": [found if second else Entry(other, found.place, found.version)],
                "takes over": [Entry(name, second.place, found.version)] if second else [found],
                "is reissued": [found] if second else [Entry(other, another_of(found.place), found.version)],
                "swaps": [Entry(name, second.place), Entry(other, found.place)] if second else [found],
            }
            del self.document[kind, name]
            if edit == "takes over" and second is not None:
                self.document.pop((kind, other), None)
            self.document |= {given.title: given for given in changed[edit]}

    def _rotate(self, first: str, second: str) -> None:
        """Each of the entries of a kind gets the place of the next one: a chain of names, and a cycle."""
        for kind in ("container", "remote"):
            names = [name for of, name in self.document if of == kind]
            names.sort(key=lambda name: (name not in {first, second}, name))
            found = [self.document[kind, name] for name in names]
            for given, after in zip(found, [*found[1:], *found[:1]], strict=True):
                self.document[kind, given.name] = Entry(given.name, after.place, given.version)

    def _edit_workloads(self, edit: str, name: str, other: Any) -> None:
        self.lab.counts[f"a workload: {edit}"] += 1
        known = self.listed.pop(name, Seen(name, PLACES[0]))
        if edit != "goes":
            changed = {
                "runs": Seen(name, other, known.tools or ("ping",)),
                "has other tools": Seen(name, known.place, other),
                "does not answer": Seen(name, known.place, None),
                "stops": Seen(name, known.place, known.tools, "stopped"),
                "hides its identity": Seen(name, None),
            }
            self.listed[name] = changed[edit]

    def _ingest(
        self,
        entries: Collection[Entry] | None = None,
        seen: Collection[Seen] | None = None,
        *,
        complete: bool = True,
        unusable: Collection[str] = (),
    ) -> None:
        """A dry run, the run, and the same in another order, which must change nothing (C4).

        But for one case: a row that outlived its entry for the workloads linked to it, which the same listing took
        away. The registry comes first (L3), so that row goes with the next ingestion.
        """
        self.lab.counts["ingest"] += 1
        first = self._sources(entries, seen, complete=complete, unusable=unusable)
        preview = self._foretold(ingest(self.service, *first, dry_run=True))
        report = self.lab.run(ingest(self.service, *first))
        assert same_outcome(report) == same_outcome(preview)
        self._reports(report, entries, seen, complete=complete, unusable=unusable)
        before, told = dump(self.lab.place), self.book.state()
        again = self.lab.run(ingest(self.service, *self._sources(entries, seen, complete=complete, unusable=unusable)))
        self._reports(again, entries, seen, complete=complete, unusable=unusable)
        if self.book.state() == told:
            assert dump(self.lab.place) == before
            assert again.embedded_texts == 0
        else:
            assert None not in (entries, seen), "one half alone has nothing to add"
            self.lab.counts["second ingestion went on"] += 1

    def _sources(
        self, entries: Collection[Entry] | None, seen: Collection[Seen] | None, *, complete: bool, unusable: Any
    ) -> tuple[Catalog | None, WorkloadListing | None]:
        """What is ingested, in random order."""
        skipped = [ItemProblem(name="x", reason="unusable", identity=identity(place)) for place in unusable]
        items = [] if entries is None else [catalog_entry(given) for given in entries]
        running = [] if seen is None else [observed(given) for given in seen]
        self.random.shuffle(items)
        self.random.shuffle(running)
        source = {"source": self.random.choice(("one", "another"))}  # who tells makes no difference
        return (
            None if entries is None else catalog(*items, complete=complete, skipped=skipped).model_copy(update=source),
            None if seen is None else listing(*running, complete=complete).model_copy(update=source),
        )

    def _reports(
        self,
        report: IngestReport,
        entries: Collection[Entry] | None,
        seen: Collection[Seen] | None,
        *,
        complete: bool,
        unusable: Collection[str],
    ) -> None:
        """The rulebook is told, and counts the same."""
        if entries is not None:
            expected = self.book.catalog(entries, complete=complete, unusable=unusable)
            assert report.registry is not None
            assert len(report.registry.skipped) == len(unusable) + expected["waiting"]
            self._told(entries, complete=complete, unusable=unusable)
            names = ("added", "updated", "renamed", "retagged", "removed", "unchanged")
            assert {name: getattr(report.registry, name) for name in names} == {name: expected[name] for name in names}
            shared = {item.identity: set(item.names) for item in report.registry.duplicates}
            assert sorted(map(sorted, shared.values())) == sorted(map(sorted, self.book.claims.values()))
            for number in set(self.row_ids) - set(self.book.rows):
                del self.row_ids[number]
        if seen is not None:
            expected = self.book.listing(seen, complete=complete)
            found = report.workloads
            assert found is not None
            assert {
                "added": found.added,
                "removed": found.removed,
                "linked": found.linked,
                "autonomous": found.autonomous,
                "unidentified": found.unidentified,
                "rejected": len(found.rejected),
                "failed": len(found.failed),
            } == {
                name: expected[name]
                for name in ("added", "removed", "linked", "autonomous", "unidentified", "rejected", "failed")
            }

    def _told(self, entries: Collection[Entry], *, complete: bool, unusable: Collection[str]) -> None:
        """Keep what the last whole catalog names; what could not be used of it is as it is stored."""
        if not complete:
            self.truth = None
            return
        self.truth = {given.title: given.place for given in entries}
        for place in unusable:
            row = self.book.at(place)
            if row is not None:
                self.truth.setdefault(self.book.rows[row].entry.title, place)

    def _rematch(self, names: Collection[str] | None) -> None:
        expected = self.book.rematch(names)
        report: RelationReport = self._by_hand("rematch", names)
        assert [item.workload for item in report.linked] == expected["linked"]
        assert [item.name for item in report.rejected] == expected["rejected"]
        assert report.unlinked == ()
        before = dump(self.lab.place)
        again = self.lab.run(self.service.rematch(names))
        assert again.linked == (), "a second time gives nothing more"
        assert dump(self.lab.place) == before

    def _by_hand(self, action: str, *arguments: Any) -> Any:
        """A dry run, and the run that does what it foretold."""
        self.lab.counts[action] += 1
        done = getattr(self.service, action)
        preview = self._foretold(done(*arguments, dry_run=True))
        report = self.lab.run(done(*arguments))
        assert report == preview.model_copy(update={"dry_run": False})
        return report

    def _foretold[T](self, dry_run: Coroutine[Any, Any, T]) -> T:
        """What a dry run says; it commits nothing."""
        before = self.raw.execute(self.lab.place.version).fetchone()
        report = self.lab.run(dry_run)
        assert self.raw.execute(self.lab.place.version).fetchone() == before, "a dry run wrote"
        return report

    # What must be so

    @invariant()
    def the_store_says_what_the_rulebook_says(self) -> None:
        self._registry_rows_agree()
        self._workload_rows_agree()
        self._autonomous_workloads_and_only_they_stand_for_themselves()
        self._rejected_workloads_and_duplicates_are_open_problems()
        self._search_tables_agree()

    def _registry_rows_agree(self) -> None:
        tools = self._tools("tools_registry")
        stored = {
            place: (key, name, spelled, description, claim, sorted(tools.get(key, ())))
            for key, place, name, spelled, description, claim in self.raw.execute(
                "SELECT id, identity, name, COALESCE(url, package), description, claim_identity "
                "FROM mcpservers_registry"
            )
        }
        for number, row in self.book.rows.items():
            if row.entry.place in stored:
                self.row_ids.setdefault(number, stored[row.entry.place][0])
        assert stored == {
            row.entry.place: (
                self.row_ids.get(number),
                row.entry.name,
                row.entry.spelled,
                f"Version {row.entry.version}.",
                row.claim,
                sorted((tool, tool_vector(row.entry.name, tool)) for tool in row.entry.tools),
            )
            for number, row in self.book.rows.items()
        }

    def _workload_rows_agree(self) -> None:
        tools = self._tools("tools_workload")
        stored = {
            name: (key, place, row, context, status, cause in BY_HAND, sorted(tools.get(key, ())))
            for name, key, place, row, context, status, cause in self.raw.execute(
                "SELECT name, id, identity, registry_server_id, registry_server_name, status, relation_cause "
                "FROM mcpservers_workload"
            )
        }
        self.workload_ids = {
            name: self.workload_ids.get(name, stored[name][0] if name in stored else "") for name in self.book.workloads
        }
        assert stored == {
            name: (
                self.workload_ids[name],
                mine.place or "",
                None if mine.row is None else self.row_ids[mine.row],
                None if mine.row is None else self.book.rows[mine.row].entry.name,
                mine.status,
                mine.by_hand,
                sorted((tool, tool_vector(self.book.context(name), tool)) for tool in mine.tools),
            )
            for name, mine in self.book.workloads.items()
        }

    def _autonomous_workloads_and_only_they_stand_for_themselves(self) -> None:
        for name, description, embedding in self.raw.execute(
            "SELECT name, description, server_embedding FROM mcpservers_workload"
        ):
            mine = self.book.workloads[name]
            if mine.row is not None:
                assert (description, embedding) == (None, None)
                continue
            assert description
            assert all(tool in description for tool in mine.tools)
            texts = [tool_vector(name, tool) for tool in mine.tools] or [vector_of(name)]
            mean = np.mean([np.frombuffer(text, dtype="<f4") for text in texts], axis=0)
            np.testing.assert_allclose(np.frombuffer(embedding, dtype="<f4"), mean / np.linalg.norm(mean), atol=1e-6)

    def _rejected_workloads_and_duplicates_are_open_problems(self) -> None:
        open_problems = self.raw.execute(
            "SELECT name FROM ingestion_problems WHERE closed_at IS NULL AND problem = 'rejected'"
        )
        assert {name for (name,) in open_problems} == set(self.book.rejected)
        claims = self.raw.execute("SELECT identity, name FROM registry_duplicates")
        assert set(claims) == {(place, name) for place, named in self.book.claims.items() for name in named}

    def _search_tables_agree(self) -> None:
        for side in ("registry", "workload"):
            self._same_rows(
                f"SELECT id, {self.lab.place.vector} FROM {side}_server_vector",
                f"SELECT id, server_embedding FROM mcpservers_{side} WHERE server_embedding IS NOT NULL",
            )
            self._same_rows(
                f"SELECT id, server_id, {self.lab.place.vector} FROM {side}_tool_vectors",
                f"SELECT id, server_id, details_embedding FROM tools_{side}",
            )
            self._same_rows(
                f"SELECT id, server_id, name FROM {side}_tool_fts", f"SELECT id, server_id, name FROM tools_{side}"
            )
        words = self.raw.execute("SELECT s.name, f.server FROM workload_tool_fts f JOIN mcpservers_workload s "
                                 "ON s.id = f.server_id")  # fmt: skip
        assert all(self.book.context(name) in found for name, found in words), "C2: full text finds the context too"

    def _tools(self, table: str) -> dict[str, list[tuple[str, bytes]]]:
        """Names and embeddings of tools, by server."""
        tools: dict[str, list[tuple[str, bytes]]] = {}
        for server, name, embedding in self.raw.execute(f"SELECT server_id, name, details_embedding FROM {table}"):
            tools.setdefault(server, []).append((name, embedding))
        return tools

    def _same_rows(self, one: str, other: str) -> None:
        indexed = [(*keys, self.lab.place.vector_of(last)) for *keys, last in self.raw.execute(one)]
        assert sorted(indexed) == sorted(self.raw.execute(other)), one

    def _views_agree(self) -> None:
        """What is shown: relations, drift, what is linkable, and the same from ``explain`` (M6)."""
        views = {view.name: view for view in self.lab.run(self.service.workloads())}
        assert set(views) == {*self.book.workloads, *self.book.rejected}
        for name, view in views.items():
            mine = self.book.workloads.get(name)
            row = self.book.rows[mine.row] if mine and mine.row is not None else None
            rejected = name in self.book.rejected
            unidentified = mine is not None and mine.place is None
            own = "unidentified" if unidentified else "linked" if row else "autonomous"
            assert view.relation == ("rejected" if rejected else own)
            assert view.registry_server == (row.entry.name if row else None)
            assert (view.drift is not None) == bool(mine and row and mine.place != row.claimed)
            if mine is not None and not rejected:
                assert view.linkable_to == self._linkable(name)
            explanation = self.lab.run(self.service.explain(name))
            assert (explanation.verdict, explanation.linkable_to) == (view.relation, view.linkable_to)
            assert rejected or explanation.registry_server == view.registry_server
        counts = sorted((view.name, view.workloads) for view in self.lab.run(self.service.registry_servers()))
        assert counts == sorted((row.entry.name, len(self.book.linked_to(n))) for n, row in self.book.rows.items())

        self._all_follows_from_the_last_whole_catalog(views)

    def _all_follows_from_the_last_whole_catalog(self, views: Mapping[str, WorkloadView]) -> None:
        """C7: neither drift nor a match comes from a row that the catalog no longer names."""
        if self.truth is None:
            return
        names: dict[str, set[str]] = {place: set() for place in PLACES}
        for (_, name), place in self.truth.items():
            names[place].add(name)
        index = self.lab.run(_index_of(self.service))
        for place, claiming in names.items():
            found = match(identity(place), index)
            if self.book.unresolved(place):
                assert (found.verdict, set(found.claimants)) == ("rejected", claiming)
            elif claiming:
                assert found.server is not None
                assert found.server.name in claiming
            else:
                assert found.verdict == "autonomous"
        for name, view in views.items():
            mine = self.book.workloads.get(name)
            if view.relation == "linked" and mine is not None and view.registry_server is not None:
                named = self.truth[kind_of(mine.place or ""), view.registry_server]
                assert (view.drift is not None) == (mine.place != named)

    def _linkable(self, name: str) -> str | None:
        """The entry that re-matching would give an autonomous workload (L3)."""
        mine = self.book.workloads[name]
        if mine.place is None or mine.row is not None or mine.by_hand or self.book.unresolved(mine.place):
            return None
        row = self.book.named_at(mine.place)
        if row is None:
            return None
        return self.book.rows[row].entry.name


async def _index_of(service: DataService) -> RegistryIndex:
    async with service.store.database.reading() as connection:
        return (await service.store.state(connection)).index()


def _some[T](items: Collection[T], bits: int) -> list[T]:
    """Those of the items whose bit is set."""
    return [item for place, item in enumerate(items) if bits >> place & 1]


def _one[T](items: Collection[T], number: int) -> T:
    """One of the items."""
    return list(items)[number % len(items)]


_IDS = counted_ids()
"""Ids that are unique over all machines."""

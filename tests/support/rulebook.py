"""The rules of relations (C1-C7, L1-L9, M1-M4) told once more, in plain dictionaries and without the program's code.

A store that has been through the same events must say the same. What differs is a bug, here or there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

PLACES = (
    "example.org/one:1",
    "example.org/one:2",
    "example.org/two:1",
    "https://x.example/mcp",
    "https://x.example/a?b",
)
"""Identities: two tags of one image, another image, and two URLs."""

SPELLINGS = {
    "example.org/one:1": "EXAMPLE.org/one:1",
    "example.org/one:2": "Example.Org/one:2",
    "example.org/two:1": "example.ORG/two:1",
    "https://x.example/mcp": "HTTPS://X.example:443/mcp",
    "https://x.example/a?b": "https://X.EXAMPLE/%61?b",
}
"""Another spelling of each (I2)."""


def kind_of(place: str) -> str:
    """Remote or container."""
    return "remote" if "://" in place else "container"


def home_of(place: str) -> str:
    """What two tags of one image have in common, or two queries of one URL."""
    return place.partition("?")[0] if "://" in place else place.rpartition(":")[0]


def another_of(place: str) -> str:
    """Another tag of an image where there is one, another URL for a URL."""
    home = home_of(place)
    return next((other for other in PLACES if home_of(other) == home and other != place), place)


@dataclass(frozen=True)
class Entry:
    """An entry of a document."""

    name: str
    place: str
    version: int = 0
    other_spelling: bool = False

    @property
    def title(self) -> tuple[str, str]:
        """Kind and name: what a document has once."""
        return (kind_of(self.place), self.name)

    @property
    def spelled(self) -> str:
        """The identity as the document gives it."""
        return SPELLINGS[self.place] if self.other_spelling else self.place

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of its tools; they change with every second version."""
        return ("ping", f"v{self.version // 2}") if self.version > 1 else ("ping",)


@dataclass(frozen=True)
class Seen:
    """A workload as a listing gives it. ``place`` None: its identity can't be told; ``tools`` None: it is silent."""

    name: str
    place: str | None
    tools: tuple[str, ...] | None = ("ping",)
    status: str = "running"


@dataclass
class Row:
    """A registry server that is stored."""

    entry: Entry
    was_renamed: bool = False
    claim: str | None = None
    """What the catalog names for it, where another row has that (C7)."""

    @property
    def claimed(self) -> str:
        """What the catalog names for it."""
        return self.claim or self.entry.place

    def becomes(self, entry: Entry) -> None:
        """Take on another entry, as the same row."""
        self.was_renamed = self.was_renamed or entry.name != self.entry.name
        self.entry, self.claim = entry, None


@dataclass
class Running:
    """A workload that is stored. ``row`` None: it is autonomous. ``place`` None: it is unidentified (I4)."""

    place: str | None
    row: int | None
    tools: tuple[str, ...]
    status: str
    by_hand: bool = False


@dataclass
class Rulebook:
    """What must be stored, and how it changes."""

    rows: dict[int, Row] = field(default_factory=dict)
    claims: dict[str, dict[str, Entry]] = field(default_factory=dict)
    """Place to the entries that share it, by name."""
    chosen: dict[str, str] = field(default_factory=dict)
    workloads: dict[str, Running] = field(default_factory=dict)
    rejected: dict[str, Seen] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def state(self) -> object:
        """All of it as a value, to be compared later."""
        return deepcopy((self.rows, self.claims, self.chosen, self.workloads, self.rejected))

    def context(self, name: str) -> str:
        """The name a workload's tools are embedded with (L6)."""
        row = self.workloads[name].row
        return name if row is None else self.rows[row].entry.name

    def linked_to(self, row: int) -> list[str]:
        """The workloads that inherit from a row."""
        return sorted(name for name, workload in self.workloads.items() if workload.row == row)

    def at(self, place: str) -> int | None:
        """The row that has an identity."""
        return next((number for number, row in self.rows.items() if row.entry.place == place), None)

    def named_at(self, place: str) -> int | None:
        """The row that has an identity, if it is what the catalog names (C7)."""
        number = self.at(place)
        return None if number is None or self.rows[number].claim else number

    def waiting(self, place: str) -> list[str]:
        """Rejected workloads of an identity."""
        return sorted(name for name, seen in self.rejected.items() if seen.place == place)

    def unresolved(self, place: str) -> bool:
        """Whether several claim an identity and no one has chosen among them (M2, M3)."""
        return place in self.claims and self.chosen.get(place) not in self.claims[place]

    # Catalogs

    def catalog(self, entries: Collection[Entry], *, complete: bool, unusable: Collection[str] = ()) -> Counter[str]:
        """A document of entries, no two of one kind and name; how many rows were added, renamed and so on.

        ``unusable``: places of parts that could not be used.
        """
        shown = list(entries) if complete else self._not_waiting(entries)
        by_place: dict[str, dict[str, Entry]] = {}
        for entry in shown:
            by_place.setdefault(entry.place, {})[entry.name] = entry
        taken = {*by_place, *unusable}
        free = [number for number, row in self.rows.items() if row.entry.place not in taken]
        standing = [self._stands(place, named, free) for place, named in by_place.items()]
        stood_back = {entry.title: entry for entry in shown if entry not in standing}
        pairs = self._paired(standing, free)
        if complete:
            self._pair_reissued(standing, free, pairs, stood_back)
        linked = {number: self.linked_to(number) for number in self.rows}
        before = {number: replace(row) for number, row in self.rows.items()}
        left = [number for number in self.rows if number not in pairs.values()]
        gone = [
            number
            for number in left
            if complete
            and before[number].entry.place not in unusable
            and not (before[number].entry.title in stood_back and linked[number])
        ]
        for number in left:
            named = stood_back.get(before[number].entry.title)
            if named is not None and named.place != before[number].claimed:
                self.rows[number].claim = named.place
        counts = Counter(removed=len(gone), waiting=len(entries) - len(shown))
        for entry in standing:
            counts[self._takes(pairs, entry)] += 1
        for number in gone:
            del self.rows[number]
        for number in gone:
            self._bereaved(number, before[number].entry, pairs.values())
        for number, row in before.items():
            if number in pairs.values() and self.rows[number].entry.name != row.entry.name:
                self._follow(linked[number], number, row.entry.title, pairs)
        self._claimed(shown, by_place, complete=complete)
        self._admit()
        return counts

    def _not_waiting(self, entries: Collection[Entry]) -> list[Entry]:
        """Of a document that is not whole: without what names the place of a row whose own entry is not shown."""
        shown = list(entries)
        while True:
            titles = {entry.title for entry in shown}
            chosen = {entry.place for entry in shown if self.chosen.get(entry.place) == entry.name}
            held = {
                row.entry.place
                for row in self.rows.values()
                if row.claim is None and row.entry.title not in titles and row.entry.place not in chosen
            }
            going = [entry for entry in shown if entry.place not in held]
            if len(going) == len(shown):
                return shown
            shown = going

    def _pair_reissued(
        self, standing: Iterable[Entry], free: Iterable[int], pairs: dict[Entry, int], stood_back: Collection[object]
    ) -> None:
        """What is left of an image, one entry and one row: another name and another tag in one version."""
        new = [entry for entry in standing if entry not in pairs and kind_of(entry.place) == "container"]
        old = [
            number
            for number in free
            if number not in pairs.values() and self.rows[number].entry.title not in stood_back
        ]
        for home in {home_of(entry.place) for entry in new}:
            entries = [entry for entry in new if home_of(entry.place) == home]
            rows = [number for number in old if home_of(self.rows[number].entry.place) == home]
            if len(entries) == len(rows) == 1:
                pairs[entries[0]] = rows[0]

    def _follow(self, names: Iterable[str], own: int, old: tuple[str, str], pairs: Mapping[Entry, int]) -> None:
        """Their row is renamed, and the entry of the old name may have another one: to the nearer of both (C7, C2)."""
        others = [number for entry, number in pairs.items() if entry.title == old]
        for name in names:
            mine = self.workloads[name].place or ""

            def nearness(number: int, mine: str = mine) -> tuple[bool, bool, bool]:
                theirs = self.rows[number].entry.place
                return (theirs == mine, home_of(theirs) == home_of(mine), number != own)

            self.workloads[name].row = max([own, *others], key=nearness)

    def _admit(self) -> None:
        """Rejections end when their reason does (M2)."""
        for seen in list(self.rejected.values()):
            if not self.unresolved(seen.place or ""):
                del self.rejected[seen.name]
                self._ingest(seen)

    def _stands(self, place: str, named: dict[str, Entry], free: Iterable[int]) -> Entry:
        """Which of the entries that share an identity is stored (C4)."""
        present = self.at(place)
        stored = {self.rows[number].entry.title for number in free}
        wishes = [
            self.chosen.get(place),
            None if present is None else self.rows[present].entry.name,
            *sorted(name for name, entry in named.items() if entry.title in stored),
            min(named),
        ]
        return next(named[wish] for wish in wishes if wish in named)

    def _paired(self, standing: Iterable[Entry], free: Iterable[int]) -> dict[Entry, int]:
        """The row of each entry: of its identity, else of its name if no entry claims that row's identity (C1)."""
        pairs: dict[Entry, int] = {}
        for entry in standing:
            row = self.at(entry.place)
            same_name = [number for number in free if self.rows[number].entry.title == entry.title]
            if row is not None:
                pairs[entry] = row
            elif same_name:
                pairs[entry] = min(same_name, key=lambda number: self._far(number, entry))
        return pairs

    def _far(self, number: int, entry: Entry) -> tuple[bool, str]:
        """Rows of the same image repository come first."""
        place = self.rows[number].entry.place
        return (home_of(place) != home_of(entry.place), place)

    def _takes(self, pairs: dict[Entry, int], entry: Entry) -> str:
        """An entry takes its row, or a new one; what that is called."""
        number = pairs.get(entry)
        if number is None:
            pairs[entry] = number = next(self._numbers)
            self.rows[number] = Row(entry)
            return "added"
        before, claimed = self.rows[number].entry, self.rows[number].claimed
        self.rows[number].becomes(entry)
        if before.name != entry.name:
            return "renamed"
        if claimed != entry.place:
            return "retagged"
        return "unchanged" if before == entry else "updated"

    def _bereaved(self, gone: int, entry: Entry, paired: Collection[int]) -> None:
        """A row is gone: what was linked to it goes where its entry went, else becomes autonomous (C3, L1, L4)."""
        successors = [
            number
            for number, row in self.rows.items()
            if number in paired and row.entry.title == entry.title and row.was_renamed
        ]
        for name in self.linked_to(gone):
            if successors:
                self.workloads[name].row = successors[0]
            else:
                self._autonomous(name)

    def _claimed(self, entries: Collection[Entry], by_place: dict[str, dict[str, Entry]], *, complete: bool) -> None:
        """Who shares an identity; what an incomplete document does not show still stands (C6)."""
        shown = {entry.title for entry in entries}
        claims = {place: dict(named) for place, named in by_place.items()}
        for place, named in {} if complete else self.claims.items():
            for name, entry in named.items():
                if entry.title not in shown:
                    claims.setdefault(place, {}).setdefault(name, entry)
        self.claims = {place: named for place, named in claims.items() if len(named) > 1}

    # Workloads

    def listing(self, seen: Collection[Seen], *, complete: bool) -> Counter[str]:
        """A listing of workloads, each name once; how many were added and so on."""
        known = set(self.workloads)
        names = {item.name for item in seen}
        failed = sum(item.place is None or item.tools is None for item in seen)
        for item in seen:
            self.rejected.pop(item.name, None)
            self._ingest(item)
        gone = (known - names) if complete else set()
        for name in gone:
            del self.workloads[name]
        if complete:
            self.rejected = {name: seen for name, seen in self.rejected.items() if name in names}
        linked = sum(workload.row is not None for workload in self.workloads.values())
        return Counter(
            added=len(set(self.workloads) - known),
            removed=len(gone),
            rejected=sum(name in self.rejected for name in names),
            failed=failed,
            linked=linked,
            unidentified=sum(workload.place is None for workload in self.workloads.values()),
            autonomous=sum(mine.row is None and mine.place is not None for mine in self.workloads.values()),
        )

    def _ingest(self, item: Seen) -> None:
        mine = self.workloads.get(item.name)
        place = item.place or (mine.place if mine else None)
        status = item.status
        if mine is not None and mine.place == place:  # L1
            mine.status = status
            mine.tools = mine.tools if item.tools is None else item.tools
        elif place is not None and self.unresolved(place):  # M2
            self.rejected[item.name] = item
        else:  # M1, L2, I4
            tools = (mine.tools if mine else ()) if item.tools is None else item.tools
            row = None if place is None else self.named_at(place)
            self.workloads[item.name] = Running(place, row, tools, status)

    def _autonomous(self, name: str, *, by_hand: bool = False) -> None:
        self.workloads[name].row = None
        self.workloads[name].by_hand = by_hand

    # By hand

    def rematch(self, names: Collection[str] | None) -> dict[str, list[str]]:
        """Match again (L3); who is linked by it, and who is rejected."""
        linked, rejected = [], []
        for name in sorted(self.workloads if names is None else names):
            workload = self.workloads[name]
            if workload.place is None or (names is None and workload.by_hand):
                continue
            row = self.named_at(workload.place)
            if self.unresolved(workload.place):
                rejected.append(name)
            elif row is not None and row != workload.row:
                workload.row, workload.by_hand = row, False
                linked.append(name)
        return {"linked": linked, "rejected": rejected}

    def link(self, name: str, row: int) -> None:
        """A person ties a workload to a row (L5)."""
        workload = self.workloads[name]
        workload.row, workload.by_hand = row, True

    def unlink(self, names: Collection[str]) -> None:
        """A person makes workloads autonomous (L5)."""
        for name in names:
            if self.workloads[name].place is not None:
                self._autonomous(name, by_hand=True)

    def resolve(self, place: str, name: str) -> None:
        """A person chooses who stands for an identity (M3)."""
        self.chosen[place] = name
        row, entry = self.at(place), self.claims[place][name]
        self._takes({} if row is None else {entry: row}, entry)
        self._admit()

    def delete_rows(self, numbers: Collection[int]) -> list[str]:
        """Registry servers are deleted; the workloads that become autonomous (L4)."""
        left = []
        for number in numbers:
            left += self.linked_to(number)
            self.claims.pop(self.rows[number].entry.place, None)
            del self.rows[number]
        for name in left:
            self._autonomous(name)
        self._admit()
        return sorted(left)

    def delete_workloads(self, names: Collection[str]) -> None:
        """Workloads are deleted, and what is recorded of rejected ones (L10)."""
        for name in names:
            self.workloads.pop(name, None)
            self.rejected.pop(name, None)

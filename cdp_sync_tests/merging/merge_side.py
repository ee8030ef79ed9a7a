"""The product, and what tests of merging read from its warehouse."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from cdp_sync.importing.pipeline import import_files
from cdp_sync.merging import clusters, evidence
from cdp_sync.merging.deciding import apply_rules, merge_by_hand, unmerge
from cdp_sync.merging.report import Merges
from cdp_sync.model import FileGoal, ImportReport, Profiles
from cdp_sync.warehouse import Session, event_columns
from cdp_sync_tests.importing.events.event_side import EventSide
from cdp_sync_tests.merging.merge_oracle import Who
from cdp_sync_tests.oracle import text_form
from cdp_sync_tests.oracle.linking import Profile, values_held
from cdp_sync_tests.trail.importer import arrived

TimedFile = tuple[str, bytes, datetime]
"""A path, a content and the modification time."""

Texts = dict[str, str]
"""The values of a profile by property, as texts."""


@dataclass(frozen=True)
class Seen:
    """Who is who: parts are named by their position in the order of creation."""

    live: dict[int, int]
    """The live profile of each part."""
    own: dict[int, Texts]
    """What each part has by itself."""
    shown: dict[int, Texts]
    """What live profiles show."""
    events: dict[str, int]
    """The live profile of each event."""
    linking: Counter[tuple[str, str, int]]
    """The identifiers by which rows find parts."""


class MergeSide(EventSide):
    """The product with several goals, merge rules and decisions."""

    def __init__(self, folder: Path, profiles: Profiles) -> None:
        """Start with an empty warehouse in the folder."""
        super().__init__(folder, profiles)
        self.ids: list[str] = []

    def deliver(self, goal: FileGoal, files: Sequence[TimedFile]) -> ImportReport:  # type: ignore[override]
        """Import files in one run."""
        self.runs += 1
        folder = self.folder / f"fetched{self.runs}"
        fetched = [arrived(folder / str(n), {path: data}, at)[0] for n, (path, data, at) in enumerate(files)]
        return import_files(self.import_run(goal), fetched)

    def apply_rules(self, *, preview: bool = False) -> Merges:
        """Check everybody."""
        self.runs += 1
        return apply_rules(self.warehouse, self.declared, run_id=self.run_id, now=datetime.now(UTC), preview=preview)

    def merge(self, left: str, right: str, *, preview: bool = False) -> Merges:
        """Merge two profiles by hand, by their ids or identifiers."""
        return merge_by_hand(self.warehouse, self.declared, left, right, **self._by_hand(preview=preview))

    def unmerge(
        self, profile: str, *, survivor: str | None = None, identifiers: Sequence[str] = (), preview: bool = False
    ) -> Merges:
        """Take a profile out of the one that it is merged with, or some of its identifiers."""
        return unmerge(
            self.warehouse,
            self.declared,
            profile,
            survivor=survivor,
            identifiers=tuple(identifiers),
            **self._by_hand(preview=preview),
        )

    def _by_hand(self, *, preview: bool) -> dict[str, Any]:
        self.runs += 1
        return {"decided_by": "ann", "run_id": self.run_id, "now": datetime.now(UTC), "preview": preview}

    def look(self) -> Seen:
        """Return who is who, after checking what must always hold."""
        with self.warehouse.open("read") as session:
            return self._seen(session)

    def _seen(self, session: Session) -> Seen:
        every = session.records("select * from warehouse.profile order by created_at, profile_id")
        self.ids = [str(row["profile_id"]) for row in every]
        places = {each: place for place, each in enumerate(self.ids)}
        live = {place: places[str(row["merged_into"] or row["profile_id"])] for place, row in enumerate(every)}
        put_aside = {places[str(row["profile_id"])]: row for row in session.records("from warehouse.own_profile")}
        own = {place: put_aside.get(place, row) for place, row in enumerate(every)}
        shown = {place: every[place] for place in set(live.values())}
        check_tables(session, live, places, put_aside)
        check_identifiers(session, self.declared, places, shown, "profile_identifier")
        check_decisions(session, live, places)
        events = {}
        if "order" in event_columns(session):
            query = "select event_id, profile_id::text, _named_profile::text from warehouse.event_order"
            for event_id, holder, named in session.rows(query):
                events[event_id] = places[holder]
                assert named is None or (named != holder and live[places[named]] == places[holder])
        return Seen(
            live,
            {place: texts(self.declared, row) for place, row in own.items()},
            {place: texts(self.declared, row) for place, row in shown.items()},
            events,
            identifiers(session, places, "linking_identifier"),
        )


def check_tables(session: Session, live: Mapping[int, int], places: Mapping[str, int], put_aside: Any) -> None:
    """Check that what is put aside belongs to merged profiles, once, and that survivors are live."""
    sizes = Counter(live.values())
    survivors = {place for place, size in sizes.items() if size > 1}
    assert set(put_aside) == survivors, "own_profile"
    assert session.value("select count(*) from warehouse.own_profile") == len(survivors)
    assert all(live[place] == place for place in sizes), "merged into a profile that is merged itself"
    merged = {place for place, holder in live.items() if sizes[holder] > 1}
    held = identifiers(session, places, "own_identifier")
    assert {place for _, _, place in held} <= merged, "own_identifier"


def identifiers(session: Session, places: Mapping[str, int], table: str) -> Counter[tuple[str, str, int]]:
    """Return the rows of a table of identifiers."""
    rows = session.rows(f'select property, "value", profile_id::text from warehouse.{table}')
    return Counter((name, value, places[owner]) for name, value, owner in rows)


def check_identifiers(
    session: Session, declared: Profiles, places: Mapping[str, int], profiles: Mapping[int, Any], table: str
) -> None:
    """Check that a table has the identifiers in the columns of these profiles, unnested."""
    expected = Counter(
        (name, value, place) for place, row in profiles.items() for name, value in values_held(row, declared)
    )
    assert identifiers(session, places, table) == expected


def check_decisions(session: Session, live: Mapping[int, int], places: Mapping[str, int]) -> None:
    """Check that decisions connect exactly the parts of each live profile, and none that stay apart."""
    query = "select kind, left_id::text, right_id::text from warehouse.decision where revoked_at is null"
    decided = [(kind, places[left], places[right]) for kind, left, right in session.rows(query)]
    graph = nx.Graph()
    graph.add_nodes_from(live)
    graph.add_edges_from((left, right) for kind, left, right in decided if kind == "merge")
    assert {frozenset(each) for each in nx.connected_components(graph)} == {
        frozenset(place for place in live if live[place] == holder) for holder in set(live.values())
    }
    assert all(live[left] != live[right] for kind, left, right in decided if kind == "keep_apart")


def texts(declared: Profiles, row: Mapping[str, Any]) -> Texts:
    """Return the values of declared properties as texts."""
    return {prop.name: text_form(row[prop.name]) for prop in declared.every if row.get(prop.name) not in (None, [])}


def counted_merges(side: MergeSide) -> tuple[int, int]:
    """Return how many profiles the last run merged and unmerged, by its counters, which its history agrees with."""
    counters = "coalesce(profiles_merged, 0), coalesce(profiles_unmerged, 0)"
    (counted,) = side.rows(f"select {counters} from warehouse.run where run_id = ?", [side.run_id])
    kinds = "count(*) filter (kind = 'merged'), count(*) filter (kind = 'unmerged')"
    changes = side.rows(f"select {kinds} from warehouse.profile_change where run_id = ?", [side.run_id])
    assert changes == [counted]
    return int(counted[0]), int(counted[1])


@contextmanager
def fewer_holders(most: int) -> Iterator[None]:
    """Let fewer profiles share a value that merges them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evidence, "MOST_HOLDERS", most)
        patched.setattr(clusters, "MOST_HOLDERS", most)
        yield


def expected(who: Who) -> Seen:
    """Return who is who as the oracle has it."""
    live = who.live()
    own: dict[int, Profile] = dict(enumerate(who.parts))
    return Seen(
        live,
        {place: texts(who.declared, part) for place, part in own.items()},
        {place: texts(who.declared, profile) for place, profile in who.shown().items()},
        {event: live[part] for event, part in who.events.items()},
        Counter((name, value, place) for place, part in own.items() for name, value in values_held(part, who.declared)),
    )

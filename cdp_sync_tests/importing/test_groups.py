"""Groups are imported as profiles are: set modes, delta, quarantine and counters; no profile is touched."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import Counters, DetectedMapping, FileGoal, FileGroupGoal, Link, Mapping, Profiles, Property
from cdp_sync.model.group_import import FileGroupImport
from cdp_sync.model.property import RESERVED
from cdp_sync_tests.generated import examples
from cdp_sync_tests.importing.sides import OracleSide, ProductSide
from cdp_sync_tests.importing.strategies import (
    ANY_TYPE,
    Delivery,
    History,
    changed_goals,
    files_of,
    goals,
    of_type,
)
from cdp_sync_tests.oracle import canonical
from cdp_sync_tests.trail.importer import Importer

STORES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "stores", "type": "group", "group_type": "store", "multiple": True},
        ],
        "objectives": [{"name": "mail", "zones": []}],
        "group_types": [
            {
                "name": "store",
                "properties": [
                    {"name": "city"},
                    {"name": "opened", "type": "date"},
                    {"name": "visitors", "type": "number"},
                    {"name": "tags", "multiple": True},
                ],
            }
        ],
    }
)
MAP = (
    {"field": "City", "property": "city"},
    {"field": "Opened", "property": "opened"},
    {"field": "Visitors", "property": "visitors", "mode": "sum"},
    {"field": "Tags", "property": "tags", "mode": "add"},
)


def store_goal(**declared: Any) -> FileGroupImport:
    """Return the engine's goal that imports stores."""
    usual = {"name": "stores", "type": "store", "id": "Store", "directory": "/inbox", "map": MAP}
    return FileGroupGoal(**usual | declared).as_groups(FileGroupImport)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """An importer of stores, bound to an objective that nobody consented to."""
    return Importer(tmp_path, store_goal(), STORES, objectives=("mail",))


def stores(importer: Importer) -> list[tuple[Any, ...]]:
    """Return all stores, by id."""
    return importer.rows("select group_id, city, opened::text, visitors, tags from warehouse.group_store order by 1")


def test_a_file_creates_and_updates_groups(importer: Importer) -> None:
    """Ids are trimmed, case-sensitive text, also 0; the history, the data exchange and profiles stay as they are."""
    report = importer.deliver(
        {"/inbox/a.csv": "Store,City,Visitors,Tags\n 17 ,Delft,3,food\na,Leiden,,\nA,Gouda,1,\n0,Ede,,\n"}
    )
    assert report.message == "1 file, 4 rows: 4 applied; 4 groups created, 0 updated."
    counters = report.counters
    assert (counters.groups_created, counters.groups_updated, counters.profiles_created) == (4, 0, 0)
    report = importer.deliver({"/inbox/b.csv": "Store,City,Visitors,Tags\n17,,4,toys\na,Leiden,,\n"})
    counters = report.counters
    assert (counters.groups_created, counters.groups_updated, counters.groups_unchanged) == (0, 1, 1)
    assert {each.profile_id for each in report.samples} == {"17"}
    assert stores(importer) == [
        ("0", "Ede", None, None, None),
        ("17", "Delft", None, 7, ["food", "toys"]),
        ("A", "Gouda", None, 1, None),
        ("a", "Leiden", None, None, None),
    ]
    for table in ("profile", "profile_identifier", "profile_change", "changed_value", "imported_profile"):
        assert importer.rows(f"select count(*) from warehouse.{table}") == [(0,)]
    assert importer.rows("select coalesce(sum(profiles), 0)::int from warehouse.data_exchange") == [(0,)]
    noted = importer.rows("select groups_created, groups_updated, profiles_created from warehouse.run order by rowid")
    assert noted == [(4, 0, 0), (0, 1, 0)]
    assert importer.rows("select sum(groups_created)::int from warehouse.imported_file") == [(4,)]


def test_a_changed_group_has_a_later_change(importer: Importer) -> None:
    """`updated_at` is the moment of the last run that changed the group; `created_at` stays."""
    importer.deliver({"/inbox/a.csv": "Store,City\n1,Delft\n2,Ede\n"})
    times = "select created_at, updated_at, _group from warehouse.group_store order by group_id"
    (first, second) = importer.rows(times)
    importer.deliver({"/inbox/b.csv": "Store,City\n1,Gouda\n2,Ede\n"})
    (changed, same) = importer.rows(times)
    assert same == second
    assert (changed[0], changed[2]) == (first[0], first[2])
    assert changed[1] > first[1]


def test_what_cannot_land_is_accounted_for(importer: Importer) -> None:
    """A row without an id and a cell that does not convert are counted and quarantined, as for profiles."""
    report = importer.deliver({"/inbox/a.csv": "Store,City,Opened\n,Delft,\n2,Ede,soon\n3,Gouda,2024-05-01,x\n"})
    counters = report.counters
    assert counters.add_up
    assert (counters.rows_without_identifier, counters.rows_rejected, counters.values_invalid) == (1, 1, 1)
    assert stores(importer) == [("2", "Ede", None, None, None)]
    assert [row[1:3] for row in importer.quarantine()] == [(2, "Store"), (3, "Opened"), (4, None)]


@pytest.mark.parametrize(
    ("declared", "visitors"), [({}, 13), ({"redelivered": "replaces"}, 8), ({"row_key": ["Row"]}, 8)]
)
def test_a_redelivered_file_counts_its_rows_once(tmp_path: Path, declared: dict[str, Any], visitors: int) -> None:
    """Known rows add nothing; a corrected one adds, or replaces the former amount where that is declared."""
    importer = Importer(tmp_path, store_goal(**declared), STORES)
    importer.deliver({"/inbox/a.csv": "Row,Store,Visitors\n1,7,3\n2,7,5\n"})
    report = importer.deliver({"/inbox/a.csv": "Row,Store,Visitors\n1,7,3\n2,7,5\n\n"})
    assert report.counters.rows_unchanged == 2
    importer.deliver({"/inbox/a.csv": "Row,Store,Visitors\n1,7,3\n2,7,05\n"})
    assert importer.rows("select visitors from warehouse.group_store") == [(visitors,)]


def test_a_changed_type_is_refused_with_a_remedy(importer: Importer) -> None:
    """A property of a group with another type than its column stops the run before it writes."""
    importer.deliver({"/inbox/a.csv": "Store,City\n1,Delft\n"})
    properties = [
        {"name": "city", "type": "number"},
        *(prop.model_dump() for prop in STORES.group["store"].properties[1:]),
    ]
    changed = STORES.model_dump() | {"group_types": [{"name": "store", "properties": properties}]}
    importer.profiles = Profiles.model_validate(changed)
    with pytest.raises(PropertyTypeChanged, match="'city' of the group 'store' is stored as VARCHAR") as refused:
        importer.deliver({"/inbox/b.csv": "Store,City\n2,3\n"})
    assert 'update group_store set "city_converted" = "city"::BIGINT;' in str(refused.value)
    assert stores(importer) == [("1", "Delft", None, None, None)]


def test_a_new_property_adds_its_column(importer: Importer) -> None:
    """A property that is declared later, or detected in a file, becomes a column; one called like the id does not."""
    importer.deliver({"/inbox/a.csv": "Store,City\n1,Delft\n"})
    importer.goal = store_goal(map_detected={})
    importer.deliver({"/inbox/b.csv": "Store,City,Group Id,Manager\n1,Delft,9,Ann\n"})
    found = importer.rows("select group_id, f_group_id, manager from warehouse.group_store")
    assert found == [("1", "9", "Ann")]


def test_groups_of_two_types_have_nothing_in_common(tmp_path: Path) -> None:
    """The same file with the same sums may fill groups of two types: their goals are no rivals."""
    types = [{"name": name, "properties": [{"name": "visitors", "type": "number"}]} for name in ("store", "region")]
    profiles = Profiles.model_validate({"properties": [{"name": "email", "identifier": True}], "group_types": types})
    counted = [{"field": "Visitors", "property": "visitors", "mode": "sum"}]
    importer = Importer(tmp_path, store_goal(map=counted), profiles)
    importer.deliver({"/inbox/a.csv": "Store,Visitors\n1,2\n"})
    importer.goal = store_goal(map=counted, name="regions", type="region")
    importer.deliver({"/inbox/a.csv": "Store,Visitors\n1,2\n"})
    assert importer.rows(
        "select visitors from warehouse.group_store union all from (select visitors from warehouse.group_region)"
    ) == [(2,), (2,)]


@pytest.mark.parametrize("first", [True, False], ids=["the first import", "a later one"])
def test_two_runs_that_meet_a_new_group_end_with_one(importer: Importer, tmp_path: Path, first: bool) -> None:
    """A run whose rows were linked, or could not be yet, links them again after another run has created the group."""
    if not first:
        importer.deliver({"/inbox/0.csv": "Store,City\n0,Ede\n"})
    other = Importer(tmp_path / "other", store_goal(name="others"), STORES, "market", importer.warehouse)
    report = importer.deliver(
        {"/inbox/a.csv": "Store,City\n1,Delft\n"},
        between=lambda _run: other.deliver({"/inbox/b.csv": "Store,Visitors\n1,4\n"}),
    )
    assert (report.counters.groups_created, report.counters.groups_updated) == (0, 1)
    assert stores(importer)[-1] == ("1", "Delft", None, 4, None)
    assert importer.rows("select count(*) from warehouse.group_store where group_id = '1'") == [(1,)]


class GroupSide(ProductSide):
    """The product, whose groups stand in for the oracle's profiles."""

    def profiles(self) -> list[dict[str, Any]]:
        """Return the properties of all groups."""
        with self.warehouse.open("read") as session:
            found = session.records("select * from warehouse.group_store")
        return [{name: value for name, value in group.items() if name not in {*RESERVED, "_group"}} for group in found]

    def identifiers_differ(self) -> Sequence[tuple[Any, ...]]:
        """Return the differences between the table of identifiers and the groups' ids."""
        groups = "select 'group_id', group_id, _group from warehouse.group_store"
        table = "select property, value, _group from warehouse.group_store_identifier"
        with self.warehouse.open("read") as session:
            return session.rows(f"({groups} except all {table}) union all ({table} except all {groups})")


@st.composite
def group_histories(draw: st.DrawFn) -> History:
    """One to three runs of a goal that imports groups; the same model serves the oracle, for which they are people."""
    others = [
        Property(name=f"p{number}", multiple=draw(st.booleans()), **draw(types))
        for number, types in enumerate(draw(st.lists(st.just(of_type(ANY_TYPE)), min_size=2, max_size=4)))
    ]
    own = (*others, Property(name="wish_list", type="number"))
    people = (Property(name="group_id", identifier=True), *own)
    declared = Profiles(properties=people, group_types=({"name": "store", "properties": own},))
    goal, known, deliveries = draw(goals(declared)), {}, []
    for number in range(draw(st.sampled_from((2, 3, 1)))):
        goal = as_groups(draw(changed_goals(goal, declared)) if number else goal)
        files = draw(files_of(known, goal, declared))
        known |= dict(files)
        deliveries.append(Delivery(goal, files))
    return History(declared, tuple(deliveries))


def as_groups(goal: FileGoal) -> FileGroupImport:
    """Return the goal with the one link that groups have; nothing else fills their ids."""
    rules = {name: getattr(goal, name) for name in FileGoal.model_fields} | {"allow_new_profiles": True}
    maps = tuple(Mapping(**each.model_dump()) for each in goal.map if each.property != "group_id")
    link = (Link(field="Link group_id", property="group_id"),)
    detected = goal.map_detected and DetectedMapping(prefix="d_")
    return FileGroupImport(**rules | {"group_type": "store", "link": link, "map": maps, "map_detected": detected})


@examples(5)
@given(group_histories())
def test_groups_agree_with_the_oracle(history: History) -> None:
    """After every run there are the groups, counters, failed files and quarantine that the oracle has of people."""
    oracle = OracleSide()
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = GroupSide(Path(folder))
        for number, delivery in enumerate(history.deliveries, start=1):
            note(f"run {number}: {delivery.goal}")
            note("".join(f"\n{path}\n{content!r}" for path, content in delivery.contents))
            expected = oracle.deliver(delivery.goal, history.profiles, delivery.contents)
            found = product.deliver(delivery.goal, history.profiles, delivery.contents)
            assert found.failed.keys() == expected.failed.keys()
            assert {path: as_people(counters) for path, counters in found.counters.items()} == expected.counters
            assert all(counters.add_up for counters in found.counters.values())
            assert found.kinds == expected.kinds
            assert canonical(product.profiles()) == canonical(oracle.profiles())
            assert product.identifiers_differ() == []


def as_people(found: Counters) -> Counters:
    """Return counters with what happened to groups as what happened to profiles."""
    assert (found.profiles_created, found.profiles_updated, found.profiles_unchanged) == (0, 0, 0)
    return replace(
        found,
        profiles_created=found.groups_created,
        profiles_updated=found.groups_updated,
        profiles_unchanged=found.groups_unchanged,
        groups_created=0,
        groups_updated=0,
        groups_unchanged=0,
    )

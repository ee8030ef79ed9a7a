"""Catalogs of Iterable become groups: by the product's own steps, over pages of a thousand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import check as checking
from cdp_sync.connectors.iterable import protocol
from cdp_sync.connectors.iterable.catalog_goal import CatalogGoal
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import IterableConnection, IterableProject
from cdp_sync.connectors.iterable.source import source_of
from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_people
from cdp_sync.model import ImportReport, Profiles
from cdp_sync.model.consistency import find_problems
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync.sandbox.iterable.catalogs import Catalog
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.iterable.exchange import KEY, client

STORE = {
    "name": "store",
    "properties": [
        {"name": "city"},
        {"name": "size", "type": "number"},
        {"name": "brands", "multiple": True},
        {"name": "opened", "type": "date"},
    ],
}
PROFILES = Profiles.model_validate({"properties": [{"name": "email", "identifier": True}], "group_types": [STORE]})
NAMES = ("city", "size", "brands", "opened")


class Stores:
    """Runs of a goal over the catalog `Stores`."""

    def __init__(self, folder: Path, box: IterableSandbox) -> None:
        self.folder, self.box, self.runs = folder, box, 0
        self.warehouse = Warehouse(folder / "warehouse.duckdb", lock_timeout=20)
        box.catalogs["Stores"] = Catalog("Stores")

    def write(self, item_id: str, **value: Any) -> None:
        """Add or replace an item."""
        self.box.catalogs["Stores"].write(item_id, value, self.box.clock(), replace=True)

    @property
    def connection(self) -> IterableConnection:
        """The declared connection."""
        return self.declared()

    def declared(self, **more: Any) -> IterableConnection:
        """Return a connection with one goal over a catalog."""
        goal = {"name": "stores", "type": "store", "catalog": "Stores"}
        maps = [{"field": name, "property": name} for name in NAMES]
        project = {"name": "crm", "api_key_env": "KEY", "base_url": self.box.url}
        return IterableConnection.model_validate(project | {"import_groups": [{**goal, "map": maps, **more}]})

    def run(self, **more: Any) -> ImportReport:
        """Import the catalog."""
        self.runs += 1
        connection = self.declared(**more)
        (goal,) = connection.import_groups
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        importing = goal.importing(connection, PROFILES)
        run = ImportRun(own.name, "crm", importing, PROFILES, self.warehouse, own / "staged")
        with client(connection.project) as calling:
            report = import_people(run, source_of(calling, goal))
        assert report.counters.add_up
        return report

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def groups(self) -> list[tuple[Any, ...]]:
        """Return all groups."""
        return self.rows(f"select group_id, {', '.join(NAMES)} from warehouse.group_store order by 1")


@pytest.fixture
def stores(box: IterableSandbox, tmp_path: Path) -> Stores:
    """A catalog without items."""
    return Stores(tmp_path, box)


def test_items_become_groups(stores: Stores) -> None:
    """With typed values; a second run updates what changed, and what is gone stays."""
    stores.write("s1", city="Köln", size=3, brands=["a", "b"], opened="2020-02-29")
    stores.write("s2", city="Bonn", other="x")
    counters = stores.run().counters
    assert (counters.groups_created, counters.profiles_created) == (2, 0)
    (first, second) = stores.groups()
    assert (first[:4], str(first[4]), second) == (
        ("s1", "Köln", 3, ["a", "b"]), "2020-02-29", ("s2", "Bonn", None, None, None),
    )  # fmt: skip
    stores.write("s2", city="Ulm")
    stores.write("s3", city="Trier")
    del stores.box.catalogs["Stores"].items["s1"]
    counters = stores.run().counters
    assert (counters.groups_created, counters.groups_updated) == (1, 1)
    assert [row[:2] for row in stores.groups()] == [("s1", "Köln"), ("s2", "Ulm"), ("s3", "Trier")]
    counters = stores.run().counters
    assert (counters.groups_created, counters.groups_updated) == (0, 0)


def test_all_pages_are_read(stores: Stores) -> None:
    """A thousand items a page."""
    for number in range(2001):
        stores.write(f"s{number:04}", city="Köln", size=number)
    assert stores.run().counters.groups_created == 2001
    assert stores.box.calls.count("catalogs/items", "GET") == 3
    assert stores.rows("select sum(size), count(*) from warehouse.group_store") == [(2001 * 1000, 2001)]


def test_values_of_another_type_are_named(stores: Stores) -> None:
    """They go to the quarantine by item and field, and the rest of the item lands."""
    stores.write("s1", city="Köln", size="big")
    counters = stores.run().counters
    assert (counters.groups_created, counters.values_invalid) == (1, 1)
    assert stores.groups() == [("s1", "Köln", None, None, None)]
    assert stores.rows("select path, line, field, value from warehouse.quarantine") == [("Stores", 1, "size", "big")]


def test_another_field_may_name_groups(stores: Stores) -> None:
    """An item without it counts as a row without an identifier."""
    stores.write("a", code="K1", city="Köln")
    stores.write("b", city="Bonn")
    counters = stores.run(id="code").counters
    assert (counters.groups_created, counters.rows_without_identifier) == (1, 1)
    assert [row[0] for row in stores.groups()] == ["K1"]


def test_an_unknown_catalog_fails_the_goal(stores: Stores) -> None:
    """It says so, and an empty one lands nothing."""
    assert "There is no catalog 'Shops'." in stores.run(catalog="Shops").message
    assert stores.run().counters.rows_read == 0


def test_a_catalog_that_changes_meanwhile_is_read_again(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that is removed between two pages moves another one to the page before: no item is missed."""
    monkeypatch.setattr(protocol, "MOST_ITEMS", 2)
    for number in range(5):
        stores.write(f"s{number}", city="Köln")
    ask: Callable[..., Any] = IterableClient.ask
    pages = 0

    def removing(*given: Any, **more: Any) -> Any:
        nonlocal pages
        answer = ask(*given, **more)
        pages += given[1].endpoint == "catalogs/items"
        if pages == 1:
            stores.box.catalogs["Stores"].items.pop("s0", None)
        return answer

    monkeypatch.setattr(IterableClient, "ask", removing)
    stores.run()
    assert [row[0] for row in stores.groups()] == ["s1", "s2", "s3", "s4"]


def test_declarations_are_checked(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types and properties against the profile; the catalog and its fields against Iterable."""
    assert list(find_problems(stores.connection, PROFILES)) == []
    wrong = [str(each) for each in find_problems(stores.declared(type="stoer"), PROFILES)]
    assert "did you mean 'store'?" in wrong[0]
    monkeypatch.setenv("KEY", KEY)
    stores.write("s1", city="Köln", size=1, brands=["a"])
    found = [sentence for sentence, right in checking.check(stores.connection, PROFILES) if not right]
    assert found == ["stores: the catalog Stores has no field 'opened'; it has brands, city, size"]
    found = [sentence for sentence, right in checking.check(stores.declared(catalog="Shops"), PROFILES) if not right]
    assert found == ["stores: There is no catalog 'Shops'. Correct its name, or make the catalog."]


def test_scan_shows_some_items(stores: Stores) -> None:
    """With their fields, and how many there are."""
    for number in range(5):
        stores.write(f"s{number}", city="Köln")
    goal: CatalogGoal = stores.connection.import_groups[0]
    with client(IterableProject(api_key_env="KEY", base_url=stores.box.url)) as calling:
        shown = source_of(calling, goal).look()
    assert (shown.rows[0], len(shown.rows), shown.summary) == (("s0", "city"), 3, "5 items")

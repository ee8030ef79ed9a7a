"""Groups, events and their export in one project that Dagster runs."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync.sandbox.iterable import Clock, IterableSandbox
from cdp_sync.sandbox.iterable.catalogs import Catalog
from cdp_sync_tests.iterable.exchange import HOUR, KEY, column, iterable, person
from cdp_sync_tests.projects import PROPERTIES, SPENDERS, Project, shown

BY_EMAIL = [{"field": "email", "property": "email"}]
IMPORT = {"name": "users", "link": BY_EMAIL, "map": [column("plan", "first_name"), column("spent", "total")]}
STORES = {"name": "stores", "type": "store", "catalog": "Stores", "map": [{"field": "city", "property": "city"}]}
PURCHASES = {
    "name": "purchases",
    "events_from": ["purchase"],
    "link": BY_EMAIL,
    "events": [
        {
            "type": "order",
            "id": "_id",
            "time": "createdAt",
            "map": [{"field": "total", "property": "total_revenue"}],
            "items": {
                "products": {
                    "field": "shoppingCartItems",
                    "id": "id",
                    "map": [{"field": "price", "property": "netprice"}, {"field": "quantity", "property": "quantity"}],
                }
            },
        }
    ],
}
EXPORT = {
    "name": "audience",
    "segment": "spenders",
    "link": BY_EMAIL,
    "create_users": True,
    "map": [{"field": "tier", "property": "first_name"}],
    "events": [{"type": "order", "to": "Ordered"}],
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[IterableSandbox]:
    """An Iterable with two people who bought something, the one spent much, and a catalog."""
    monkeypatch.setenv("CRM_KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # limits of this test alone
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with iterable(clock=Clock()) as box:
        box.load(person(name, spent=spent) for name, spent in (("ann", 2.5), ("cat", 1.0)))
        for number, name in enumerate(("ann", "cat")):
            user = box.project.find("email", f"{name}@example.com")
            assert user
            values = {"total": 5.0, "shoppingCartItems": [{"id": "s1", "name": "Cup", "price": 2.5, "quantity": 2}]}
            asked = {"id": f"o{number}", "createdAt": box.clock() - HOUR}
            box.events.save("purchase", user, asked, values, create=True)
        box.catalogs["Stores"] = Catalog("Stores")
        box.catalogs["Stores"].write("k1", {"city": "Köln"}, box.clock(), replace=True)
        yield box


def test_dagster_runs_it(project: Project, served: IterableSandbox) -> None:
    """Categories run in order; each event is sent once, and only of people in the segment."""
    groups = [{"name": "store", "properties": [{"name": "city"}]}]
    properties = [dict(each) for each in PROPERTIES]
    project.describe(properties=properties, segments=[SPENDERS], event_types=["order"], group_types=groups)
    goals = {"import_groups": [STORES], "import_profiles": [IMPORT, PURCHASES], "export_profiles": [EXPORT]}
    attributes = {"name": "crm", "api_key_env": "CRM_KEY", "base_url": served.url, **goals}
    project.declare("crm", attributes, kind="IterableConnection")
    with dg.DagsterInstance.ephemeral() as instance:
        result = project.run("crm_sync", instance)
        assert result.success
        assert shown(result, "crm", "stores")["groups_created"] == 1
        assert shown(result, "crm", "purchases")["events_created"] == 2
        values = shown(result, "crm", "audience")
        assert (values["profiles_written"], values["events_written"]) == (1, 1)
        assert values["summary"].endswith("1 event sent.")
        (event,) = (each for each in served.events.by_id.values() if each.name == "Ordered")
        assert (event.event_id, event.user.email) == ("order:o0", "ann@example.com")
        assert event.fields["products"] == [{"id": "s1", "netprice": 2.5, "quantity": 2}]
        before = served.calls.count("events/trackBulk", "POST")
        assert project.run("crm_sync", instance).success
        assert served.calls.count("events/trackBulk", "POST") == before
    with project.warehouse.open("read") as session:
        assert session.rows("select events_written from warehouse.run where goal = 'audience'") == [(1,)]
        assert session.rows("select group_id, city from warehouse.group_store") == [("k1", "Köln")]

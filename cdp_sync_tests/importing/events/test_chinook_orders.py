"""The orders of the Chinook sample: 412 orders with 2,240 lines, whose prices sum to the totals of the orders."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.events.event_side import EventSide, by_id
from cdp_sync_tests.trail.test_trail import CHINOOK

pytestmark = pytest.mark.skipif(not CHINOOK.is_dir(), reason="the Chinook data is not beside the repository")

SHOP = Profiles(
    properties=[{"name": "customer_id", "identifier": True}, {"name": "email", "type": "email", "identifier": True}],
    event_types=["order"],
)
CUSTOMERS = FileGoal(
    name="customers",
    link=[{"field": "CustomerId", "property": "customer_id"}],
    map=[{"field": "Email", "property": "email"}],
)
INVOICES = FileGoal(
    name="invoices",
    link=[{"field": "CustomerId", "property": "customer_id"}],
    events=[
        {
            "type": "order",
            "id": "InvoiceId",
            "time": "InvoiceDate",
            "map": [{"field": "InvoiceId", "property": "order_id"}, {"field": "Total", "property": "total_revenue"}],
        }
    ],
)
LINES = FileGoal(
    name="lines",
    events=[
        {
            "type": "order",
            "id": "InvoiceId",
            "items": {
                "products": {
                    "id": "InvoiceLineId",
                    "map": [
                        {"field": "TrackId", "property": "name"},
                        {"field": "UnitPrice", "property": "netprice"},
                        {"field": "Quantity", "property": "quantity"},
                    ],
                }
            },
        }
    ],
)
FILES = {
    "customers": (CUSTOMERS, "Customer.csv"),
    "invoices": (INVOICES, "Invoice.csv"),
    "lines": (LINES, "InvoiceLine.csv"),
}


def content(goal: str) -> str:
    """Return the file of a goal."""
    return (CHINOOK / FILES[goal][1]).read_text(encoding="utf-8")


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a file."""
    return list(csv.DictReader(text.splitlines()))


def deliver(shop: EventSide, goal: str, text: str | None = None) -> dict[str, int]:
    """Import the file of a goal, and return the counters that are not 0."""
    declared, name = FILES[goal]
    report = shop.run(declared, [(f"/in/{name}", content(goal) if text is None else text)])
    assert report.state == "success"
    assert report.counters.add_up
    return {name: count for name, count in vars(report.counters).items() if count}


def check_orders(shop: EventSide, invoices: str, lines: str) -> None:
    """Compare the orders in the warehouse with the two files."""
    found = by_id(shop.events("order", person="customer_id"))
    items: dict[str, list[tuple[str, str, Decimal, int]]] = {}
    for row in rows_of(lines):
        line = (row["InvoiceLineId"], row["TrackId"], Decimal(row["UnitPrice"]), int(row["Quantity"]))
        items.setdefault(row["InvoiceId"], []).append(line)
    assert {name: described(event) for name, event in found.items()} == {
        row["InvoiceId"]: (
            row["CustomerId"],
            row["InvoiceDate"],
            Decimal(row["Total"]),
            items.get(row["InvoiceId"], []),
        )
        for row in rows_of(invoices)
    }


def described(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return an order as the files have it."""
    lines = [(each["id"], each["name"], each["netprice"], each["quantity"]) for each in event["products"] or []]
    return event["_person"], f"{event['happened_at']:%Y-%m-%d %H:%M:%S}", event["total_revenue"], lines


def totals(shop: EventSide) -> tuple[int, int, Decimal, Decimal]:
    """Return the numbers of orders and items, the sum of the orders' totals, and that of the items' prices."""
    query = """
        select count(*), sum(len(products)), sum(total_revenue),
            sum(list_sum(list_transform(products, lambda item: item.netprice * item.quantity)))
        from warehouse.event_order
        where profile_id is not null and happened_at is not null"""
    return shop.rows(query)[0]  # type: ignore[return-value]


WHOLE = (412, 2240, Decimal("2328.60"), Decimal("2328.60"))


ORDERS = (
    ("customers", "invoices", "lines"),
    ("customers", "lines", "invoices"),
    ("lines", "invoices", "customers"),
)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_orders_in_every_order_of_files(order: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever file arrives first, the orders have their people and items; redelivery changes nothing."""
    shop = EventSide(tmp_path, SHOP)
    for goal in order:
        counters = deliver(shop, goal)
        waiting = goal == "lines" and order.index("lines") < order.index("invoices")
        assert counters.get("events_waiting", 0) == (412 if waiting else 0)
    check_orders(shop, content("invoices"), content("lines"))
    assert totals(shop) == WHOLE
    for goal in reversed(order):
        assert deliver(shop, goal) == {}
        changed = deliver(shop, goal, content(goal) + "\n")
        assert changed == {"rows_read": changed["rows_read"], "rows_unchanged": changed["rows_read"]}
    assert totals(shop) == WHOLE


def test_orders_again_under_other_names(tmp_path: Path) -> None:
    """The same rows in files of other names change no order."""
    shop = EventSide(tmp_path, SHOP)
    for goal in ("invoices", "lines"):
        deliver(shop, goal)
        declared, _ = FILES[goal]
        counters = shop.run(declared, [("/in/again.csv", content(goal))]).counters
        assert (counters.events_created, counters.events_updated, counters.events_unchanged) == (0, 0, 412)
    assert totals(shop) == WHOLE


@pytest.mark.parametrize("first", ["invoices", "lines"])
def test_orders_after_changed_rows(first: str, tmp_path: Path) -> None:
    """A changed total, time and price reach the order; an order and a line that are new are added; no other changes."""
    shop = EventSide(tmp_path, SHOP)
    for goal in (first, {"invoices": "lines", "lines": "invoices"}[first]):
        deliver(shop, goal)
    invoices = changed_by_first_cell("invoices", {"7": {"Total": "9.99", "InvoiceDate": "2021-02-02 03:04:05"}})
    lines = changed_by_first_cell("lines", {"40": {"UnitPrice": "10.49"}, "41": {"Quantity": "3"}})
    lines += "3000,500,1,0.99,1\n3001,7,2,0.99,1\n"
    touched = deliver(shop, "lines", lines)
    assert (touched["rows_applied"], touched["events_created"], touched["events_waiting"]) == (4, 1, 1)
    assert touched["events_updated"] == len({row["InvoiceId"] for row in rows_of(lines)[39:41]} | {"7"})
    invoices += "500,58,2026-01-05 00:00:00,,Delhi,,India,110017,0.99\n"
    touched = deliver(shop, "invoices", invoices)
    assert (touched["rows_applied"], touched["events_updated"]) == (2, 2)
    check_orders(shop, invoices, lines)


def changed_by_first_cell(goal: str, changes: dict[str, dict[str, str]]) -> str:
    """Return the file of a goal with some cells changed."""
    rows = rows_of(content(goal))
    written = [",".join(rows[0])]
    for row in rows:
        changed = row | changes.get(next(iter(row.values())), {})
        written.append(",".join(f'"{cell}"' if "," in cell else cell for cell in changed.values()))
    return "\n".join([*written, ""])

"""Processors of rows of JSON, of windows with keys, and of files whose function fails."""

import json
from pathlib import Path
from typing import Any

from cdp_sync_tests.importing.test_delta import LOG, ORDERS, WINDOW, land, marks_of, totals
from cdp_sync_tests.processing import functions
from cdp_sync_tests.trail.importer import Importer, goal

FUNCTIONS = "cdp_sync_tests.processing.functions"
TIDY = [
    {"filter": {"field": "kind", "drop": "^draft"}},
    {"clean_email": {"field": "contact.email"}},
    {"split": {"field": "price", "separator": " ", "into": ["amount", "currency"]}},
]
PROCESSED = {**ORDERS, "link": [{"field": "contact.email", "property": "email"}], "processors": TIDY}


def order(number: int, minute: int, price: str, kind: str | None = None) -> dict[str, Any]:
    """Return an order as a platform has it: nested, and without a key for what is not known."""
    made = {
        "id": number,
        "at": f"2026-01-01T00:{minute:02}:00Z",
        "price": price,
        "contact": {"email": "ANN@X.example "},
    }
    return made if kind is None else {**made, "kind": kind}


def lines(*orders: dict[str, Any]) -> bytes:
    """Return orders as lines of JSON."""
    return "".join(f"{json.dumps(each)}\n" for each in orders).encode()


def test_windows_of_processed_orders_apply_every_order_once(tmp_path: Path) -> None:
    """Keys and nested ones pass processors; the watermark passes dropped rows, which land once they are no drafts."""
    importer = Importer(tmp_path, goal(**PROCESSED))
    first = land(
        importer, lines(order(1, 1, "5 EUR"), order(2, 2, "7 EUR", "draft"), order(3, 9, "1 EUR", "draft")), WINDOW
    )
    assert (first.rows_read, first.rows_applied, first.rows_filtered) == (3, 1, 2)
    assert marks_of(importer) == {"orders": "2026-01-01T00:09:00.000000Z"}
    again = land(importer, lines(order(1, 1, "5 EUR"), order(2, 10, "8 EUR"), order(1, 11, "6 EUR", "draft")), WINDOW)
    assert (again.rows_unchanged, again.rows_applied, again.rows_filtered) == (1, 1, 1)
    assert totals(importer) == {"ann@x.example": 13}


def test_orders_that_were_dropped_land_without_the_filter(tmp_path: Path) -> None:
    """When a filter is removed, what it dropped is applied, and what was applied is not added again."""
    importer = Importer(tmp_path, goal(**PROCESSED))
    content = lines(order(1, 1, "5 EUR"), order(2, 2, "7 EUR", "draft"))
    land(importer, content, WINDOW)
    importer.goal = goal(**{**PROCESSED, "processors": TIDY[1:]})
    assert land(importer, content, WINDOW).rows_applied == 2
    assert totals(importer) == {"ann@x.example": 12}


def test_a_key_that_no_object_has_is_an_empty_field(tmp_path: Path) -> None:
    """Processors of JSON may name a key that is nowhere in a delivery."""
    importer = Importer(tmp_path, goal(**PROCESSED))
    assert land(importer, lines(order(1, 1, "5 EUR")), WINDOW).rows_applied == 1


def test_a_function_that_fails_is_called_once(tmp_path: Path) -> None:
    """The file fails by name, and is not read in another way: the function gets its rows no second time."""
    functions.PIECES.clear()
    importer = Importer(tmp_path, goal(**{**LOG, "processors": [{"python": f"{FUNCTIONS}:count_and_fail"}]}))
    report = importer.deliver({"/in/log.csv": b"Email,Amount\nann@x.example,1\nbob@x.example,2\n"})
    assert [file.state for file in report.files] == ["failed"]
    assert "count_and_fail) raised ValueError" in report.message
    assert functions.PIECES == [2]

"""Declared exports of events: what is refused, with its place, and what names files have."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.exporting import EventRun
from cdp_sync.model import EventExportGoal, Profiles, SftpConnection, event_export_fingerprint, event_scope
from cdp_sync.model.consistency import find_clashes, find_problems
from cdp_sync.warehouse import Warehouse

ID = {"field": "id", "event_id": True}
NAMED = {"field": "event", "event_type": {"order": "Order"}}
ITEMS = {"name": "products", "items": [{"name": "sku", "identifier": True}, {"name": "price", "type": "decimal"}]}
PROFILES = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email", "identifier": True}, {"name": "likes", "multiple": True}],
        "segments": [{"name": "all", "when": {"property": "email", "has_value": True}}],
        "event_types": [
            {"name": "order", "properties": [{"name": "total", "type": "decimal"}, {"name": "code"}, ITEMS]},
            {"name": "visit", "properties": [{"name": "code", "type": "number"}, {"name": "tags", "multiple": True}]},
        ],
    }
)


def goal(**declared: Any) -> EventExportGoal:
    """Return a goal that exports the ids of orders."""
    return EventExportGoal.model_validate({"name": "esp", "events": ["order"], "map": [ID]} | declared)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"events": ["order", "order"]}, "events: more than one is called order"),
        ({"map": [ID, ID]}, "map: more than one is called id"),
        ({"map": [{"field": "a"}]}, "found none of them"),
        ({"map": [{"field": "a", "event_id": True, "text": "b"}]}, "found event_id and text"),
        ({"rows": "items"}, "`rows: items` and `items`, the nested list, need each other"),
        ({"items": "products"}, "`rows: items` and `items`, the nested list, need each other"),
        ({"map": [{"field": "a", "item": "sku"}]}, "needed is `rows: items`"),
        ({"map": [{"field": "a", "text": "b", "optional": True}]}, "types, named and optional: they go with"),
        ({"processors": [{"remove_nulls": {}}]}, "processors"),
        ({"write_empty": True, "window": "all"}, "write_empty"),
        ({"write_empty": True, "split": "by_type"}, "write_empty"),
        (
            {"keep_days": 7, "window": "all", "file": {"name": "all.csv"}},
            "keep_days: each run replaces the file; needed is a day or a time in the files' names",
        ),
        ({"keep_days": 0}, "keep_days"),
        ({"file": {"name": "a/b.csv"}}, "needed is a file name"),
    ],
)
def test_what_does_not_fit_together_is_refused(declared: dict[str, Any], problem: str) -> None:
    """The message names the key, what was found and what is needed."""
    with pytest.raises(ValidationError, match=re.escape(problem)):
        goal(**declared)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"events": ["ordr"]}, "events[0]: 'ordr' is unknown; did you mean 'order'"),
        ({"segment": "none"}, "segment: 'none' is unknown"),
        ({"map": [{"field": "a", "property": "mail"}]}, "map[0].property: 'mail' is unknown"),
        ({"map": [{"field": "a", "event": "sum"}]}, "map[0].event: 'sum' is unknown"),
        ({"rows": "items", "items": "lines"}, "items: 'lines' is no nested list of these events"),
        (
            {"rows": "items", "items": "products", "map": [{"field": "a", "item": "name"}]},
            "map[0].item: 'name' is unknown",
        ),
        (
            {"events": ["order", "visit"], "map": [{"field": "a", "event": "code"}]},
            "map[0].event: 'code' is BIGINT and VARCHAR, depending on the type",
        ),
        ({"map": [{"field": "a", "property": "likes"}]}, "map[0].property: 'likes' holds several values"),
        ({"events": ["visit"], "map": [{"field": "a", "event": "tags"}]}, "map[0].event: 'tags' holds several values"),
        (
            {"map": [{"field": "a", "event": "code", "types": ["visit"]}]},
            "map[0].types: 'visit' is no type of the goal",
        ),
        (
            {"map": [NAMED, {"field": "b", "event": "code", "named": ["Ordr"]}]},
            "map[1].named: 'Ordr' is no name that `event_type` gives; did you mean 'Order'",
        ),
        ({"map": [{"field": "a", "event": "code", "named": ["Order"]}]}, "map[0].named: 'Order' is no name that"),
        ({"map": [{"field": "a", "event_type": {}}]}, "map[0].event_type: 'order' has no name"),
        (
            {"map": [{"field": "a", "event_type": {"order": "Order", "visit": "Visit"}}]},
            "map[0].event_type: 'visit' is no type of the goal",
        ),
        (
            {"map": [{"field": "a", "event_type": {"order": {"property": "total", "names": {"1": "One"}}}}]},
            "map[0].event_type.order.property: 'total' is no text; allowed: code",
        ),
    ],
)
def test_what_does_not_fit_the_profile_is_named(declared: dict[str, Any], problem: str) -> None:
    """Unknown names and properties that are different things in different types are problems with their place."""
    (found,) = goal(**declared).problems(PROFILES)
    assert found.startswith(problem)


def test_a_connection_checks_its_exports_of_events() -> None:
    """Problems have their place in the connection; a name that another goal has is refused."""
    server = {"host": "h", "username": "u", "password_env": "P", "host_key": "SHA256:" + "A" * 43}
    declared = {"name": "esp", "events": ["none"], "map": [ID]}
    connection = SftpConnection.model_validate({"name": "shop", "server": server, "export_events": [declared]})
    assert find_problems(connection, PROFILES)[0].startswith("export_events[0].events[0]: 'none' is unknown")
    with pytest.raises(ValidationError, match="export_events: more than one goal is called esp"):
        SftpConnection.model_validate({"name": "shop", "server": server, "export_events": [declared, declared]})
    other = SftpConnection.model_validate(
        {"name": "shop__esp", "server": server, "export_events": [{**declared, "name": "select_events"}]}
    )
    assert [place for place, _ in find_clashes([connection, other])] == [1]


@pytest.mark.parametrize(
    ("declared", "part", "name"),
    [
        ({}, "", "esp_20261128120000.csv"),
        ({"format": {"separator": "\t"}}, "order", "esp_order_20261128120000.tsv"),
        ({"window": "day"}, "20261127", "esp_20261127.csv"),
        ({"window": "day", "file": {"name": "a.b.txt", "compress": "gzip"}}, "20261127", "a.b_20261127.txt"),
        ({"window": "all"}, "", "esp_20261128120000.csv"),
        ({"window": "all", "file": {"name": "all"}}, "", "all"),
        ({"window": "all", "file": {"name": "all", "timestamp": True}}, "order", "all_order_20261128120000"),
    ],
)
def test_names_of_files(declared: dict[str, Any], part: str, name: str, tmp_path: Path) -> None:
    """What a file is split by follows its name, then the time of the run where the file is a new one."""
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    warehouse = Warehouse(tmp_path / "w.duckdb")
    run = EventRun("r", "shop", goal(**declared), PROFILES, (), warehouse, tmp_path / "s", tmp_path / "f", now)
    assert run.text_name(part) == name


def test_what_makes_a_goal_deliver_everything_again() -> None:
    """Rows and places are part of the fingerprint; types, first day and segment only of what a run looks at."""
    first = event_export_fingerprint(goal(), PROFILES)
    for same in (
        {"title": "t", "keep_days": 7},
        {"segment": "all"},
        {"since": "2026-01-01"},
        {"events": ["order", "visit"]},
    ):
        assert event_export_fingerprint(goal(**same), PROFILES) == first
    for other in ({"directory": "/x"}, {"map": [{"field": "b", "event_id": True}]}, {"window": "day"}):
        assert event_export_fingerprint(goal(**other), PROFILES) != first
    scope = event_scope(goal(), PROFILES, ())
    assert event_scope(goal(title="t", events=["order", "visit"]), PROFILES, ()) == scope
    assert scope not in {event_scope(goal(**{key: value}), PROFILES, ()) for key, value in _SCOPES.items()}


_SCOPES = {"segment": "all", "since": "2026-01-01", "directory": "/x"}

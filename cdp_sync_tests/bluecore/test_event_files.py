"""The daily files of e-mail events and of unsubscribes, compared with a plain reading of the vendor's pages."""

import csv
import io
import json
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pandas as pd
import pytest

from cdp_sync.model import FileGoal
from cdp_sync_tests.bluecore.mailing import (
    AWKWARD,
    MIDNIGHT,
    ONLY_IN_1,
    OPTIONAL,
    PROPERTIES,
    TYPES,
    esp,
    exporter_of,
    generated,
    goal_of,
    hold,
    profiles,
    written,
)
from cdp_sync_tests.exporting.event_exporter import EventExporter
from cdp_sync_tests.exporting.event_exporter import profiles as event_profiles
from cdp_sync_tests.trail.importer import Importer, check_adds_up

FIRST_PAGE = [
    "namespace", "email", "event", "event_time", "device_type", "user_agent", "click_url", "unsubscribe_source",
    "campaign_id", "campaign_name", "campaign_classification", "audience_id", "campaign_run_id",
    "campaign_run_time", "variant_id", "subject_line", "tracking_parameters", "nqe", "journey_id",
    "journey_name", "unique_key", "updated_at",
]  # fmt: skip
LATER_PAGE = [
    "email", "event", "event_time", "unique_key", "updated_at", "device_type", "user_agent", "campaign_id",
    "campaign_name", "campaign_classification", "audience_id", "subject_line", "nqe", "click_url", "reason",
]  # fmt: skip
UNSUBSCRIBES_PAGE = [
    "namespace", "email", "event", "event_time", "device_type", "user_agent", "campaign_id", "campaign_name",
    "campaign_classification", "audience_id", "campaign_run_id", "campaign_run_time", "variant_id",
    "subject_line", "tracking_parameters", "nqe",
]  # fmt: skip


def files_of(exporter: EventExporter) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the files in the outbox by name, each in the order of its keys."""
    return {
        file.name: sorted(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")), key=repr)
        for file in sorted(exporter.outbox.iterdir())
    }


def expected(
    every: dict[str, list[dict[str, Any]]], fields: list[str], at: datetime
) -> dict[str, list[dict[str, str]]]:
    """Return these rows as the vendor's page has them."""
    days = defaultdict(list)
    for kind, events in every.items():
        for event in events:
            row = written(kind, event, at)
            days[f"{event['happened_at']:%Y%m%d}"].append({field: row.get(field, "") for field in fields})
    return {day: sorted(rows, key=repr) for day, rows in days.items()}


@pytest.mark.parametrize(("generation", "fields"), [(1, FIRST_PAGE), (2, LATER_PAGE + OPTIONAL)])
def test_all_fields_of_the_page_in_its_order(generation: int, fields: list[str], tmp_path: Path) -> None:
    """Each whole day in UTC is a file with a row for each event, as a plain reading of the page writes it."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp(generation)))
    every = generated()
    hold(exporter, {kind: [event | {"_written_at": MIDNIGHT} for event in events] for kind, events in every.items()})
    report = exporter.run()
    assert report.counters.events_written == sum(map(len, every.values())) > 50
    days = expected(every, fields, MIDNIGHT)
    assert files_of(exporter) == {f"esp_events_{day}.csv": rows for day, rows in sorted(days.items())}
    assert next(exporter.outbox.iterdir()).read_text().splitlines()[0] == ",".join(fields)


def test_the_unsubscribe_export_has_the_fields_of_its_page(tmp_path: Path) -> None:
    """The people who clicked to unsubscribe, with the campaign that they did it in."""
    declared = PROPERTIES | {"tracking_parameters": ONLY_IN_1["tracking_parameters"]}
    exporter = exporter_of(tmp_path, goal_of(unsubscribes={"directory": "/outbox", "properties": declared}))
    every = generated()
    hold(exporter, {kind: [event | {"_written_at": MIDNIGHT} for event in events] for kind, events in every.items()})
    exporter.run()
    days = expected({"email_unsubscribed": every["email_unsubscribed"]}, UNSUBSCRIBES_PAGE, MIDNIGHT)
    assert files_of(exporter) == {f"unsubscribes_{day}.csv": rows for day, rows in sorted(days.items())}


def test_the_unique_key_is_stable_over_redeliveries(tmp_path: Path) -> None:
    """A late event delivers its day again under the same name; the rows that were there have their keys and values."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    every = generated()
    hold(exporter, every)
    exporter.run()
    before = files_of(exporter)
    late = every["email_opened"][0] | {"event_id": "late"}
    exporter.hold([late], "email_opened")
    report = exporter.run(days=1)
    name = f"esp_events_{late['happened_at']:%Y%m%d}.csv"
    assert [path.rpartition("/")[2] for path, *_ in report.files] == [name]
    after = files_of(exporter)
    assert {key: rows for key, rows in after.items() if key != name} == {k: v for k, v in before.items() if k != name}
    keys = [row["unique_key"] for row in before[name]]
    assert [row for row in after[name] if row["unique_key"] in keys] == before[name]
    assert (len(after[name]), len({row["unique_key"] for row in after[name]})) == (len(keys) + 1, len(keys) + 1)


def test_the_campaign_name_is_that_of_the_execution(tmp_path: Path) -> None:
    """If a campaign's name changes between sends, there are several names for one campaign id."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    first, second = generated()["email_delivered"][:2]
    at = {"campaign_id": "9", "happened_at": MIDNIGHT}
    exporter.hold([first | at | {"campaign_name": "Spring"}, second | at | {"campaign_name": "May"}], "email_delivered")
    exporter.run()
    ((*rows,),) = files_of(exporter).values()
    assert sorted((row["campaign_id"], row["campaign_name"]) for row in rows) == [("9", "May"), ("9", "Spring")]


def test_one_file_for_each_type_of_events(tmp_path: Path) -> None:
    """With `split: by_type` each type has a file of each day; the rows are those of the one file."""
    one, several = (exporter_of(tmp_path / name, goal_of(esp_events=esp(split=name))) for name in ("none", "by_type"))
    every = generated()
    for exporter in (one, several):
        hold(exporter, {kind: [event | {"_written_at": MIDNIGHT} for event in found] for kind, found in every.items()})
        exporter.run()
    split = files_of(several)
    names = {f"esp_events_{kind}_{event['happened_at']:%Y%m%d}.csv" for kind in every for event in every[kind]}
    assert split.keys() == names
    together = sorted((row for rows in files_of(one).values() for row in rows), key=repr)
    assert sorted((row for rows in split.values() for row in rows), key=repr) == together


def test_fields_of_some_events_stay_theirs_where_one_type_has_all(tmp_path: Path) -> None:
    """A field that is only available for some events is empty for the others, also if a property tells them apart."""
    every = [{"name": "action"}, *({"name": name} for name in ("device", "url", "reason", "source"))]
    mail = {"name": "mail", "properties": every}
    actions = {name: {"type": "mail", "property": "action", "equals": name} for name in TYPES}
    goal = goal_of(esp_events=esp(events=actions, properties={"unsubscribe_source": "source"}))
    later = goal_of(esp_events=esp(2, events=actions, properties={}))
    held = {"device": "phone", "url": "https://example.com", "reason": "full", "source": "footer"}
    found: dict[str, dict[str, str]] = {}
    for number, each in enumerate((goal, later)):
        exporter = EventExporter(tmp_path / str(number), each, event_profiles(event_types=[mail]))
        exporter.now = MIDNIGHT + timedelta(days=5)
        events = [
            {"event_id": name, "profile_id": UUID(int=1), "happened_at": MIDNIGHT, "action": name} for name in TYPES
        ]
        exporter.hold([event | held for event in events], "mail")
        exporter.run()
        ((*rows,),) = files_of(exporter).values()
        for row in rows:
            found.setdefault(row["event"], {}).update(row)
    of = {
        "device_type": {"Open", "Click", "Unsubscribe"},
        "click_url": {"Click"},
        "unsubscribe_source": {"Unsubscribe"},
        "reason": {"Deferred", "Dropped", "Spam report", "Soft bounce", "Hard bounce"},
    }
    assert {field: {name for name in TYPES if found[name][field]} for field in of} == of


def test_the_json_column_can_be_read_by_any_reader(tmp_path: Path) -> None:
    """The module csv, pandas and DuckDB read the same cells, and the JSON in them has every awkward text."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    event = generated()["email_opened"][0]
    tracking = [{"name": f"n{number}", "value": text} for number, text in enumerate(AWKWARD)]
    exporter.hold([event | {"happened_at": MIDNIGHT, "tracking": tracking, "subject": AWKWARD[0]}], "email_opened")
    exporter.run()
    (path,) = exporter.outbox.iterdir()
    with path.open(encoding="utf-8", newline="") as file:
        (by_csv,) = csv.DictReader(file)
    by_pandas = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[0].to_dict()
    with duckdb.connect() as connection:
        read = connection.execute("from read_csv(?, all_varchar = true, header = true)", [str(path)])
        names = [column[0] for column in read.description]
        (row,) = read.fetchall()
    by_duckdb = {name: value or "" for name, value in zip(names, row, strict=True)}
    assert by_csv == by_pandas == by_duckdb
    assert json.loads(by_csv["tracking_parameters"]) == tracking
    assert by_csv["subject_line"] == AWKWARD[0]


def test_an_event_that_has_no_name_of_the_vendor_is_counted(tmp_path: Path) -> None:
    """A bounce that is neither hard nor soft is not delivered, and stands in the quarantine with the reason."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    bounce = generated()["email_bounced"][0] | {"event_id": "b"}
    exporter.hold([bounce | {"kind": None}], "email_bounced")
    counters = exporter.counters()
    assert (counters.events_in_window, counters.events_not_deliverable) == (1, 1)
    assert exporter.rows("select field, raw from warehouse.quarantine") == [("event", "email_bounced b")]


def test_files_are_removed_after_a_week(tmp_path: Path) -> None:
    """The vendor keeps files for seven days after they were generated; so does the goal, unless declared otherwise."""
    assert goal_of(esp_events=esp()).keep_days == 7
    assert goal_of(unsubscribes={"directory": "/outbox", "keep_days": None}).keep_days is None
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    hold(exporter, generated())
    delivered = exporter.run().files
    exporter.change("update warehouse.exported_file set exported_at = timestamptz '2026-11-25 01:00:00Z'")
    assert exporter.run(days=6, hours=23).removed == ()
    assert len(exporter.run(hours=1).removed) == len(delivered)
    assert list(exporter.outbox.iterdir()) == []


BACK = {
    "campaign_id": "campaign_id",
    "campaign_name": "campaign_name",
    "campaign_classification": "classification",
    "campaign_run_id": "mailing_run",
    "campaign_run_time": "run_time",
    "subject_line": "subject",
    "nqe": "message_id",
    "audience_id": "audiences",
}
"""Fields of the file, and the properties that an import fills with them."""


@pytest.mark.parametrize(("kind", "more"), [("email_link_clicked", {"click_url": "url"}), ("email_bounced", {})])
def test_the_file_comes_back_with_the_same_values(kind: str, more: dict[str, str], tmp_path: Path) -> None:
    """A file of one type, imported with the unique key as the id, gives the events that were exported."""
    exporter = exporter_of(tmp_path / "here", goal_of(esp_events=esp(split="by_type")))
    every = generated(120)
    hold(exporter, every)
    exporter.run()
    named = BACK | more
    event = {
        "type": kind,
        "id": "unique_key",
        "time": "event_time",
        "map": [{"field": field, "property": name} for field, name in named.items()],
        "items": {
            "tracking": {
                "field": "tracking_parameters",
                "map": [{"field": name, "property": name} for name in ("name", "value")],
            }
        },
    }
    goal = FileGoal.model_validate(
        {
            "name": "back",
            "directory": "/inbox",
            "link": [{"field": "email", "property": "email"}],
            "format": {"multi_value": "|"},
            "events": [event],
        }
    )
    importer = Importer(tmp_path / "there", goal, profiles())
    content = {file.name: file.read_bytes() for file in exporter.outbox.iterdir() if kind in file.name}
    report = importer.deliver(content)
    check_adds_up(report)
    assert report.counters.events_created == len(every[kind])
    columns = ", ".join(named[field] for field in named if field != "audience_id")
    query = f"""
        select {{}} as key, email, happened_at, list_sort(audiences), tracking, {columns}
        from warehouse.event_{kind} join warehouse.live_profile using (profile_id)
        order by key"""
    there = importer.rows(query.format("event_id"))
    assert there == exporter.rows(query.format("md5(concat($$" + kind + "$$, chr(31), event_id))"))


def test_an_event_before_midnight_is_of_its_day_in_utc(tmp_path: Path) -> None:
    """Days run from midnight to midnight UTC."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    first, second = generated()["email_opened"][:2]
    moment = timedelta(microseconds=1)
    exporter.hold([first | {"happened_at": MIDNIGHT - moment}, second | {"happened_at": MIDNIGHT}], "email_opened")
    exporter.run()
    assert list(files_of(exporter)) == ["esp_events_20261119.csv", "esp_events_20261120.csv"]

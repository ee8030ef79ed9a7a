"""What Bluecore's page says of its exports, where no other test says it by itself."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from cdp_sync.model import FileGoal, Profiles
from cdp_sync.model.consistency import find_problems
from cdp_sync.scoring import compute_scores
from cdp_sync.warehouse import sync_events
from cdp_sync_tests.bluecore.mailing import MIDNIGHT, TYPES, esp, exporter_of, exports, generated, goal_of, hold
from cdp_sync_tests.bluecore.test_campaigns import INTEGRATION, Campaigner
from cdp_sync_tests.bluecore.test_event_files import files_of
from cdp_sync_tests.exporting.exporter import EVERYBODY, NOON
from cdp_sync_tests.orchestration.conftest import instance
from cdp_sync_tests.projects import Project, goal
from cdp_sync_tests.trail.importer import Importer, check_adds_up

__all__ = ["instance"]

SCORES: dict[str, dict[str, Any]] = {
    "PCLV": {"expected_value": "order.total_revenue"},
    "Discount affinity": {"share": {"of": "order", "where": {"property": "coupon", "has_value": True}}},
    "Likelihood to unsubscribe": {"rate": {"of": "email_unsubscribed", "among": "email_delivered"}},
    "Likelihood to click": {"rate": {"of": "email_link_clicked", "among": "email_delivered"}},
    "Likelihood to open": {"rate": {"of": "email_opened", "among": "email_delivered"}},
    "Likelihood to convert": {"rate": {"of": "order", "among": "email_link_clicked"}},
    "Channel affinity for email": {"rate": {"of": ["email_opened", "email_link_clicked"], "among": "email_delivered"}},
    "Channel affinity for SMS/MMS": {"rate": {"of": "sms_clicked", "among": "sms_delivered"}},
}
"""By name on the page."""
NAMES = {title: f"score_{number}" for number, title in enumerate(SCORES, start=1)}
MAILS = ("email_delivered", "email_opened", "email_link_clicked", "email_unsubscribed")
KINDS = (*MAILS, "order", "sms_delivered", "sms_clicked")


def scored_profiles() -> Profiles:
    """Return a profile model with all scores of the page."""
    texts = [{"name": "sms_delivered", "properties": []}, {"name": "sms_clicked", "properties": []}]
    return Profiles.model_validate(
        {
            "properties": [
                {"name": "email", "type": "email", "identifier": True},
                {"name": "phone", "identifier": True},
            ],
            "segments": [EVERYBODY],
            "event_types": [*MAILS, "order", *texts],
            "scores": [{"name": NAMES[title], "title": title, **declared} for title, declared in SCORES.items()],
        }
    )


def test_an_audience_has_all_percentile_predictive_scores(tmp_path: Path) -> None:
    """A campaign exports each score of the page as a column: of three people, the one who does most has 100."""
    profiles = scored_profiles()
    connection = exports(
        integration=INTEGRATION | {"definitions": {"scores": list(NAMES.values())}, "eligibility": None},
        campaigns=[{"name": "big", "audience": "everybody"}],
    )
    assert find_problems(connection, profiles) == []
    campaigner = Campaigner(tmp_path, connection.export_profiles[0], profiles)
    campaigner.hold([{"email": f"p{number}@example.com"} for number in (1, 2, 3)])
    with campaigner.warehouse.open("write") as session:
        sync_events(session, profiles)
        for kind in KINDS:
            for person in (1, 2, 3):
                sent = kind in ("email_delivered", "sms_delivered")
                for number in range(4 if sent else person):
                    event = {
                        "id": f"{person}-{number}",
                        "who": UUID(int=person),
                        "at": NOON - timedelta(days=9 - number),
                    }
                    session.execute(
                        f"""insert into warehouse.event_{kind} by name
                        select $id as event_id, $who as profile_id, $at as happened_at, now() as _written_at""",
                        event,
                    )
        session.execute("update warehouse.event_order set total_revenue = 10")
        session.execute("update warehouse.event_order set coupon = 'SAVE' where event_id in ('2-0', '3-0', '3-1')")
        compute_scores(session, profiles, NAMES.values(), NOON)
    campaigner.export()
    rows = list(csv.DictReader(io.StringIO(campaigner.delivered().decode(), newline="")))
    assert list(rows[0]) == ["email", "phone", *NAMES.values()]
    percentiles = {title: [int(row[name]) for row in rows] for title, name in NAMES.items()}
    assert all(0 <= each <= 100 for found in percentiles.values() for each in found)
    for title in SCORES.keys() - {"Likelihood to convert"}:
        assert percentiles[title] == [0, 50, 100], title


def test_two_records_with_the_same_nqe_are_of_the_same_email(tmp_path: Path) -> None:
    """Events of one message have one value in `nqe`, whatever their types, and those of another one another."""
    exporter = exporter_of(tmp_path, goal_of(esp_events=esp()))
    every = generated()
    for kind, number in (("email_delivered", 1), ("email_opened", 1), ("email_opened", 2)):
        event = every[kind][0] | {"event_id": f"{kind}{number}", "message_id": f"m{number}", "happened_at": MIDNIGHT}
        exporter.hold([event], kind)
    exporter.run()
    ((*rows,),) = files_of(exporter).values()
    assert sorted((row["nqe"], row["event"]) for row in rows) == [("m1", "Deliver"), ("m1", "Open"), ("m2", "Open")]


def test_an_event_that_is_not_available_is_not_in_the_file(tmp_path: Path) -> None:
    """Deferred is in the file where its type of events is declared, and the others are there without it."""
    every = generated()
    events = {name: source for name, source in TYPES.items() if name != "Deferred"}
    found = {}
    for number, sources in enumerate((TYPES, events)):
        exporter = exporter_of(tmp_path / str(number), goal_of(esp_events=esp(events=sources)))
        hold(exporter, every)
        exporter.run()
        found[number] = {row["event"] for rows in files_of(exporter).values() for row in rows}
    assert found == {0: set(TYPES), 1: set(events)}


def test_each_export_is_optional() -> None:
    """A connection writes the ESP events, the unsubscribes, both or neither."""
    esp_events, unsubscribes = {"esp_events": esp()}, {"unsubscribes": {"directory": "/outbox"}}
    for declared in ({}, esp_events, unsubscribes, esp_events | unsubscribes):
        assert [goal.name for goal in exports(**declared).event_exports] == list(declared)


@pytest.mark.parametrize("name", ["audience_%Y%m%d.csv", "audience_YYYYMMDD.csv"])
def test_only_the_timestamp_puts_a_time_into_a_name(name: str, tmp_path: Path) -> None:
    """Whatever else looks like a date stays as it is written."""
    profiles = Profiles.model_validate({"properties": [{"name": "email", "type": "email"}], "segments": [EVERYBODY]})
    sent = {"vendor": "Files.com", "directory": "/outbox", "file_name": name}
    for timestamp, end in ((False, ""), (True, "_20260131120000")):
        connection = exports(
            integration=sent | {"timestamp": timestamp}, campaigns=[{"name": "big", "audience": "everybody"}]
        )
        campaigner = Campaigner(tmp_path / str(timestamp), connection.export_profiles[0], profiles)
        campaigner.hold([{"email": "ann@example.com"}])
        assert campaigner.export().path == f"/outbox/{name.removesuffix('.csv')}{end}.csv"


def test_unsubscribes_keep_a_system_of_record_up_to_date(tmp_path: Path) -> None:
    """The file is imported elsewhere: who has unsubscribed is known there with the time and the campaign."""
    exporter = exporter_of(tmp_path / "here", goal_of(unsubscribes={"directory": "/outbox"}))
    event = generated()["email_unsubscribed"][0]
    texts = {"campaign_name": 'Spring, "sale"\n2', "campaign_id": "007"}
    exporter.hold([event | texts | {"profile_id": UUID(int=1), "happened_at": MIDNIGHT}], "email_unsubscribed")
    exporter.run()
    record = Profiles.model_validate(
        {
            "properties": [
                {"name": "email", "type": "email", "identifier": True},
                {"name": "unsubscribed_at", "type": "datetime"},
                {"name": "campaign"},
                {"name": "campaign_id"},
            ]
        }
    )
    columns = {"event_time": "unsubscribed_at", "campaign_name": "campaign", "campaign_id": "campaign_id"}
    declared = {
        "name": "unsubscribed",
        "link": [{"field": "email", "property": "email"}],
        "map": [{"field": field, "property": name} for field, name in columns.items()],
    }
    importer = Importer(tmp_path / "there", FileGoal.model_validate(declared), record)
    check_adds_up(importer.deliver({file.name: file.read_bytes() for file in exporter.outbox.iterdir()}))
    found = importer.rows(f"select email, {', '.join(columns.values())} from warehouse.profile")
    assert found == [("p1@example.com", MIDNIGHT, texts["campaign_name"], "007")]


def test_daily_files_are_put_where_the_connection_says(project: Project, instance: dg.DagsterInstance) -> None:
    """A run puts a file of each day that has passed into the directory on the server, and another run puts none."""
    project.describe(event_types=["email_opened"])
    event = {"type": "email_opened", "id": "Id", "time": "At"}
    opened = goal("opens", map=[], events=[event])
    attributes = {
        "name": "bluecore",
        "namespace": "acme",
        "server": project.server(),
        "import_profiles": [opened],
        "esp_events": {"directory": "/acme/esp_exports", "events": {"Open": "email_opened"}},
    }
    project.declare("bluecore", attributes, kind="BluecoreExports")
    target = project.root / "acme" / "esp_exports"
    target.mkdir(parents=True)
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    project.deliver("/inbox/opens_1.csv", f"Email,Id,At\nada@example.com,1,{yesterday:%Y-%m-%d %H:%M:%S}\n")
    assert project.run("bluecore_sync", instance).success
    (file,) = target.iterdir()
    assert file.name == f"esp_events_{yesterday:%Y%m%d}.csv"
    ((row),) = csv.DictReader(io.StringIO(file.read_text(), newline=""))
    assert (row["email"], row["event"], datetime.fromisoformat(row["event_time"])) == (
        "ada@example.com",
        "Open",
        yesterday,
    )
    file.unlink()
    assert project.run("bluecore_sync", instance).success
    assert list(target.iterdir()) == []

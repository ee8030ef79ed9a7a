"""Warnings about cells that convert: local times around clock changes, and identifiers that look rounded."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cdp_sync.model import EventType
from cdp_sync_tests.oracle.dates import is_skipped, read_moment
from cdp_sync_tests.trail.importer import Importer, goal

SEEN = [{"field": "Seen", "property": "last_seen"}]
IDS = [{"field": "Id", "property": "customer_id"}]


def file_of(header: str, cells: list[str]) -> str:
    """Return a file with an address and one cell in each row."""
    return "\n".join([f"Email,{header}", *(f"p{number}@x.io,{cell}" for number, cell in enumerate(cells))])


def test_skipped_and_repeated_local_times_are_counted(tmp_path: Path) -> None:
    """Local times that are skipped or repeated give a warning; times with an offset and known rows do not."""
    importer = Importer(tmp_path, goal(map=SEEN, format={"time_zone": "Europe/Amsterdam"}))
    unambiguous = ["2024-03-31 01:59:59", "2024-03-31 03:00:00", "2024-10-27 01:59:59", "2024-10-27 03:00:00", "", "x"]
    unambiguous += ["2024-10-27T02:30:00+02:00", "2024-03-31T02:30:00Z", "2024-07-01 02:30:00", "1890-01-01"]
    skipped_or_repeated = ["2024-03-31 02:00:00", "2024-03-31 02:59:59", "2024-10-27 02:00"]
    (report,) = importer.deliver({"/a.csv": file_of("Seen", unambiguous + skipped_or_repeated)}).files
    (warning,) = report.warnings
    assert warning.startswith("Seen: 3 times do not exist or exist twice in Europe/Amsterdam")
    (report,) = importer.deliver(
        {"/a.csv": file_of("Seen", [*unambiguous, *skipped_or_repeated, "2024-10-27 02:59:59"])}
    ).files
    assert [warning[:37] for warning in report.warnings] == ["Seen: 1 time does not exist or exists"]


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Europe/Amsterdam", "2024-03-31"),
        ("Europe/Amsterdam", "2024-10-27"),
        ("America/Sao_Paulo", "2018-11-04"),  # midnight is skipped
        ("Australia/Lord_Howe", "2024-04-07"),  # half an hour is repeated
        ("America/New_York", "1967-04-30"),  # before the century of the lookup table
        ("Asia/Kolkata", "2024-03-31"),  # no clock changes
    ],
)
@pytest.mark.parametrize("dates", [["iso"], ["%d.%m.%Y", "%d.%m.%Y %H:%M", "iso"]])
def test_every_half_hour_around_a_change_agrees_with_the_oracle(
    zone: str, around: str, dates: list[str], tmp_path: Path
) -> None:
    """Ambiguous local times are counted and converted as by the oracle."""
    declared = goal(map=SEEN, format={"time_zone": zone, "dates": dates})
    first = datetime.fromisoformat(around) - timedelta(hours=24)
    pattern = "%Y-%m-%d %H:%M:%S" if dates == ["iso"] else "%d.%m.%Y %H:%M"
    cells = [(first + timedelta(minutes=30 * number)).strftime(pattern) for number in range(96)]
    importer = Importer(tmp_path, declared)
    (report,) = importer.deliver({"/a.csv": file_of("Seen", cells)}).files
    moments = [read_moment(cell, declared.format) for cell in cells]
    ambiguous = sum(moment.is_doubtful(declared.format) for moment in moments)
    assert [int(warning.split()[1]) for warning in report.warnings] == ([ambiguous] if ambiguous else [])
    expected = {f"p{number}@x.io": moment.instant(declared.format) for number, moment in enumerate(moments)}
    assert importer.column("last_seen") == expected


def test_the_oracle_knows_a_skipped_time() -> None:
    """The oracle finds the hour that Amsterdam skips in spring."""
    zone = ZoneInfo("Europe/Amsterdam")
    assert [is_skipped(datetime(2024, 3, 31, hour, 30, tzinfo=zone)) for hour in (1, 2, 3)] == [False, True, False]


def test_a_cell_with_ambiguous_times_counts_once(tmp_path: Path) -> None:
    """A cell with several ambiguous times counts once."""
    importer = Importer(tmp_path, goal(format={"time_zone": "Europe/Amsterdam", "multi_value": "|"}))
    visits = {"name": "visits", "type": "datetime", "multiple": True}
    importer.profiles = importer.profiles.model_validate({"properties": [*importer.profiles.properties, visits]})
    importer.goal = importer.goal.model_copy(
        update={"map": goal(map=[{"field": "Seen", "property": "visits", "mode": "add"}]).map}
    )
    cells = ["2024-03-31 02:30|2024-03-31 02:40|2024-07-01", "2024-07-01|2024-10-27 02:30", "2024-07-01"]
    (report,) = importer.deliver({"/a.csv": file_of("Seen", cells)}).files
    assert [warning[:30] for warning in report.warnings] == ["Seen: 2 times do not exist or "]


@pytest.mark.parametrize("linked", [True, False])
def test_identifiers_that_look_rounded_are_reported_once_per_file(*, linked: bool, tmp_path: Path) -> None:
    """Identifiers that look rounded are imported and reported once per file; short ones are not reported."""
    link = [{"field": "Email", "property": "email"}, *([*IDS] if linked else [])]
    importer = Importer(tmp_path, goal(link=link, map=[] if linked else IDS))
    cells = ["1234567890100000", "123456789100000", "12345678900000", "1234567890123456", "A234567890100000"]
    (report,) = importer.deliver({"/a.csv": file_of("Id", cells)}).files
    assert [warning[:30] for warning in report.warnings] == ["Id: 2 identifiers look rounded"]
    assert sorted(importer.column("customer_id").values()) == sorted(cells)
    (report,) = importer.deliver({"/b.csv": file_of("Id", cells[2:])}).files
    assert report.warnings == ()


ORDER = {
    "name": "order",
    "properties": [
        {"name": "paid_at", "type": "datetime"},
        {
            "name": "products",
            "items": [{"name": "sku", "identifier": True}, {"name": "sent_at", "type": "datetime"}],
        },
    ],
}


@pytest.mark.parametrize("mapped", [True, False])
def test_local_times_of_events_are_counted(*, mapped: bool, tmp_path: Path) -> None:
    """Times of events, of their properties and of items, also in JSON, where the goal maps nothing or no times."""
    items = {"products": {"field": "Products", "id": "sku", "map": [{"field": "sent", "property": "sent_at"}]}}
    paid = [{"field": "Paid", "property": "paid_at"}]
    events = [{"type": "order", "id": "Id", "time": "At", "map": paid, "items": items}]
    declared = goal(events=events, format={"time_zone": "Europe/Amsterdam", "separator": ";", "quote": ""})
    importer = Importer(tmp_path, declared if mapped else declared.model_copy(update={"map": ()}))
    importer.profiles = importer.profiles.model_copy(update={"event_types": (EventType(**ORDER),)})
    skipped, usual, repeated = "2024-03-31 02:30", "2024-03-31 04:00", "2024-10-27 02:30"
    rows = [
        f'p1@x.io;o1;{skipped};{usual};[{{"sku": "a", "sent": "{repeated}"}}, {{"sku": "b", "sent": "{usual}"}}];Ann',
        f'p1@x.io;o2;{repeated};{skipped};[{{"sku": "a", "sent": "{usual}"}}];Ann',
        f"p1@x.io;o3;{usual};;;",
    ]
    (report,) = importer.deliver({"/a.csv": "\n".join(["Email;Id;At;Paid;Products;Name", *rows])}).files
    assert [warning[:23] for warning in report.warnings] == [
        "At: 2 times do not exis", "Paid: 1 time does not e", "Products.sent: 1 time d",
    ]  # fmt: skip


def test_ids_of_events_and_items_that_look_rounded_are_reported(tmp_path: Path) -> None:
    """A spreadsheet rounds long ids of orders and of their lines as it does those of customers."""
    events = [{"type": "order", "id": "Id", "time": "At", "items": {"products": {"id": "Sku"}}}]
    importer = Importer(tmp_path, goal(map=[], events=events))
    importer.profiles = importer.profiles.model_copy(update={"event_types": (EventType(**ORDER),)})
    rows = ["p1@x.io,1234567890100000,2024-05-01,s1", "p1@x.io,7,2024-05-01,5555555555500000", "p1@x.io,8,2024-05-01,"]
    (report,) = importer.deliver({"/a.csv": "\n".join(["Email,Id,At,Sku", *rows])}).files
    assert [warning[:29] for warning in report.warnings] == [
        "Id: 1 identifier looks rounde", "Sku: 1 identifier looks round",
    ]  # fmt: skip

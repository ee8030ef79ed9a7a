"""Exports a day's events after a history, and after one ten times as long: the cost goes by the day.

History and ledger are made by statements, as if every day of it had been exported.

`python -m cdp_sync_tests.benchmarks.event_files_bench --events 5000000 --day 20000 --repeat 3`
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cdp_sync.exporting import EventRun, export_events
from cdp_sync.warehouse import Session
from cdp_sync_tests.exporting.event_exporter import EventExporter, goal

MIDNIGHT = datetime(2026, 11, 28, tzinfo=UTC)
PEOPLE = 100_000
COLUMNS = [
    {"field": "email", "property": "email"},
    {"field": "event", "event_type": True},
    {"field": "time", "happened_at": True},
    {"field": "campaign", "event": "campaign"},
    {"field": "url", "event": "url"},
    {"field": "key", "unique_key": True},
]

_PROFILES = f"""
insert into warehouse.profile by name
select md5_number(i::varchar)::uuid as profile_id, now() as created_at, 'p' || i || '@example.com' as email
from range({PEOPLE}) t(i)"""

_EVENTS = f"""
insert into warehouse.event_opened by name
select
    'o' || i as event_id, md5_number((i % {PEOPLE})::varchar)::uuid as profile_id,
    $begin::timestamptz + to_microseconds((i - $first) * 86400000000 // $day) as happened_at,
    $begin::timestamptz + to_microseconds((i - $first + $day) * 86400000000 // $day) as _written_at,
    'campaign ' || i % 100 as campaign, 'https://example.com/' || md5(i::varchar) as url
from range($first, $first + $count) t(i)"""

_LEDGER = """
insert into warehouse.exported_event by name
select
    1 as goal_number, 'opened' as event_type, happened_at::date as day,
    md5_number(concat('opened', chr(31), event_id))::uuid as event_hash, md5_number(url)::uuid as row_hash
from warehouse.event_opened"""


def prepared(folder: Path, window: str, events: int, day: int) -> EventExporter:
    """Return an exporter whose history has been exported until midnight."""
    declared = goal(events=["opened"], window=window, file={"name": "esp.csv"}, map=COLUMNS)
    exporter = EventExporter(folder, declared)
    exporter.now = MIDNIGHT
    run = exporter.next_run()
    with exporter.warehouse.open("write") as session:
        session.execute(_PROFILES)
        add_events(session, 0, events, day, MIDNIGHT - timedelta(days=events // day))
        session.execute("insert into warehouse.exported_goal values ('shop', 'esp', 1)")
        session.execute(_LEDGER)
        latest = MIDNIGHT + timedelta(days=1, microseconds=-1)
        position = [latest, (MIDNIGHT - timedelta(days=1)).date(), run.scope]
        session.execute("insert into warehouse.exported_until values (1, 'opened', ?, ?, ?)", position)
    return exporter


def add_events(session: Session, first: int, count: int, day: int, begin: datetime) -> None:
    """Insert events, so many a day from a day on; each was written a day after it happened."""
    session.execute(_EVENTS, {"first": first, "count": count, "day": day, "begin": begin})


def seconds_of_days(exporter: EventExporter, events: int, day: int, repeat: int) -> float:
    """Return the least seconds that an export of one more day takes."""
    taken = []
    for number in range(repeat):
        with exporter.warehouse.open("write") as session:
            add_events(session, events + number * day, day, day, MIDNIGHT + timedelta(days=number))
        exporter.now = MIDNIGHT + timedelta(days=number + 2, hours=1)
        run: EventRun = exporter.next_run()
        began = time.perf_counter()
        report = export_events(run, exporter.server, exporter.folder / "uploads")
        taken.append(time.perf_counter() - began)
        assert report.counters.events_written == day, report.message
    return min(taken)


def main() -> None:
    """Print the seconds of both histories and their ratio, for each window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--day", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    for window in ("since_last", "day"):
        found = []
        for events in (given.events // 10, given.events):
            with tempfile.TemporaryDirectory() as folder:
                exporter = prepared(Path(folder) / "bench", window, events, given.day)
                found.append(seconds_of_days(exporter, events, given.day, given.repeat))
        few, many = found
        print(f"{window}: {few:.2f} s after {given.events // 10:,} events, {many:.2f} s after {given.events:,}")
        print(f"  {many / few:.2f} times; at most 1.2")


if __name__ == "__main__":
    main()

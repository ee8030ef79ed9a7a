"""Schedules: valid declarations, descriptions, and due times compared with wall clocks."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.model import Schedule, SftpConnection
from cdp_sync.model.occurrences import is_due, occurrences, upcoming_runs
from cdp_sync.model.reading import read_text
from cdp_sync.model.schedule import KINDS
from cdp_sync_tests.oracle.wall_clock import YEAR, instants
from cdp_sync_tests.schedule_cases import ZONES, OnDay, cases, even, name_of, odd_cases

SERVER = {"host": "h", "username": "u", "password_env": "P"}
GOAL = {"name": "customers", "link": [{"field": "Email", "property": "email"}]}
BEFORE = datetime(YEAR, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
AFTER = datetime(YEAR + 1, 1, 1, tzinfo=UTC)


def schedule(**fields: Any) -> Schedule:
    """Return a schedule with these fields."""
    return Schedule.model_validate(fields)


def of_the_year(declared: dict[str, Any]) -> list[datetime]:
    """Return all due times of a schedule in the test year."""
    return list(takewhile(lambda instant: instant < AFTER, occurrences(schedule(**declared), BEFORE)))


@pytest.mark.parametrize("minutes", [7, 15, 50, 61, 480, 1440])
@pytest.mark.parametrize("zone", ZONES)
def test_even_intervals_are_counted_from_1970(minutes: int, zone: str) -> None:
    """`every_minutes` is due at each multiple of the interval since midnight of 1970-01-01 in the zone."""
    assert of_the_year({"every_minutes": minutes, "time_zone": zone}) == even(minutes, zone)


@pytest.mark.parametrize(("zone", "declared", "times", "on_day"), cases(), ids=name_of)
def test_a_year_of_due_times_follows_the_clock(zone: str, declared: dict[str, Any], times: str, on_day: OnDay) -> None:
    """A schedule is due when a clock first shows its time or skips it, and at no other minute."""
    assert of_the_year(declared) == instants(zone, times, on_day)


@pytest.mark.parametrize(("zone", "declared", "times", "on_day"), odd_cases(), ids=name_of)
def test_a_year_of_unusual_clock_changes(zone: str, declared: dict[str, Any], times: str, on_day: OnDay) -> None:
    """The same rules apply to clock changes at midnight, in the evening, or twice within a month."""
    assert of_the_year(declared) == instants(zone, times, on_day)


@pytest.mark.parametrize(
    ("declared", "after", "instants"),
    [
        ({"times_per_day": 1, "starting_at": "02:30"}, "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ({"times_per_day": 1, "starting_at": "02:30"}, "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ({"times_per_day": 24}, "2026-03-29T00:00Z", ["2026-03-29T01:00Z", "2026-03-29T02:00Z"]),
        ({"times_per_day": 24}, "2026-10-25T00:00Z", ["2026-10-25T02:00Z", "2026-10-25T03:00Z"]),
        ({"days_of_month": [31], "at": "12:00"}, "2026-01-31T11:00Z", ["2026-03-31T10:00Z", "2026-05-31T10:00Z"]),
        ({"days_of_month": ["last"], "at": "12:00"}, "2028-02-01T00:00Z", ["2028-02-29T11:00Z", "2028-03-31T10:00Z"]),
        ({"every_minutes": 1440}, "2026-03-28T12:00Z", ["2026-03-28T23:00Z", "2026-03-29T23:00Z"]),
    ],
)
def test_due_times_around_clock_changes(declared: dict[str, Any], after: str, instants: list[str]) -> None:
    """A skipped time is due at the end of the gap, a repeated time only once; equal times are merged."""
    planned = schedule(**declared, time_zone="Europe/Amsterdam")
    found = islice(occurrences(planned, datetime.fromisoformat(after)), 2)
    assert list(found) == [datetime.fromisoformat(each) for each in instants]


def test_a_day_that_a_zone_skipped() -> None:
    """Samoa skipped 30 December 2011: a run of that day was due at the start of the 31st."""
    planned = schedule(days_of_week=["friday", "saturday"], at="10:00", time_zone="Pacific/Apia")
    found = islice(occurrences(planned, datetime(2011, 12, 29, tzinfo=UTC)), 2)
    assert [f"{each.astimezone(ZoneInfo('Pacific/Apia')):%d %H:%M}" for each in found] == ["31 00:00", "31 10:00"]


MOMENTS = st.integers(946_684_800, 2_524_608_000).map(lambda at: datetime.fromtimestamp(at, UTC))
"""Times from 2000 to 2050."""
ANY_ZONE = st.timezone_keys(allow_prefix=False)
TIMES = st.times().map(lambda at: f"{at:%H:%M}")


@given(st.integers(1, 1440), ANY_ZONE, MOMENTS)
def test_intervals_are_equal_in_any_zone(minutes: int, zone: str, after: datetime) -> None:
    """In any zone, intervals are exactly equal, and the first due time is less than one interval away."""
    found = list(islice(occurrences(schedule(every_minutes=minutes, time_zone=zone), after), 20))
    step = timedelta(minutes=minutes)
    assert timedelta(0) < found[0] - after <= step
    assert {later - earlier for earlier, later in pairwise(found)} == {step}
    assert all(instant.second == 0 for instant in found)


@given(st.integers(1, 48), TIMES, ANY_ZONE, MOMENTS)
def test_no_wall_time_is_due_twice(times: int, start: str, zone: str, after: datetime) -> None:
    """In any zone, no wall time recurs; each due time is a declared time or ends a gap."""
    planned = schedule(times_per_day=times, starting_at=start, time_zone=zone)
    found = list(islice(occurrences(planned, after), 3 * times))
    walls = [instant.astimezone(ZoneInfo(zone)) for instant in found]
    assert after < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert len({wall.replace(tzinfo=None) for wall in walls}) == len(walls)
    for wall in walls:
        earlier = (wall.astimezone(UTC) - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
        assert wall.time() in planned.wall_times or wall.utcoffset() > earlier.utcoffset()


@given(st.integers(1, 1440), TIMES)
def test_times_per_day_are_evenly_spaced(times: int, start: str) -> None:
    """`times_per_day` gives that number of times, evenly spaced to the minute, including `starting_at`."""
    planned = schedule(times_per_day=times, starting_at=start).wall_times
    minutes = [at.hour * 60 + at.minute for at in planned]
    gaps = {(later - earlier) % 1440 for earlier, later in pairwise([*minutes, minutes[0]])}
    assert len(set(planned)) == times
    assert time.fromisoformat(start) in planned
    assert times == 1 or gaps <= {1440 // times, -(-1440 // times)}


@given(MOMENTS, st.integers(1, 5000))
def test_is_due_covers_a_half_open_interval(since: datetime, minutes: int) -> None:
    """`is_due` covers the interval (since, until]."""
    planned = schedule(times_per_day=3, time_zone="Europe/Amsterdam")
    until = since + timedelta(minutes=minutes)
    inside = [each for each in islice(occurrences(planned, since), 20) if since < each <= until]
    assert is_due(planned, since, until) == bool(inside)
    assert not inside or is_due(planned, since, inside[0])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"every_minutes": 15}, "every 15 minutes"),
        ({"every_minutes": 1, "time_zone": "Asia/Tokyo"}, "every minute"),
        ({"times_per_day": 1, "starting_at": "06:00"}, "once a day, counted from 06:00 (UTC)"),
        ({"times_per_day": 2}, "twice a day, counted from 00:00 (UTC)"),
        (
            {"days_of_week": ["friday", "monday"], "at": "01:30", "time_zone": "Europe/Amsterdam"},
            "on Monday and Friday at 01:30 (Europe/Amsterdam)",
        ),
        (
            {"days_of_month": [15, "last", 1], "at": "13:05"},
            "on day 1 and 15 and the last day of the month at 13:05 (UTC)",
        ),
        ({"days_of_month": ["last"], "at": "13:05"}, "on the last day of the month at 13:05 (UTC)"),
        ({"days_of_month": [31], "at": "13:05"}, "on day 31 of the month at 13:05 (UTC)"),
        (
            {"weekday_of_month": {"ordinal": "last", "weekday": "friday"}, "at": "07:00"},
            "on the last Friday of the month at 07:00 (UTC)",
        ),
    ],
)
def test_a_schedule_in_words(declared: dict[str, Any], words: str) -> None:
    """The description of a schedule has its times and its zone."""
    assert schedule(**declared).words == words


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"every_minutes": 0}, ".every_minutes: found 0; allowed are whole numbers from 1 to 1440"),
        ({"every_minutes": 1441}, ".every_minutes: found 1441; allowed are whole numbers from 1 to 1440"),
        ({"every_minutes": True}, ".every_minutes: found True; allowed"),
        ({"every_minutes": "15"}, ".every_minutes: found '15'; allowed"),
        ({"times_per_day": 2.5}, ".times_per_day: found 2.5; allowed are whole numbers from 1 to 1440"),
        ({"times_per_day": 2, "starting_at": "24:00"}, ".starting_at: found '24:00'; needed is HH:MM in quotes"),
        (
            {"days_of_week": ["mondy"], "at": "01:30"},
            ".days_of_week[0]: found 'mondy'; did you mean 'monday'? allowed: monday, ",
        ),
        ({"days_of_week": [], "at": "01:30"}, ".days_of_week: found an empty list; needed is at least one day"),
        ({"days_of_week": ["monday"]}, ".at: is missing; days_of_week needs it: HH:MM"),
        (
            {"days_of_week": ["monday"], "at": "1:30"},
            """.at: found '1:30'; needed is HH:MM in quotes, such as "01:30\"""",
        ),
        ({"days_of_month": [], "at": "01:30"}, ".days_of_month: found an empty list"),
        (
            {"days_of_month": [0], "at": "01:30"},
            ".days_of_month[0]: found 0; allowed are the numbers 1 to 31, and last",
        ),
        ({"days_of_month": [1, "first"], "at": "01:30"}, ".days_of_month[1]: found 'first'; allowed"),
        ({"days_of_month": [True], "at": "01:30"}, ".days_of_month[0]: found True; allowed"),
        (
            {"weekday_of_month": {"ordinal": "fifth", "weekday": "monday"}, "at": "01:30"},
            ".weekday_of_month.ordinal: found 'fifth'; did you mean 'first'? allowed: first, ",
        ),
        (
            {"weekday_of_month": {"ordinal": "first", "weekday": "monday", "day": 1}, "at": "01:30"},
            ".weekday_of_month.day: unknown key; ",
        ),
        ({"every_minutes": 15, "time_zone": "Europe/Amsterdm"}, ".time_zone: found 'Europe/Amsterdm'; did you mean"),
        ({"every_minutes": 15, "time_zone": "CEST+1"}, "allowed are IANA names such as Europe/Amsterdam"),
        ({"every_minutes": 15, "at": "01:30"}, ".at: found beside every_minutes; it goes with days_of_week, "),
        ({"every_minutes": 15, "starting_at": "00:00"}, ".starting_at: found beside every_minutes; it goes with times"),
        (
            {"every_minutes": 5, "times_per_day": 2},
            ": found every_minutes and times_per_day; a schedule has exactly one",
        ),
        ({"time_zone": "UTC"}, f": found none of them; a schedule has exactly one of {', '.join(KINDS)}"),
        ({"evry_minutes": 5}, ".evry_minutes: unknown key; did you mean 'every_minutes'? allowed: every_minutes, "),
    ],
)
def test_a_problem_has_place_found_and_allowed_values(declared: dict[str, Any], problem: str) -> None:
    """An invalid schedule has one problem, with its place in the file."""
    attributes = {"name": "shop", "server": SERVER, "schedule": declared}
    problems = read_text(
        yaml.safe_dump({"type": "cdp_sync.components.SftpConnection", "attributes": attributes})
    ).problems
    assert len(problems) == 1
    assert problems[0].startswith("attributes.schedule")
    assert problem in problems[0]


def test_a_time_without_quotes_is_refused() -> None:
    """YAML reads 12:30 as a number to base 60; the message shows the time in quotes."""
    text = "type: cdp_sync.components.SftpConnection\nattributes: {name: shop, server: {host: h, username: u, "
    text += "password_env: P}, schedule: {days_of_week: [monday], at: 12:30}}"
    assert list(read_text(text).problems) == [
        'attributes.schedule.at: found 750; needed is HH:MM in quotes, such as "12:30"'
    ]


def connection(name: str = "shop", **fields: Any) -> SftpConnection:
    """Return a connection with one goal."""
    return SftpConnection.model_validate({"name": name, "server": SERVER, "import_profiles": [GOAL], **fields})


def test_only_an_enabled_connection_has_an_active_schedule() -> None:
    """A connection that is off, or has no schedule or no enabled goal, has no active schedule."""
    hourly = {"every_minutes": 60}
    assert connection(schedule=hourly).active_schedule == schedule(**hourly)
    assert connection().active_schedule is None
    assert connection(schedule=hourly, enabled=False).active_schedule is None
    assert connection(schedule=hourly, import_profiles=[{**GOAL, "enabled": False}]).active_schedule is None


def test_upcoming_runs_are_sorted_by_time() -> None:
    """Upcoming runs of all enabled connections are sorted by time and shown in the zone of their schedule."""
    connections = [
        connection("a", schedule={"times_per_day": 2, "time_zone": "America/New_York"}),
        connection("b", schedule={"every_minutes": 720}),
        connection("c"),
    ]
    found = list(islice(upcoming_runs(connections, datetime(2026, 1, 1, tzinfo=UTC)), 3))
    assert [(run.connection, run.at.isoformat(), run.why) for run in found] == [
        ("a", "2026-01-01T00:00:00-05:00", "twice a day, counted from 00:00 (America/New_York)"),
        ("b", "2026-01-01T12:00:00+00:00", "every 720 minutes"),
        ("a", "2026-01-01T12:00:00-05:00", "twice a day, counted from 00:00 (America/New_York)"),
    ]
    assert found[0].to_json()["at_utc"] == "2026-01-01T05:00:00+00:00"


def test_weekdays_of_a_month_follow_the_calendar() -> None:
    """The fourth and the last Thursday differ in months with five Thursdays."""
    fourth, last = (
        schedule(weekday_of_month={"ordinal": ordinal, "weekday": "thursday"}, at="01:30")
        for ordinal in ("fourth", "last")
    )
    days = [date(2026, 1, day) for day in range(1, 32)]
    assert [day.day for day in days if fourth.is_on(day)] == [22]
    assert [day.day for day in days if last.is_on(day)] == [29]

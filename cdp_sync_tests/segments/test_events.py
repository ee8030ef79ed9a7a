"""Conditions on events, and rollups, agree with plain loops over generated events."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from sqlalchemy import literal_column, select

from cdp_sync.model import Condition, EventWindow, Profiles
from cdp_sync.model.consistency import find_profile_problems
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.rollups import value_of
from cdp_sync.segments.statements import shown, step
from cdp_sync.segments.windows import in_window
from cdp_sync.warehouse import Session, Warehouse, quote_identifier, sync_events, warehouse_columns
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.strategies import NOWS
from cdp_sync_tests.generated import examples
from cdp_sync_tests.segments import event_oracle as oracle
from cdp_sync_tests.segments.event_strategies import COUNTS, MODEL, OWNERS, Events, moments, populations

PEOPLE = [owner for owner in OWNERS if owner is not None]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A warehouse with three profiles and the tables of `MODEL`, but for that of visits."""
    with Warehouse(tmp_path_factory.mktemp("events") / "warehouse.duckdb").open("write") as opened:
        sync_properties(opened, MODEL)
        sync_events(opened, MODEL.model_copy(update={"event_types": MODEL.event_types[:2]}))
        for owner in PEOPLE:
            opened.execute("insert into warehouse.profile (profile_id) values (?)", [UUID(int=owner)])
        yield opened


def fill(session: Session, events: Sequence[Mapping[str, Any]]) -> None:
    """Replace all events by these."""
    for name in ("order", "refund"):
        session.execute(f"delete from warehouse.event_{name}")
    for event in events:
        owner = None if event["profile"] is None else UUID(int=event["profile"])
        row = {"profile_id": owner, "happened_at": event["at"]}
        row |= {name: value for name, value in event.items() if name not in ("type", "profile", "at")}
        names, places = ", ".join(map(quote_identifier, row)), ", ".join("?" * len(row))
        session.execute(f"insert into warehouse.event_{event['type']} ({names}) values ({places})", list(row.values()))


def without(event: Mapping[str, Any], missing: Collection[str]) -> dict[str, Any]:
    """Return an event without the values whose columns are missing."""
    known = dict(event)
    if "order.coupon" in missing and event["type"] == "order":
        known["coupon"] = None
    if "order.lines.price" in missing and event.get("lines"):
        known["lines"] = [{**item, "price": None} for item in event["lines"]]
    return known


def seen(session: Session, population: Events) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the events that statements see, and the columns that they are to read."""
    gone = tuple(f"event_{name}" for name in population.missing)
    columns = {name for name in warehouse_columns(session) if not name.startswith(gone or ("-",))}
    events = [without(event, population.missing) for event in population.events]
    return [event for event in events if event["type"] not in population.missing], columns


@examples(60)
@given(populations())
def test_conditions_on_events_agree_with_oracle(session: Session, population: Events) -> None:
    """A profile meets a condition where the oracle says so; the answer is never null; the shown statement agrees."""
    fill(session, population.events)
    events, columns = seen(session, population)
    profiles = MODEL.model_copy(
        update={"segments": Profiles.model_validate({"properties": [], "segments": named(population)}).segments}
    )
    assert find_profile_problems(profiles) == []
    asked = [
        condition_of(Condition.model_validate(when), MODEL, population.now, columns) for when in population.conditions
    ]
    query = step("found", select(literal_column("profile_id"), *asked).select_from(PROFILE))
    note(shown(query))
    rows = {profile.int: held for profile, *held in session.rows(query.sql, query.values)}
    assert rows == {profile.int: held for profile, *held in session.rows(shown(query))}
    assert rows == {
        owner: [oracle.profile_meets(owner, when, events, MODEL, population.now) for when in population.conditions]
        for owner in PEOPLE
    }


def named(population: Events) -> list[dict[str, Any]]:
    """Return the conditions as declared segments."""
    return [{"name": f"s{number}", "when": when} for number, when in enumerate(population.conditions)]


@examples(25)
@given(populations())
def test_rollups_agree_with_oracle(session: Session, population: Events) -> None:
    """Each rollup of each profile has the value that plain loops find, in the type that it is declared to have."""
    fill(session, population.events)
    events, columns = seen(session, population)
    values = [value_of(MODEL.readable[name], MODEL, population.now, columns).label(name) for name in MODEL.rollup]
    query = step("values", select(literal_column("profile_id"), *values).select_from(PROFILE))
    note(shown(query))
    for profile, *found in session.rows(query.sql, query.values):
        for name, value in zip(MODEL.rollup, found, strict=True):
            wanted = oracle.rolled_up(profile.int, name, events, MODEL, population.now)
            if name.startswith("mean") and wanted is not None:
                assert abs(value - wanted) <= Decimal("0.00005"), name
            else:
                assert value == wanted, name
    types = session.rows(f"describe {shown(query).removesuffix(';')}")
    stored = {name: kind for name, kind, *_ in types}
    wanted_types = {name: MODEL.readable[name].sql_type for name in MODEL.rollup}
    assert {name: stored[name] for name in wanted_types} == wanted_types


MICROSECOND = timedelta(microseconds=1)
CLOCK_CHANGES = ("2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00")
"""When clocks change in Europe and in North America, in UTC."""


@examples(150)
@given(
    st.sampled_from([*NOWS, *(datetime.fromisoformat(f"{text}+00:00") for text in CLOCK_CHANGES)]),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
    st.sampled_from(COUNTS),
    st.sampled_from(["calendar", "exact", "hours"]),
    st.data(),
)
def test_windows_agree_with_oracle(
    session: Session, base: datetime, shift: timedelta, count: int, kind: str, data: st.DataObject
) -> None:
    """Times at midnights and at limits are in a window where the oracle says so, also where clocks change."""
    now = base + data.draw(st.sampled_from([timedelta(0), shift]))
    asks = {"in_last_hours": count} if kind == "hours" else {"in_last_days": count, "days": kind}
    times = [*moments(now), now + shift]
    conditions = [*in_window(EventWindow.model_validate(asks), literal_column("moment"), now)]
    query = step("inside", select(literal_column("moment"), *conditions))
    rows = session.rows(
        f"{query.sql} from (select unnest($times::timestamptz[]) as moment)", {**query.values, "times": times}
    )
    assert [all(held) for _, *held in rows] == [oracle.in_window(at, asks, now) for at in times]


def test_the_vendors_example_of_a_calendar_window() -> None:
    """BlueConic's example: events of 1, 2, 4 and 8 April; two count on 10 April, one from 12 April, none from 16."""
    times = [datetime(2026, 4, day, hour, tzinfo=UTC) for day, hour in ((1, 4), (2, 5), (4, 6), (8, 7))]
    asks = {"in_last_days": 7}

    def counted(now: datetime) -> int:
        return sum(oracle.in_window(at, asks, now) for at in times)

    assert counted(datetime(2026, 4, 10, 12, tzinfo=UTC)) == 2
    for day, before, after in ((12, 2, 1), (16, 1, 0)):
        midnight = datetime(2026, 4, day, tzinfo=UTC)
        assert (counted(midnight - MICROSECOND), counted(midnight)) == (before, after)

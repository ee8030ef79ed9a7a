"""Segment conditions in SQL agree with the oracle on generated profiles, and each operator is tested for each type."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, note
from sqlalchemy import literal_column, select

from cdp_sync.model import Condition, Segment
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.membership import PROFILE, is_in_segment, view_segment
from cdp_sync.segments.statements import shown, step
from cdp_sync.warehouse import Session, Warehouse, quote_identifier
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.segment_oracle import meets
from cdp_sync_tests.exporting.strategies import MODEL, NOWS, TYPES, Population, populations
from cdp_sync_tests.generated import examples

NOW = NOWS[0]
MERGED_EVERY = 4
"""Every nth profile is merged into another."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A warehouse with the columns of `MODEL`, open for writing."""
    with Warehouse(tmp_path_factory.mktemp("segments") / "warehouse.duckdb").open("write") as opened:
        sync_properties(opened, MODEL)
        yield opened


def fill(session: Session, people: Sequence[Mapping[str, Any]], *, merged_every: int = 0) -> None:
    """Replace all profiles by these. A profile's position is its id; later ones are newer."""
    session.execute("delete from warehouse.profile")
    names = ["profile_id", "created_at", "merged_into", *dict.fromkeys(name for values in people for name in values)]
    values: list[Any] = []
    for number, person in enumerate(people):
        merged = UUID(int=1000) if merged_every and number % merged_every == 1 else None
        values += [UUID(int=number), NOW + timedelta(number), merged, *(person.get(name) for name in names[3:])]
    rows = ", ".join([f"({', '.join('?' * len(names))})"] * len(people))
    if people:
        session.execute(
            f"insert into warehouse.profile ({', '.join(map(quote_identifier, names))}) values {rows}", values
        )


def found(
    session: Session, when: Mapping[str, Any], columns: Collection[str] | None = None, now: datetime = NOW
) -> list[int]:
    """Return the ids of the profiles that meet a condition, after checking that no result is null."""
    condition = condition_of(Condition.model_validate(when), MODEL, now, columns)
    query = step("found", select(literal_column("profile_id"), condition).select_from(PROFILE))
    rows = sorted((profile.int, held) for profile, held in session.rows(query.sql, query.values))
    assert {held for _, held in rows} <= {True, False}
    return [number for number, held in rows if held]


@examples(100)
@given(populations())
def test_segments_agree_with_oracle(session: Session, population: Population) -> None:
    """A segment has the profiles that the oracle finds. Missing columns count as empty; merged profiles are left out.

    The shown statement has the same result.
    """
    fill(session, population.people, merged_every=MERGED_EVERY)
    profiles, columns = population.profiles, MODEL.by_name.keys() - population.missing
    names = [segment.name for segment in profiles.segments]
    asked = [is_in_segment(profiles, name, population.now, columns) for name in names]
    query = step("found", select(literal_column("profile_id"), *asked).select_from(PROFILE))
    note(shown(query))
    rows = {profile.int: held for profile, *held in session.rows(query.sql, query.values)}
    assert rows == {profile.int: held for profile, *held in session.rows(shown(query))}
    known = [{**person, **dict.fromkeys(population.missing)} for person in population.people]
    assert rows == {
        number: [meets(person, segment.when, profiles, population.now) for segment in profiles.segments]
        for number, person in enumerate(known)
        if number % MERGED_EVERY != 1
    }


@examples(30)
@given(populations())
def test_a_view_has_size_and_newest_profiles(session: Session, population: Population) -> None:
    """A segment's view has the oracle's count and its newest profiles first."""
    fill(session, population.people, merged_every=MERGED_EVERY)
    for segment in population.profiles.segments:
        view = view_segment(session, population.profiles, segment.name, population.now, limit=2)
        members = [
            str(UUID(int=number))
            for number, person in enumerate(population.people)
            if number % MERGED_EVERY != 1 and meets(person, segment.when, population.profiles, population.now)
        ]
        assert (view.size, view.sample) == (len(members), tuple(members[:-3:-1]))


def moment(text: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromisoformat(f"{text}+00:00")


MICROSECOND = timedelta(microseconds=1)
DAYS = [date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1)]
MOMENTS = [moment("2026-01-31T11:59:59.999999"), moment("2026-01-31T12:00:00"), moment("2026-01-31T12:00:00.000001")]

RANGES: dict[str, tuple[list[Any], Any]] = {
    "number": ([39, 40, 41], 40),
    "decimal": ([Decimal("39.9999"), Decimal(40), Decimal("40.0001")], 40),
    "date": (DAYS, date(2026, 1, 31)),
    "datetime": (MOMENTS, "2026-01-31T13:00:00+01:00"),
}
"""Three values of each type; the condition compares with the second."""

ORDERED = {
    "equals": [1],
    "at_least": [1, 2],
    "at_most": [0, 1],
    "before": [0],
    "after": [2],
}
"""The positions of the values that an operator finds."""


@pytest.mark.parametrize(
    ("kind", "operator"),
    [
        (kind, operator)
        for kind in RANGES
        for operator in (*ORDERED, "between")
        if kind in ("date", "datetime") or operator not in ("before", "after")
    ],
)
def test_values_are_compared_in_order(kind: str, operator: str, session: Session) -> None:
    """Values below, at and above the operand are compared; `between` is inclusive, and null is never found."""
    values, asked = RANGES[kind]
    last = str(values[2]) if kind == "decimal" else values[2]
    wanted, expected = ([asked, last], [1, 2]) if operator == "between" else (asked, ORDERED[operator])
    fill(session, [{kind: value} for value in (*values, None)])
    assert found(session, {"property": kind, operator: wanted}) == expected
    assert found(session, {"property": kind, f"not_{operator}": wanted}) == [n for n in range(4) if n not in expected]


@pytest.mark.parametrize(
    ("kind", "operator"),
    [
        (kind, operator)
        for kind in RANGES
        for operator in (*ORDERED, "between")
        if kind in ("date", "datetime") or operator not in ("before", "after")
    ],
)
def test_one_value_of_a_list_is_enough(kind: str, operator: str, session: Session) -> None:
    """A list matches if one of its values does; for `between` one value lies within both limits.

    Empty lists never match.
    """
    values, asked = RANGES[kind]
    first, second, third = values
    lists = [[first, third], [second], [first], [third, second], [], None]
    places = [[0, 2], [1], [0], [2, 1], [], []]
    hits = [1] if operator == "between" else ORDERED[operator]
    expected = [number for number, place in enumerate(places) if set(place) & set(hits)]
    wanted = [asked, asked] if operator == "between" else asked
    fill(session, [{f"{kind}_list": held} for held in lists])
    assert found(session, {"property": f"{kind}_list", operator: wanted}) == expected
    others = [number for number in range(len(lists)) if number not in expected]
    assert found(session, {"property": f"{kind}_list", f"not_{operator}": wanted}) == others


WORDS = ["Music", "music film", "mus", "FILM", "", None]
LISTS = [["Music", "film"], ["music film"], ["mus"], ["books", "FILM"], [], None]


@pytest.mark.parametrize("kind", ["text", "email"])
@pytest.mark.parametrize(
    ("operator", "wanted", "of_words", "of_lists"),
    [
        ("contains_any", ["MUSIC"], [0], [0]),
        ("contains_any", ["musi", "Film"], [3], [0, 3]),
        ("contains_any", ["m%", "m_s", "'"], [], []),
        ("contains_all", ["music"], [0], [0]),
        ("contains_all", ["film", "Music"], [], [0]),
        ("contains_all", ["film", "Film", "FILM"], [3], [0, 3]),
        ("equals", "mUsIc", [0], [0]),
        ("equals", "nothing", [], []),
    ],
)
def test_texts_are_compared_as_whole_values(
    kind: str, operator: str, wanted: Any, of_words: list[int], of_lists: list[int], session: Session
) -> None:
    """Texts are compared as whole values without regard to case; patterns are not supported."""
    fill(session, [{kind: word, f"{kind}_list": listed} for word, listed in zip(WORDS, LISTS, strict=True)])
    numbers = range(len(WORDS))
    for name, expected in ((kind, of_words), (f"{kind}_list", of_lists)):
        assert found(session, {"property": name, operator: wanted}) == expected
        others = [number for number in numbers if number not in expected]
        assert found(session, {"property": name, f"not_{operator}": wanted}) == others


def test_a_condition_may_have_thousands_of_values(session: Session) -> None:
    """A condition with 5,000 values is evaluated."""
    fill(session, [{"text": "Word 4999", "text_list": ["x", "WORD 0"]}, {"text": "word 5000", "text_list": ["word"]}])
    words = [f"word {number}" for number in range(5000)]
    assert found(session, {"property": "text", "contains_any": words}) == [0]
    assert found(session, {"property": "text_list", "contains_any": words}) == [0]


@pytest.mark.parametrize("kind", TYPES)
def test_empty_values_are_found(kind: str, session: Session) -> None:
    """Null, an empty text and an empty list are empty; false, zero and a blank are values."""
    value = {"text": " ", "email": "a@x.nl", "number": 0, "decimal": 0, "boolean": False}.get(kind)
    value = value if value is not None else RANGES[kind][0][0]
    several = f"{kind}_list"
    people: list[dict[str, Any]] = [{kind: value, several: [value]}, {kind: None, several: []}, {}]
    if kind in ("text", "email"):
        people.append({kind: "", several: None})
    fill(session, people)
    for name in (kind, several):
        assert found(session, {"property": name, "has_value": True}) == [0]
        assert found(session, {"property": name, "is_empty": True}) == list(range(1, len(people)))


@pytest.mark.parametrize("wanted", [True, False])
def test_booleans_are_compared(wanted: bool, session: Session) -> None:
    """True and false are different values, and null equals neither."""
    fill(session, [{"boolean": value, "boolean_list": [value]} for value in (True, False)] + [{}])
    for name in ("boolean", "boolean_list"):
        expected = 0 if wanted else 1
        assert found(session, {"property": name, "equals": wanted}) == [expected]
        assert found(session, {"property": name, "not_equals": wanted}) == [1 - expected, 2]


@pytest.mark.parametrize(
    ("operator", "count", "first", "last"),
    [
        ("in_last_days", 1, moment("2026-01-30T12:00:00"), NOW),
        ("in_next_days", 28, NOW, moment("2026-02-28T12:00:00")),
        ("in_last_hours", 36, moment("2026-01-30T00:00:00"), NOW),
        ("in_next_hours", 1, NOW, moment("2026-01-31T13:00:00")),
    ],
)
def test_times_relative_to_now(operator: str, count: int, first: datetime, last: datetime, session: Session) -> None:
    """A day is 24 hours, both limits are included, and a microsecond outside is not."""
    moments = [first - MICROSECOND, first, last, last + MICROSECOND, None]
    fill(session, [{"datetime": value, "datetime_list": [value] if value else None} for value in moments])
    for name in ("datetime", "datetime_list"):
        assert found(session, {"property": name, operator: count}) == [1, 2]
        assert found(session, {"property": name, f"not_{operator}": count}) == [0, 3, 4]


@pytest.mark.parametrize(("operator", "expected"), [("in_last_days", [1, 2]), ("in_next_days", [2, 3])])
def test_dates_relative_to_today(operator: str, expected: list[int], session: Session) -> None:
    """Dates are counted in calendar days, including today."""
    days = [date(2026, 1, 31) + timedelta(days) for days in (-3, -2, 0, 2, 3)]
    fill(session, [{"date": value, "date_list": [value]} for value in days])
    assert found(session, {"property": "date", operator: 2}) == expected
    assert found(session, {"property": "date_list", operator: 2}) == expected


@pytest.mark.parametrize(
    ("now", "today"),
    [
        (datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5))), date(2026, 2, 1)),
        (datetime(2026, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), date(2026, 1, 31)),
    ],
)
def test_today_is_the_day_in_utc(now: datetime, today: date, session: Session) -> None:
    """Today is the current date in UTC, whatever the time zone of the current time."""
    fill(session, [{"date": today + timedelta(days)} for days in (-2, -1, 0, 1)])
    assert found(session, {"property": "date", "in_last_days": 1}, now=now) == [1, 2]


def test_a_day_is_24_hours_where_clocks_change(session: Session) -> None:
    """A day is 24 hours also where the local day has 23."""
    now = datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Amsterdam"))
    fill(session, [{"datetime": moment(f"2026-03-28T{clock}")} for clock in ("09:59:59", "10:00:00", "11:00:00")])
    assert found(session, {"property": "datetime", "in_last_days": 1}, now=now) == [1, 2]


@pytest.mark.parametrize(
    "declared",
    [
        date(2026, 1, 31),
        "2026-01-31",
        datetime(2026, 1, 31),  # noqa: DTZ001 - as YAML has it
        "2026-01-31T00:00",
        "2026-01-31T01:00+01:00",
        datetime(2026, 1, 30, 19, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_time_may_be_written_in_several_ways(declared: object, session: Session) -> None:
    """A date is compared as its midnight, and a time without an offset is in UTC."""
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    fill(session, [{"datetime": midnight - MICROSECOND}, {"datetime": midnight}, {"datetime": midnight + MICROSECOND}])
    assert found(session, {"property": "datetime", "equals": declared}) == [1]


def test_all_any_and_not_nest(session: Session) -> None:
    """`all`, `any` and `not` follow boolean logic, also with empty values."""
    fill(session, [{"number": 1, "text": "a"}, {"number": 1}, {"text": "a"}, {}])
    one, a = {"property": "number", "equals": 1}, {"property": "text", "equals": "A"}
    assert found(session, {"all": [one, a]}) == [0]
    assert found(session, {"any": [one, a]}) == [0, 1, 2]
    assert found(session, {"not": {"any": [one, a]}}) == [3]
    assert found(session, {"all": [{"not": {"all": [one, a]}}, {"any": [one, a]}]}) == [1, 2]
    assert found(session, {"not": {"not": one}}) == [0, 1]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("consented", [0]),
        ("consented_or_unneeded", [0, 4, 5]),
        ("refused", [1, 2]),
        ("unknown", [3, 4, 5]),
        ("refused_or_unknown", [1, 2, 3, 4, 5]),
    ],
)
def test_consent(state: str, expected: list[int], session: Session) -> None:
    """An objective both consented to and refused is refused; outside its zones it needs no consent."""
    here = {"privacy_legislation": "GDPR"}
    fill(
        session,
        [
            here | {"consented_objectives": ["news", "offers"], "refused_objectives": []},
            here | {"refused_objectives": ["news"]},
            here | {"consented_objectives": ["news"], "refused_objectives": ["news"]},
            here | {"consented_objectives": ["offers"]},
            {"privacy_legislation": "CCPA"},
            {},
        ],
    )
    asked = {"objective": "news", "consent": state}
    assert found(session, asked) == expected
    assert found(session, {"not": asked}) == [number for number in range(6) if number not in expected]


def test_missing_columns_are_empty(tmp_path: Path) -> None:
    """A condition on a property without a column treats it as empty."""
    questions: list[dict[str, Any]] = [
        {"property": name, operator: True} for name in MODEL.by_name for operator in ("is_empty", "has_value")
    ]
    questions += [
        {"property": "text_list", "contains_any": ["a"]},
        {"property": "text", "not_equals": "a"},
        {"property": "decimal", "between": [0, 1]},
        {"property": "datetime_list", "not_in_last_days": 1},
        {"objective": "news", "consent": "unknown"},
        {"objective": "offers", "consent": "consented_or_unneeded"},
    ]
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as session:
        session.execute("insert into warehouse.profile (profile_id) values (?)", [UUID(int=0)])
        answers = [bool(found(session, asked, columns=())) for asked in questions]
    assert answers == [True, False] * len(MODEL.by_name) + [False, True, False, True, True, False]


def test_the_sample_is_deterministic(session: Session) -> None:
    """Profiles created at the same time are sampled by id."""
    fill(session, [{}] * 9)
    session.execute("update warehouse.profile set created_at = ?", [NOW])
    anyone = Segment.model_validate({"name": "anyone", "when": {"property": "text", "is_empty": True}})
    profiles = MODEL.model_copy(update={"segments": (anyone,)})
    sample = view_segment(session, profiles, "anyone", NOW, limit=3).sample
    assert sample == tuple(str(UUID(int=number)) for number in range(3))

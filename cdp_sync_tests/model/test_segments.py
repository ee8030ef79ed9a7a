"""Declared segments: refused conditions, messages, and the values that declared texts become."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cdp_sync.model import Condition, Profiles, Property
from cdp_sync.model.consistency import find_cycle, find_profile_problems
from cdp_sync.model.profile import literal
from cdp_sync.model.questions import operators_of
from cdp_sync.model.reading import read_text

PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name"},
    {"name": "interests", "multiple": True},
    {"name": "order_count", "type": "number"},
    {"name": "order_total", "type": "decimal", "precision": 9, "scale": 2},
    {"name": "birthday", "type": "date"},
    {"name": "last_seen", "type": "datetime"},
    {"name": "newsletter", "type": "boolean"},
]


def profiles(*segments: dict[str, Any], **more: Any) -> Profiles:
    """Return a profile model with these segments, named s0, s1, … unless they have a name."""
    named = [{"name": f"s{number}", "when": when} for number, when in enumerate(segments)]
    return Profiles.model_validate({"properties": PROPERTIES, "segments": named} | more)


def problems_of(*segments: dict[str, Any], **more: Any) -> list[str]:
    """Return the problems of segments with these conditions."""
    return find_profile_problems(profiles(*segments, **more))


OBJECTIVES = [{"name": "news", "zones": ["GDPR"]}, {"name": "service"}]


def test_valid_conditions_have_no_problems() -> None:
    """Each kind of condition with a value of the property's type has no problems."""
    conditions: list[dict[str, Any]] = [
        {"property": "first_name", "contains_any": ["Ann"]},
        {"property": "order_total", "between": [40, "99.95"]},
        {"property": "last_seen", "not_in_last_hours": 12},
        {"property": "newsletter", "equals": True},
        {"property": "consented_objectives", "contains_any": ["news"]},
        {"objective": "news", "consent": "refused"},
        {"not": {"any": [{"segment": "s1"}, {"property": "birthday", "before": date(2000, 1, 1)}]}},
    ]
    more = {"zones": {"GDPR": "opt_in"}, "objectives": OBJECTIVES}
    assert problems_of({"all": conditions}, {"property": "email", "has_value": True}, **more) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            {"property": "first_nam", "equals": "Ann"},
            (
                ".property: 'first_nam' is unknown; did you mean 'first_name'? allowed: email, first_name, interests, "
                "order_count, order_total, birthday, last_seen, newsletter"
            ),
        ),
        ({"segment": "s00"}, ".segment: 's00' is unknown; did you mean 's0'? allowed: s0"),
        ({"objective": "news", "consent": "refused"}, ".objective: 'news' is unknown; allowed: none is declared"),
        (
            {"property": "first_name", "at_least": 5},
            (
                ".at_least: first_name is text; allowed: is_empty, has_value, contains_any, contains_all, equals, "
                "not_contains_any, not_contains_all, not_equals"
            ),
        ),
        (
            {"property": "birthday", "in_last_hours": 5},
            (
                ".in_last_hours: birthday is date; did you mean 'in_last_days'? allowed: is_empty, has_value, equals, "
                "at_least, at_most, between, before, after, in_last_days, in_next_days, not_equals, not_at_least, "
                "not_at_most, not_between, not_before, not_after, not_in_last_days, not_in_next_days"
            ),
        ),
        (
            {"property": "newsletter", "equals": "yes"},
            ".equals: found 'yes'; newsletter is compared with true or false",
        ),
        (
            {"property": "first_name", "equals": False},
            ".equals: found False; first_name is compared with text in quotes; where there is none it `is_empty`",
        ),
        (
            {"property": "order_count", "between": [1, 2.5]},
            ".between: found 2.5; order_count is compared with a whole number of 64 bits",
        ),
        (
            {"property": "order_total", "not_between": [40, 39.99]},
            ".not_between: found 40 before 39.99; the lower one comes first",
        ),
        (
            {"property": "last_seen", "between": ["2026-01-31T12:00+02:00", "2026-01-31T09:00"]},
            ".between: found 2026-01-31T12:00+02:00 before 2026-01-31T09:00; the lower one comes first",
        ),
    ],
)
def test_invalid_conditions_are_reported_with_their_place(condition: dict[str, Any], expected: str) -> None:
    """A problem has its place, the value found, and the allowed values, at any depth of a condition."""
    fine = {"property": "email", "has_value": True}
    assert problems_of(condition) == [f"segments[0].when{expected}"]
    assert problems_of({"all": [fine, {"not": {"any": [fine, fine, condition]}}]}) == [
        f"segments[0].when.all[1].not.any[2]{expected}"
    ]


def test_all_problems_are_reported_at_once() -> None:
    """All problems of all segments are reported at once."""
    wrong = {"property": "nothing", "is_empty": True}
    problems = problems_of({"any": [wrong, {"property": "order_total", "between": ["a", "b"]}]}, wrong)
    places = ["[0].when.any[0].property", "[0].when.any[1].between", "[0].when.any[1].between", "[1].when.property"]
    assert [problem.partition(":")[0] for problem in problems] == [f"segments{place}" for place in places]


def test_the_zones_of_an_objective_must_be_declared() -> None:
    """The message about an undeclared zone says how to declare it."""
    objectives = [{"name": "service"}, {"name": "news", "zones": ["GDPR", "CCPA"]}]
    assert problems_of(zones={"CCPA": "opt_out"}, objectives=objectives) == [
        "objectives[1].zones: GDPR is not in `zones`; needed is `GDPR: opt_in` or opt_out"
    ]


def referring_to(*names: str) -> dict[str, Any]:
    """Return a condition that refers to these segments, or to none."""
    parts = [{"not": {"segment": name}} for name in names]
    return {"any": [{"property": "email", "has_value": True}, *parts]}


def test_a_segment_in_a_cycle_is_reported_with_the_path() -> None:
    """The message about a segment in a cycle shows the shortest path back to it."""
    assert problems_of(referring_to("s0")) == ["segments[0].when: the segment asks about itself: s0 → s0"]
    assert problems_of(referring_to("s1"), referring_to("s2", "s2"), referring_to("s0")) == [
        "segments[0].when: the segment asks about itself: s0 → s1 → s2 → s0",
        "segments[1].when: the segment asks about itself: s1 → s2 → s0 → s1",
        "segments[2].when: the segment asks about itself: s2 → s0 → s1 → s2",
    ]


def test_only_segments_of_a_cycle_are_reported() -> None:
    """Only the segments of a cycle are reported, each with its own cycle."""
    problems = problems_of(
        referring_to("s1"),
        referring_to("s2"),
        referring_to("s1", "s3"),
        referring_to("s4"),
        referring_to("s3"),
        referring_to(),
    )
    assert [problem.partition("itself: ")[2] for problem in problems] == [
        "s1 → s2 → s1",
        "s2 → s1 → s2",
        "s3 → s4 → s3",
        "s4 → s3 → s4",
    ]


def test_shared_segments_are_not_a_cycle() -> None:
    """Segments that refer to the same segments have no cycle; each segment is visited once."""
    layers = [referring_to(*([f"s{number + 1}", f"s{number + 2}"] * 2)) for number in range(60)]
    declared = profiles(*layers, referring_to(), referring_to())
    assert [find_cycle(segment, declared) for segment in declared.segments] == [()] * 62


@pytest.mark.parametrize("prop", profiles().properties, ids=lambda prop: prop.name)
def test_every_operator_has_its_opposite(prop: Property) -> None:
    """Each operator except `is_empty` and `has_value` has an opposite."""
    plain = [name for name in operators_of(prop) if not name.startswith("not_")]
    assert {f"not_{name}" for name in plain[2:]} == {name for name in operators_of(prop) if name.startswith("not_")}
    assert plain[:2] == ["is_empty", "has_value"]


HEAD = """\
type: cdp_sync.components.ProfileModel
attributes:
  properties: [{name: email, type: email}]
  segments:
    - {name: everybody, when: {property: email, is_empty: true}}
    - name: some
      when: """

ONE_OF = "all, any, not, property, segment, objective"


@pytest.mark.parametrize(
    ("when", "beginnings"),
    [
        ("{property: a, at_least: 1}", []),
        (
            "{all: [{segment: a}, {at_leest: 4}]}",
            [".all[1].at_leest: unknown key; did you mean 'at_least'?"],
        ),
        ("{not: {any: [{not: {propertie: a}}]}}", [".not.any[0].not.propertie: unknown key; did you mean 'property'?"]),
        ("", [f": found nothing; needed is a condition: one of {ONE_OF}"]),
        ("everybody", [f": found 'everybody'; needed is a condition: one of {ONE_OF}"]),
        ("[{segment: a}]", [f": found a list of 1; needed is a condition: one of {ONE_OF}"]),
        ("{}", [f": found none of them; a condition is exactly one of {ONE_OF}"]),
        ("{segment: a, property: a, is_empty: true}", [": found property and segment; a condition is exactly one of"]),
        ("{all: [{segment: a}], any: [{segment: a}]}", [": found all and any; a condition is exactly one of"]),
        ("{all: []}", [".all: found an empty list; needed is a list with something in it"]),
        ("{any: {segment: a}}", [".any: found nested keys; needed is a list with something in it"]),
        ("{property: a}", [": found none; a property is asked with exactly one operator: is_empty, has_value,"]),
        ("{property: a, at_least: 1, at_most: 2}", [": found at_least, at_most; a property is asked with exactly one"]),
        ("{segment: a, at_least: 1}", [": found at_least; a property is asked with exactly one operator"]),
        ("{property: a, at_least: [1]}", [".at_least: found a list of 1; needed is one value, such as 40"]),
        ("{property: a, at_least: {b: 1}}", [".at_least: found nested keys; needed is one value, such as 40"]),
        ("{property: a, between: [1]}", [".between: found a list of 1; needed is a list of two values"]),
        ("{property: a, between: 1}", [".between: found 1; needed is a list of two values"]),
        ("{property: a, between: [1, [2]]}", [".between[1]: found a list of 1; needed is one value"]),
        ("{property: a, contains_any: b}", [".contains_any: found 'b'; needed is a list with something in it"]),
        (
            "{property: a, contains_any: []}",
            [".contains_any: found an empty list; needed is a list with something"],
        ),
        ("{property: a, contains_any: [NL, NO]}", [".contains_any[1]: found False; needed is text, in quotes where"]),
        ("{property: a, is_empty: false}", [".is_empty: found false; allowed: true"]),
        ("{property: a, in_last_days: 0}", [".in_last_days: found 0; needed is at least 1"]),
        ("{objective: a}", [": objective and consent belong together"]),
        ("{objective: a, consent: given}", [".consent: found 'given'; allowed: consented, consented_or_unn"]),
        (
            "{all: [{zzz: 1}, {property: a, between: 1}, {any: []}]}",
            [".all[0].zzz: unknown key", ".all[1].between: found 1", ".all[2].any: found an empty list"],
        ),
    ],
)
def test_a_problem_in_the_file_is_reported_with_its_place(when: str, beginnings: list[str]) -> None:
    """A problem at any depth is reported once, with its path, the value found, and the allowed values."""
    found = list(read_text(HEAD + when).problems)
    assert len(found) == len(beginnings)
    for problem, expected in zip(found, beginnings, strict=True):
        assert problem.startswith(f"attributes.segments[1].when{expected}")


def test_nested_conditions_are_visited_with_their_paths() -> None:
    """Nested conditions are visited with their declared paths."""
    leaf = {"segment": "a"}
    when = Condition.model_validate({"all": [leaf, {"not": {"any": [leaf]}}]})
    assert [place for place, _ in when.walk()] == [
        "when",
        "when.all[0]",
        "when.all[1]",
        "when.all[1].not",
        "when.all[1].not.any[0]",
    ]


def prop(name: str) -> Property:
    """Return a property."""
    return profiles().by_name[name]


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("first_name", "Ann", "Ann"),
        ("email", "A@x.nl", "A@x.nl"),
        ("order_count", 0, 0),
        ("order_count", -(2**63), -(2**63)),
        ("order_total", 40, Decimal(40)),
        ("order_total", 0.1, Decimal("0.1")),
        ("order_total", "1.50000", Decimal("1.5")),
        ("order_total", "9999999.99", Decimal("9999999.99")),
        ("order_total", -1e3, Decimal(-1000)),
        ("birthday", date(2026, 1, 31), date(2026, 1, 31)),
        ("birthday", "2026-01-31", date(2026, 1, 31)),
        ("last_seen", date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),
        ("last_seen", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("last_seen", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("last_seen", "2026-01-31T12:00:00.25+02:00", datetime(2026, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("last_seen", datetime(2026, 1, 31, 12), datetime(2026, 1, 31, 12, tzinfo=UTC)),  # noqa: DTZ001 - as YAML has it
        ("newsletter", False, False),
    ],
)
def test_a_declared_value_gets_the_propertys_type(name: str, written: object, value: object) -> None:
    """A declared value gets the property's type: exact numbers, times in UTC."""
    found = literal(prop(name), written)
    assert found == value
    assert type(found) is type(value)


def test_a_time_without_an_offset_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time without an offset is in UTC, whatever the machine's time zone."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        found = literal(prop("last_seen"), "2026-01-31T12:00")
    time.tzset()
    assert found == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "written", "needed"),
    [
        ("first_name", 5, "text in quotes"),
        ("first_name", "", "text in quotes; where there is none it `is_empty`"),
        ("email", True, "text in quotes"),
        ("order_count", "5", "a whole number"),
        ("order_count", 5.0, "a whole number"),
        ("order_count", True, "a whole number"),
        ("order_count", 2**63, "a whole number of 64 bits"),
        ("order_total", "x", "a number with 7 digits before and 2 after the point at most"),
        ("order_total", True, "a number"),
        ("order_total", 0.125, "a number with 7 digits before and 2 after"),
        ("order_total", 10_000_000, "a number with 7 digits before"),
        ("order_total", "1e999999999", "a number"),
        ("order_total", float("nan"), "a number"),
        ("order_total", "-Infinity", "a number"),
        ("order_total", date(2026, 1, 31), "a number"),
        ("birthday", "31-01-2026", "a date such as 2026-01-31"),
        ("birthday", datetime(2026, 1, 31, tzinfo=UTC), "a date such as 2026-01-31"),
        ("birthday", 20260131, "a date"),
        ("last_seen", "yesterday", "a time such as 2026-01-31T12:00:00Z, or a date"),
        ("last_seen", "0001-01-01T00:00:00+02:00", "a time"),
        ("last_seen", 1769817600, "a time"),
        ("newsletter", 1, "true or false"),
        ("newsletter", "true", "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, written: object, needed: str) -> None:
    """The message about a value of another type shows the value, the property and the type needed."""
    with pytest.raises(ValueError, match=r"; .* is compared with ") as refused:
        literal(prop(name), written)
    assert str(refused.value).startswith(f"found {written!r}; {name} is compared with {needed}")


def test_a_long_number_needs_quotes() -> None:
    """A long number needs quotes, since YAML rounds numbers to the precision of a float."""
    exact = Property(name="total", type="decimal", precision=38, scale=10)
    assert literal(exact, "12345678901234567890.0123456789") == Decimal("12345678901234567890.0123456789")
    with pytest.raises(ValueError, match="in quotes if it is long"):
        literal(exact, 12345678901.012345678)

"""Users of Iterable become profiles, by the engine's own steps."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model.report import ImportReport
from cdp_sync_tests.iterable.exchange import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    PROFILES,
    TYPES,
    Crm,
    column,
    iterable,
    person,
    users_goal,
)


def counted(report: ImportReport) -> tuple[int, int, int]:
    """Return how many rows were read, applied and unchanged."""
    counters = report.counters
    return counters.rows_read, counters.rows_applied, counters.rows_unchanged


def test_all_users_become_profiles(crm: Crm) -> None:
    """By one export, in files that are fetched side by side."""
    crm.box.lines_per_file, crm.box.files_per_page = 7, 2
    crm.box.load(person(f"p{number}") for number in range(50))
    assert counted(crm.run()) == (50, 50, 0)
    assert crm.people("email", "text_one") == sorted((f"p{n}@example.com", f"p{n}") for n in range(50))
    assert crm.counted()["export/start"] == 1


VALUES: dict[str, tuple[Any, Any]] = {
    "text": ("Köln ✓", "Köln ✓"),
    "number": (12, 12),
    "decimal": (12.5, Decimal("12.5000")),
    "date": ("2026-02-03", date(2026, 2, 3)),
    "datetime": ("2026-02-03T04:05:06.000+02:00", datetime.fromisoformat("2026-02-03T02:05:06+00:00")),
    "boolean": (True, True),
}


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_values_of_every_type_arrive(flat: bool, crm: Crm) -> None:
    """Arrays in `multiple` properties; fields of objects, whether an export has them under dotted names or nested."""
    crm.box.flat_exports = flat
    given = {kind: value for kind, (value, _) in VALUES.items()}
    crm.box.load([person("ann", one=given, many={kind: [value] for kind, value in given.items()})])
    ones = [column(f"one.{kind}", f"{kind}_one") for kind in TYPES]
    crm.goal = users_goal(map=[*ones, *(column(f"many.{kind}", f"{kind}_list") for kind in TYPES)])
    report = crm.run()
    assert not crm.rows("select * from warehouse.quarantine"), report
    columns = [*(f"{kind}_one" for kind in TYPES), *(f"{kind}_list" for kind in TYPES)]
    expected = [value for _, value in VALUES.values()]
    assert crm.people(*columns) == [(*expected, *([value] for value in expected))]


def test_a_second_run_reads_what_changed(crm: Crm) -> None:
    """By the watermark less the overlap; a user who is read twice is applied once."""
    crm.box.load(person(name) for name in ("ann", "bob", "cat"))
    assert counted(crm.run()) == (3, 3, 0)
    crm.box.clock.advance(HOUR)
    crm.change("bob@example.com", plan="new")
    crm.box.clock.advance(10 * MINUTE)
    assert counted(crm.run()) == (3, 1, 2)  # the two others changed at the watermark, which the overlap covers
    assert ("bob@example.com", "new") in crm.people("email", "text_one")
    crm.box.clock.advance(HOUR)
    crm.change("cat@example.com", plan="newer")
    crm.box.clock.advance(10 * MINUTE)
    assert counted(crm.run()) == (2, 1, 1)
    assert crm.counted()["export/start"] == 1
    assert crm.counted()["export/data.json"] == 2


def test_the_latest_changes_wait(crm: Crm) -> None:
    """Exports show a change late: those of the last five minutes are read by the next run."""
    crm.box.load([person("ann"), person("bob")])
    crm.run()
    crm.box.clock.advance(HOUR)
    crm.change("bob@example.com", plan="new")
    crm.box.clock.advance(2 * MINUTE)
    assert crm.run().counters.rows_applied == 0
    crm.box.clock.advance(5 * MINUTE)
    assert crm.run().counters.rows_applied == 1


def test_a_run_right_after_another_asks_for_nothing(crm: Crm) -> None:
    """The period that it would read has not begun."""
    crm.goal = users_goal(overlap_minutes=0)
    crm.box.load([person("ann", updated=0)])
    crm.run()
    before = crm.counted()
    report = crm.run()
    assert [file.state for file in report.files] == ["unchanged"]
    assert crm.counted() == before


def test_no_sum_is_added_twice(crm: Crm) -> None:
    """Also where the periods of two reads overlap, and where a changed user replaces its former self."""
    crm.goal = users_goal(map=[column("spent", "number_one", "sum")])
    crm.box.load([person("ann", spent=5), person("bob", spent=7)])
    crm.run()
    for spent in (8, 9):
        crm.box.clock.advance(6 * MINUTE)
        crm.change("ann@example.com", spent=spent)
        crm.box.clock.advance(6 * MINUTE)
        crm.run()
        assert crm.people("email", "number_one") == [("ann@example.com", spent), ("bob@example.com", 7)]


def test_a_new_declaration_reads_all_users(crm: Crm) -> None:
    """What it maps stands in users that did not change; so does a run that applies all rows again."""
    crm.box.load([person("ann", city="X"), person("bob", city="Y")])
    crm.run()
    crm.goal = users_goal(map=[column("city", "text_one")])
    crm.box.clock.advance(DAY)
    assert counted(crm.run()) == (2, 2, 0)
    crm.box.clock.advance(DAY)
    assert counted(crm.run(again=True)) == (2, 2, 0)
    assert crm.counted()["export/start"] == 3


def test_changes_all_reads_all_users(crm: Crm) -> None:
    """Every time; those who did not change are not applied."""
    crm.goal = users_goal(changes="all")
    crm.box.load([person("ann"), person("bob")])
    crm.run()
    crm.box.clock.advance(DAY)
    crm.change("bob@example.com", plan="new")
    assert counted(crm.run()) == (2, 1, 1)
    assert crm.counted()["export/start"] == 2


def test_a_time_in_the_future_hides_nobody(crm: Crm) -> None:
    """The next period begins where this one ended by our clock, if that is earlier."""
    crm.box.load([person("ann", updated=-400 * DAY), person("bob")])
    crm.run()
    crm.box.clock.advance(HOUR)
    crm.change("bob@example.com", plan="new")
    crm.box.clock.advance(HOUR)
    crm.run()
    assert ("bob@example.com", "new") in crm.people("email", "text_one")
    assert crm.watermarks()["read until"].startswith("2026-05-01T13:55:00")


def test_a_long_period_is_a_job(crm: Crm) -> None:
    """One answer is for up to a day."""
    crm.box.load([person("ann")])
    crm.run()
    crm.box.clock.advance(2 * DAY)
    crm.change("ann@example.com", plan="new")
    crm.box.clock.advance(HOUR)
    assert crm.run().counters.rows_applied == 1
    assert crm.counted()["export/start"] == 2
    assert crm.counted()["export/data.json"] == 0


def test_a_removed_value_clears(crm: Crm) -> None:
    """With `set_or_clear`, also where no user of the period has the field; an unknown field clears nothing."""
    crm.goal = users_goal(
        map=[column("plan", "text_one", "set_or_clear"), column("no such field", "number_one", "set_or_clear")]
    )
    crm.box.load([person("ann"), person("bob")])
    report = crm.run()
    assert "no such field" in " ".join(report.files[0].warnings)
    crm.box.clock.advance(HOUR)
    user = crm.box.project.find("email", "ann@example.com")
    assert user
    user.fields, user.updated = {}, crm.box.clock()
    crm.box.clock.advance(6 * MINUTE)
    crm.run()
    assert crm.people("email", "text_one") == [("ann@example.com", None), ("bob@example.com", "bob")]


def test_detected_fields_are_mapped(crm: Crm) -> None:
    """With a prefix, nested ones as well; an export then holds all fields."""
    crm.goal = users_goal(map=[], map_detected={"prefix": "itbl_"})
    crm.box.load([person("ann", address={"city": "X"}, ltv=2.5)])
    crm.run()
    assert crm.people("email", "itbl_address_city", "itbl_plan") == [("ann@example.com", "X", "ann")]


DETECTED = {
    "itbl_ltv": (59.970000000000006, Decimal("59.970000000000006")),
    "itbl_visits": (3, 3),
    "itbl_vip": (True, True),
    "itbl_since": ("2026-02-03", datetime.fromisoformat("2026-02-03T00:00:00+00:00")),
    "itbl_interests": (["art", "music"], ["art", "music"]),
    "itbl_scores": ([1, 2], [1, 2]),
}
"""What a field has at Iterable, and what its property has."""


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_detected_fields_have_the_types_of_iterable(flat: bool, crm: Crm) -> None:
    """Arrays fill `multiple` properties, fields of objects have one each; a later run finds the same types."""
    crm.box.flat_exports = flat
    crm.goal = users_goal(map=[], map_detected={"prefix": "itbl_"})
    given = {name.removeprefix("itbl_"): value for name, (value, _) in DETECTED.items()}
    crm.box.load([person("ann", **given, address={"city": "X", "floor": 4}, pets=[{"name": "Rex"}])])
    crm.run()
    assert crm.people(*DETECTED) == [tuple(value for _, value in DETECTED.values())]
    assert crm.people("itbl_address_city", "itbl_address_floor") == [("X", 4)]
    pets = crm.people("itbl_pets_name" if flat else "itbl_pets")
    assert pets == [(["Rex"] if flat else '[{"name":"Rex"}]',)]
    crm.box.clock.advance(HOUR)
    crm.box.load([person("bob", updated=-HOUR, visits=5)])
    crm.box.clock.advance(10 * MINUTE)
    crm.run()
    assert crm.people("email", "itbl_visits", "itbl_interests") == [
        ("ann@example.com", 3, ["art", "music"]),
        ("bob@example.com", 5, None),
    ]


def test_a_field_that_a_processor_reads_is_read(crm: Crm) -> None:
    """Although nothing maps it."""
    crm.goal = users_goal(processors=[{"filter": {"field": "country", "keep": "NL"}}])
    crm.box.load([person("ann", country="NL"), person("bob", country="BE")])
    counters = crm.run().counters
    assert (counters.rows_filtered, counters.rows_applied) == (1, 1)
    assert crm.people("email") == [("ann@example.com",)]


def test_a_detected_field_of_arrays_and_texts_is_text(crm: Crm) -> None:
    """So that no value is lost; as are fields that a processor writes, and a property keeps its stored type."""
    crm.goal = users_goal(
        map=[],
        map_detected={"prefix": "itbl_"},
        processors=[{"convert_values": {"field": "visits", "values": {"3": "three"}}}],
    )
    crm.box.load([person("ann", color=["red", "blue"], visits=3), person("bob", color="green", visits=4)])
    crm.run()
    assert crm.people("itbl_color", "itbl_visits") == [('["red","blue"]', "three"), ("green", "4")]
    crm.goal = users_goal(map=[], map_detected={"prefix": "itbl_"})
    crm.run()
    assert crm.people("itbl_visits") == [("3",), ("4",)]


@pytest.mark.parametrize("kind", ["user_id", "hybrid"])
def test_users_are_known_by_their_ids(kind: Any, tmp_path: Path) -> None:
    """In projects of userIds, and in hybrid ones, where a user may have an address alone."""
    with iterable(kind) as box:
        goal = users_goal(link=[{"field": "userId", "property": "customer"}, {"field": "email", "property": "email"}])
        crm = Crm(folder=tmp_path / "crm", box=box, goal=goal, project_type=kind)
        box.load([person("ann") | {"userId": "U1"}, person("bob") | {"userId": "u1"}])
        if kind == "hybrid":
            box.load([person("cat")])
        crm.run()
        expected = [("ann", "U1"), ("bob", "u1"), *([("cat", None)] if kind == "hybrid" else [])]
        assert sorted(crm.people("text_one", "customer")) == expected
        box.clock.advance(HOUR)
        crm.change("ann@example.com", plan="new")
        box.clock.advance(6 * MINUTE)
        assert crm.run().counters.rows_applied == 1


def test_users_without_a_link_are_counted(crm: Crm) -> None:
    """By reason, as rows of any file."""
    crm.goal = users_goal(link=[{"field": "number", "property": "customer"}])
    crm.box.load([person("ann", number="7"), person("bob")])
    counters = crm.run().counters
    assert (counters.rows_applied, counters.rows_without_identifier) == (1, 1)


def test_nothing_there_is_a_success(crm: Crm) -> None:
    """An empty project imports nobody, and is read again from the start."""
    report = crm.run()
    assert (report.files[0].state, counted(report)) == ("imported", (0, 0, 0))
    assert PROFILES.properties[0].name == "email"
    crm.box.load([person("ann", updated=-1)])
    crm.box.clock.advance(HOUR)
    assert counted(crm.run()) == (1, 1, 0)
    assert crm.people("email") == [("ann@example.com",)]
    assert NOON.timestamp() < crm.box.clock()

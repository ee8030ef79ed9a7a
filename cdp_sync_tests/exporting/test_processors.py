"""Processors in exports: written values, deliveries and counters."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.sailthru.goals import UserExportGoal
from cdp_sync.errors import ProcessorFailed
from cdp_sync.exporting import UserRun, select_segment
from cdp_sync.exporting.preview import preview_export
from cdp_sync_tests.exporting.exporter import NOON, Exporter, column, goal

FUNCTIONS = "cdp_sync_tests.processing.functions"

PEOPLE = [
    {"email": "ann@example.com", "name": "ANN", "count": 7, "likes": ["tea"]},
    {"email": "bob@example.com", "name": "Bob", "count": 8},
    {"email": "cy@example.com", "name": "cy"},
]


def exporter(folder: Path, *processors: dict[str, Any], **declared: Any) -> Exporter:
    """Return an exporter of three people with these processors."""
    made = Exporter(folder, goal(processors=processors, **declared))
    made.hold(PEOPLE)
    return made


def lines(made: Exporter) -> list[str]:
    """Run the goal and return the rows of its file as lines."""
    made.run()
    return made.delivered().decode().splitlines()


def test_fields_change_and_added_ones_become_columns(tmp_path: Path) -> None:
    """Changed fields are written and quoted where needed; added fields follow the other columns."""
    joined = {"concatenate": {"fields": ["Name", "Email"], "into": "Both", "separator": ", "}}
    made = exporter(tmp_path, {"casing": {"field": "Name", "to": "lower"}}, joined)
    assert lines(made) == [
        "Email,Name,Both",
        'ann@example.com,ann,"ann, ann@example.com"',
        'bob@example.com,bob,"bob, bob@example.com"',
        'cy@example.com,cy,"cy, cy@example.com"',
    ]


def test_filtered_profiles_are_counted_and_not_delivered(tmp_path: Path) -> None:
    """A filtered profile is counted and not delivered; it is delivered once it passes."""
    made = exporter(tmp_path, {"filter": {"field": "Name", "drop": "^B"}})
    counters = made.counters()
    assert (counters.profiles_in_segment, counters.profiles_filtered, counters.profiles_written) == (3, 1, 2)
    assert b"bob" not in made.delivered()
    made.change("update warehouse.profile set name = 'Rob' where email = 'bob@example.com'")
    counters = made.counters()
    assert (counters.profiles_filtered, counters.profiles_same, counters.profiles_written) == (0, 2, 1)
    assert made.delivered().decode().splitlines()[1:] == ["bob@example.com,Rob"]


def test_an_added_date_delivers_no_profile_again(tmp_path: Path) -> None:
    """An added date does not make unchanged profiles differ."""
    made = exporter(tmp_path, {"add_date": {"field": "On", "format": "%M"}})
    assert lines(made)[1:] == ["ann@example.com,ANN,00", "bob@example.com,Bob,00", "cy@example.com,cy,00"]
    assert made.counters().profiles_same == 3


def test_changed_processors_deliver_every_profile_again(tmp_path: Path) -> None:
    """A change of processors delivers every profile again."""
    made = exporter(tmp_path, {"casing": {"field": "Name", "to": "lower"}})
    made.run()
    made.delivered()
    made.goal = goal(processors=[{"casing": {"field": "Name", "to": "upper"}}])
    assert made.counters().profiles_written == 3


def test_first_rows_are_counted_in_the_segment(tmp_path: Path) -> None:
    """`first_rows` counts all profiles of the segment, not only changed ones."""
    made = exporter(tmp_path, {"first_rows": {"rows": 1}})
    assert lines(made)[1:] == ["ann@example.com,ANN"]
    counters = made.counters()
    assert (counters.profiles_same, counters.profiles_filtered, counters.profiles_written) == (1, 2, 0)


def test_functions_get_eligible_profiles(tmp_path: Path) -> None:
    """A function receives the cells of eligible profiles and may drop some."""
    made = exporter(
        tmp_path,
        {"python": {"function": f"{FUNCTIONS}:drop_x", "adds": ["size"]}},
        map=[{"field": "a", "property": "name"}],
    )
    made.change("update warehouse.profile set name = 'x' where email = 'cy@example.com'")
    made.change("update warehouse.profile set name = null where email = 'bob@example.com'")
    counters = made.counters()
    assert (counters.profiles_filtered, counters.profiles_without_value, counters.profiles_written) == (1, 1, 1)
    assert made.delivered().decode().splitlines() == ["a,size", "ANN,3"]


def test_a_function_that_fails_delivers_nothing(tmp_path: Path) -> None:
    """An export whose function fails has the function's name as error and delivers nothing."""
    made = exporter(tmp_path, {"python": f"{FUNCTIONS}:raise_with_a_value"}, map=[{"field": "a", "property": "name"}])
    with pytest.raises(ProcessorFailed, match="raise_with_a_value"):
        made.run()
    assert made.server.published == []


def test_digests_and_pseudonyms_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Personal values are exported as digests, or as pseudonyms with a key from the environment."""
    monkeypatch.setenv("CDP_SYNC_PSEUDONYMS", "secret")
    pseudonyms = {"pseudonymize": {"key_env": "CDP_SYNC_PSEUDONYMS"}}
    made = exporter(tmp_path, {"hash": {"field": "Name"}}, pseudonyms)
    _, ann, *_ = lines(made)
    address, name = ann.split(",")
    assert name == hashlib.sha256(b"ann").hexdigest()
    assert (len(address), "@" in address) == (64, False)


def test_formulas_are_guarded_after_processors(tmp_path: Path) -> None:
    """The formula guard applies to text that a processor makes of a number."""
    made = exporter(
        tmp_path,
        {"convert_values": {"field": "count", "values": {"7": "=1+1"}}},
        map=[column("count")],
        format={"formula_guard": True},
    )
    assert lines(made)[1:] == ["'=1+1", "8"]


def test_a_preview_shows_processed_rows(tmp_path: Path) -> None:
    """A preview runs the processors and shows their rows."""
    made = exporter(tmp_path, {"casing": {"field": "Name", "to": "upper"}}, {"filter": {"field": "Name", "keep": "B"}})
    shown = preview_export(made.next_run())
    assert (shown.header, shown.rows) == (("Email", "Name"), (("bob@example.com", "BOB"),))
    assert shown.counters.profiles_filtered == 2


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        ({"casing": {"field": "Nme", "to": "lower"}}, "processors[0].casing: 'Nme' is no column; did you mean 'Name'?"),
        ({"python": "no_such_module:f"}, "processors[0].python: the module 'no_such_module' is not found"),
    ],
)
def test_problems_are_found_before_a_run(tmp_path: Path, processor: dict[str, Any], words: str) -> None:
    """A missing column or module is a problem of the declaration."""
    made = Exporter(tmp_path, goal(processors=[processor]))
    (problem,) = made.goal.problems(made.profiles)
    assert words in problem


def users(made: Exporter, *processors: dict[str, Any]) -> tuple[UserRun, list[dict[str, Any]]]:
    """Return a run of a goal to users, and its staged users."""
    declared = UserExportGoal.model_validate(
        {
            "name": "users",
            "segment": "everybody",
            "link": [{"field": "email", "property": "email"}],
            "map": [column("name"), column("count"), column("likes")],
            "processors": processors,
        }
    )
    own = made.folder / "users"
    run = UserRun("r", "shop", declared, made.profiles, (), made.warehouse, own / "staging.duckdb", own, NOON)
    counters = select_segment(run)
    assert counters.add_up
    with run.open("none") as session:
        found = session.rows("select line from staging.selected where ending = 'written' order by rowid")
    return run, [json.loads(line) for (line,) in found]


def test_fields_of_users_keep_their_types_unless_changed(tmp_path: Path) -> None:
    """Unchanged fields of users keep their JSON types; changed and added ones are text."""
    made = exporter(tmp_path)
    _, plain = users(made)
    _, found = users(
        made,
        {"convert_values": {"field": "count", "values": {"8": "eight"}}},
        {"casing": {"field": ["name", "likes"], "to": "upper"}},
        {"add_value": {"field": "from", "value": "cdp"}},
        {"filter": {"field": "name", "drop": "CY"}},
    )
    assert [one["vars"] for one in found] == [
        {**plain[0]["vars"], "name": "ANN", "count": 7, "likes": ["TEA"], "from": "cdp"},
        {**plain[1]["vars"], "name": "BOB", "count": "eight", "from": "cdp"},
    ]


def test_numbers_and_truth_values_stay_such(tmp_path: Path) -> None:
    """What a processor makes of a number is a number, if it is one, and so with truth values; else it is text."""
    values = {"7": "-3.5", "8": "007"}
    _, found = users(exporter(tmp_path), {"convert_values": {"field": "count", "values": values}})
    assert [one["vars"]["count"] for one in found[:2]] == [-3.5, "007"]


def test_functions_change_users_too(tmp_path: Path) -> None:
    """A function receives the fields of users as text."""
    _, found = users(exporter(tmp_path), {"python": f"{FUNCTIONS}:lower"})
    assert [(one["vars"]["name"], one["vars"]["count"]) for one in found] == [("ann", 7), ("bob", 8), ("cy", None)]

"""Processors of exports: what is written, delivered and counted."""

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
    """Run the goal, and return the lines of its file after the header."""
    made.run()
    return made.delivered().decode().splitlines()


def test_fields_change_and_added_ones_become_columns(tmp_path: Path) -> None:
    """What processors change is written, quoted where it has to be, and what they add comes after the other columns."""
    joined = {"concatenate": {"fields": ["Name", "Email"], "into": "Both", "separator": ", "}}
    made = exporter(tmp_path, {"casing": {"field": "Name", "to": "lower"}}, joined)
    assert lines(made) == [
        "Email,Name,Both",
        'ann@example.com,ann,"ann, ann@example.com"',
        'bob@example.com,bob,"bob, bob@example.com"',
        'cy@example.com,cy,"cy, cy@example.com"',
    ]


def test_filtered_profiles_are_counted_and_not_delivered(tmp_path: Path) -> None:
    """A profile that a processor drops is counted; when it passes later, it is delivered."""
    made = exporter(tmp_path, {"filter": {"field": "Name", "drop": "^B"}})
    counters = made.counters()
    assert (counters.profiles_in_segment, counters.profiles_filtered, counters.profiles_written) == (3, 1, 2)
    assert b"bob" not in made.delivered()
    made.change("update warehouse.profile set name = 'Rob' where email = 'bob@example.com'")
    counters = made.counters()
    assert (counters.profiles_filtered, counters.profiles_same, counters.profiles_written) == (0, 2, 1)
    assert made.delivered().decode().splitlines()[1:] == ["bob@example.com,Rob"]


def test_an_added_date_delivers_nobody_again(tmp_path: Path) -> None:
    """Profiles whose values are as they were last delivered are the same, whatever the day."""
    made = exporter(tmp_path, {"add_date": {"field": "On", "format": "%M"}})
    assert lines(made)[1:] == ["ann@example.com,ANN,00", "bob@example.com,Bob,00", "cy@example.com,cy,00"]
    assert made.counters().profiles_same == 3


def test_changed_processors_deliver_everybody_again(tmp_path: Path) -> None:
    """Processors are part of the goal's fingerprint."""
    made = exporter(tmp_path, {"casing": {"field": "Name", "to": "lower"}})
    made.run()
    made.delivered()
    made.goal = goal(processors=[{"casing": {"field": "Name", "to": "upper"}}])
    assert made.counters().profiles_written == 3


def test_rows_are_compared_with_each_other(tmp_path: Path) -> None:
    """The first rows of the segment are exported, of all its profiles and not only of those that changed."""
    made = exporter(tmp_path, {"first_rows": {"rows": 1}})
    assert lines(made)[1:] == ["ann@example.com,ANN"]
    counters = made.counters()
    assert (counters.profiles_same, counters.profiles_filtered, counters.profiles_written) == (1, 2, 0)


def test_functions_get_eligible_profiles(tmp_path: Path) -> None:
    """A function gets the cells of profiles that may be exported, and may drop some."""
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
    """The export fails with the function's name, and nothing is on the server."""
    made = exporter(tmp_path, {"python": f"{FUNCTIONS}:raise_with_a_value"}, map=[{"field": "a", "property": "name"}])
    with pytest.raises(ProcessorFailed, match="raise_with_a_value"):
        made.run()
    assert made.server.published == []


def test_digests_and_pseudonyms_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Personal values can leave as digests, or as pseudonyms under a key of the environment."""
    monkeypatch.setenv("CDP_SYNC_PSEUDONYMS", "secret")
    pseudonyms = {"pseudonymize": {"key_env": "CDP_SYNC_PSEUDONYMS"}}
    made = exporter(tmp_path, {"hash": {"field": "Name"}}, pseudonyms)
    _, ann, *_ = lines(made)
    address, name = ann.split(",")
    assert name == hashlib.sha256(b"ann").hexdigest()
    assert (len(address), "@" in address) == (64, False)


def test_formulas_are_guarded_after_processors(tmp_path: Path) -> None:
    """What a processor makes of a number is text, which a spreadsheet might run."""
    made = exporter(
        tmp_path,
        {"convert_values": {"field": "count", "values": {"7": "=1+1"}}},
        map=[column("count")],
        format={"formula_guard": True},
    )
    assert lines(made)[1:] == ["'=1+1", "8"]


def test_a_preview_shows_processed_rows(tmp_path: Path) -> None:
    """A preview runs the processors and shows what would be written."""
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
    """Columns and modules that are not there are problems of the declaration."""
    made = Exporter(tmp_path, goal(processors=[processor]))
    (problem,) = made.goal.problems(made.profiles)
    assert words in problem


def users(made: Exporter, *processors: dict[str, Any]) -> tuple[UserRun, list[dict[str, Any]]]:
    """Return a run of a goal that brings people to users, and the users that it stages."""
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
    """What processors leave alone keeps its JSON type; what they change is text, and what they add as well."""
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


def test_functions_change_users_too(tmp_path: Path) -> None:
    """A function gets the fields of users as text."""
    _, found = users(exporter(tmp_path), {"python": f"{FUNCTIONS}:lower"})
    assert [(one["vars"]["name"], one["vars"]["count"]) for one in found] == [("ann", 7), ("bob", 8), ("cy", None)]

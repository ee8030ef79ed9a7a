"""Columns with the text of the first segment that a profile is in."""

import json
from pathlib import Path

from cdp_sync.connectors.sailthru.goals import UserExportGoal
from cdp_sync.exporting import UserRun
from cdp_sync.exporting.select import select_segment
from cdp_sync_tests.exporting.exporter import Exporter, goal, profiles

NEW = {"name": "new", "when": {"property": "count", "at_most": 1}}
COLUMN = {"field": "State", "first_segment": {"keen": 'Keen, "very"', "new": "New"}}
PEOPLE = [
    {"email": "a@example.com", "keen": True, "count": 1},
    {"email": "b@example.com", "keen": None, "count": 1},
    {"email": "c@example.com", "keen": False, "count": 2},
]


def exporter(folder: Path, column: dict[str, object]) -> Exporter:
    """Return an export of addresses and states."""
    columns = [{"field": "Email", "property": "email"}, column]
    everybody = {"name": "everybody", "when": {"property": "email", "has_value": True}}
    keen = {"name": "keen", "when": {"property": "keen", "equals": True}}
    made = Exporter(folder, goal(map=columns), profiles(segments=[everybody, keen, NEW]))
    made.hold(PEOPLE)
    return made


def test_the_first_segment_counts(tmp_path: Path) -> None:
    """A profile has the text of the first segment that it is in, and that of `otherwise` if it is in none."""
    made = exporter(tmp_path, COLUMN | {"otherwise": "Old"})
    made.run()
    assert made.delivered().decode().splitlines() == [
        "Email,State", 'a@example.com,"Keen, ""very"""', "b@example.com,New", "c@example.com,Old",
    ]  # fmt: skip


def test_without_otherwise_others_have_no_text(tmp_path: Path) -> None:
    """The cell is empty; when a profile enters a segment, its row is delivered again."""
    made = exporter(tmp_path, COLUMN)
    made.run()
    assert made.delivered().decode().splitlines()[-1] == "c@example.com,"
    made.change("update warehouse.profile set keen = true where not keen")
    assert made.counters().profiles_written == 1


def test_users_of_a_platform_have_the_text(tmp_path: Path) -> None:
    """A field of a user holds the text, or null."""
    made = exporter(tmp_path, COLUMN)
    link = [{"field": "email", "property": "email"}]
    declared = {
        "name": "users",
        "segment": "everybody",
        "link": link,
        "map": [COLUMN, {"field": "n", "property": "count"}],
    }
    run = made.next_run()
    users = UserRun(
        run.run_id, "crm", UserExportGoal.model_validate(declared), made.profiles, (), run.warehouse, run.staging,
        run.folder, run.now,
    )  # fmt: skip
    select_segment(users)
    with users.open("none") as session:
        lines = [json.loads(line) for (line,) in session.rows("select line from staging.selected order by rowid")]
    assert [line["vars"]["State"] for line in lines] == ['Keen, "very"', "New", None]

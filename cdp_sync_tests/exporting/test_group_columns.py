"""Columns that hold a property of the groups that a profile belongs to."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.model import FileExportGoal, Profiles
from cdp_sync_tests.exporting.exporter import EVERYBODY, Exporter, goal

MODEL = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "home", "type": "group", "group_type": "store"},
            {"name": "stores", "type": "group", "group_type": "store", "multiple": True},
        ],
        "group_types": [
            {"name": "store", "properties": [{"name": "city"}, {"name": "opened", "type": "date"}]},
        ],
        "segments": [EVERYBODY],
    }
)
COLUMNS = [
    {"field": "Email", "property": "email"},
    {"field": "Home", "group": "home", "property": "city"},
    {"field": "Cities", "group": "stores", "property": "city"},
    {"field": "Opened", "group": "stores", "property": "opened"},
]
PEOPLE: list[dict[str, Any]] = [
    {"email": "ada@x.nl", "home": "17", "stores": ["18", "17", "19"]},
    {"email": "bob@x.nl", "home": "no such", "stores": ["18", "no such"]},
    {"email": "cleo@x.nl", "home": None, "stores": None},
]


def exporter(folder: Path) -> Exporter:
    """Return an exporter of three people, with a goal that exports their stores' cities."""
    made = Exporter(folder, goal(map=COLUMNS, format={"multi_value": "|", "header": False}), MODEL)
    made.hold(PEOPLE)
    return made


def test_a_column_has_the_property_of_each_group(tmp_path: Path) -> None:
    """Values are unique and in ascending order; before groups are imported they are empty; a change is exported."""
    shop = exporter(tmp_path)
    assert shop.counters().profiles_written == 3
    assert shop.delivered() == b"ada@x.nl,,,\nbob@x.nl,,,\ncleo@x.nl,,,\n"
    shop.change("create table warehouse.group_store (group_id varchar, city varchar, opened date)")
    shop.change("insert into warehouse.group_store values ('17', 'Ede', '2020-01-31'), ('18', 'Delft', null)")
    shop.change("insert into warehouse.group_store values ('19', 'Ede', '2019-01-31')")
    shop.change("alter table warehouse.group_store add column updated_at timestamptz")
    assert shop.counters().profiles_written == 2
    assert shop.delivered() == b"ada@x.nl,Ede,Delft|Ede,2019-01-31|2020-01-31\nbob@x.nl,,Delft,\n"
    assert shop.counters().profiles_written == 0
    shop.change("update warehouse.group_store set city = 'Urk' where group_id = '18'")
    assert shop.counters().profiles_written == 2
    assert shop.delivered() == b"ada@x.nl,Ede,Ede|Urk,2019-01-31|2020-01-31\nbob@x.nl,,Urk,\n"


def test_profiles_with_a_group_that_has_a_value_are_exported(tmp_path: Path) -> None:
    """Where only properties of groups are mapped, profiles whose groups have none are left out."""
    shop = exporter(tmp_path)
    shop.goal = goal(map=COLUMNS[1:2], format={"header": False})
    shop.change("create table warehouse.group_store (group_id varchar, city varchar, opened date)")
    shop.change("insert into warehouse.group_store values ('17', 'Ede', null)")
    counters = shop.counters()
    assert (counters.profiles_written, counters.profiles_without_value) == (1, 2)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({"group": "email", "property": "city"}, "map[0].group: 'email' is no property of type group; allowed: home"),
        ({"group": "home", "property": "town"}, "map[0].property: 'town' is unknown; allowed: "),
        ({"group": "stores", "property": "city"}, "map[0].property: 'city': holds several values; needed is `format"),
    ],
)
def test_columns_that_do_not_fit_the_groups_are_refused(column: dict[str, Any], expected: str) -> None:
    """One problem names the key, what was found and what is allowed."""
    declared = FileExportGoal.model_validate({"name": "out", "segment": "everybody", "map": [{"field": "A", **column}]})
    (problem,) = declared.problems(MODEL)
    assert problem.startswith(expected), problem

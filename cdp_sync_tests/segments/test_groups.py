"""Conditions on the groups that profiles belong to."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal_column, select

from cdp_sync.model import Condition, Profiles, Segment
from cdp_sync.model.consistency import find_profile_problems
from cdp_sync.segments.conditions import condition_of
from cdp_sync.segments.describe import in_words
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.statements import shown, step
from cdp_sync.warehouse import Session, Warehouse, sync_properties, warehouse_columns
from cdp_sync_tests.exporting.strategies import property_condition
from cdp_sync_tests.generated import examples
from cdp_sync_tests.segments.event_oracle import item_meets

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MODEL = Profiles.model_validate(
    {
        "properties": [
            {"name": "home", "type": "group", "group_type": "store"},
            {"name": "stores", "type": "group", "group_type": "store", "multiple": True},
            {"name": "firm", "type": "group", "group_type": "company"},
        ],
        "group_types": [
            {"name": "store", "properties": [{"name": "city"}, {"name": "size", "type": "number"}]},
            {"name": "company", "properties": [{"name": "city"}]},
        ],
    }
)
STORE = MODEL.group["store"]
GROUPS: list[dict[str, Any]] = [
    {"group_id": "17", "city": "a", "size": 1},
    {"group_id": "18", "city": "A", "size": None},
    {"group_id": "x'y", "city": None, "size": 2},
]
IDS = (None, "17", "18", "x'y", "not imported")
HELD: list[list[str] | None] = [None, [], ["17"], ["17", "x'y"], ["not imported", "18"], ["not imported"]]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A warehouse with three stores, no table of companies, and a profile for each pair of homes and stores."""
    with Warehouse(tmp_path_factory.mktemp("groups") / "warehouse.duckdb").open("write") as opened:
        sync_properties(opened, MODEL)
        opened.execute("create table warehouse.group_store (group_id varchar, city varchar, size bigint)")
        for group in GROUPS:
            opened.execute("insert into warehouse.group_store values ($group_id, $city, $size)", group)
        for number, (home, stores) in enumerate(product(IDS, HELD)):
            opened.execute(
                "insert into warehouse.profile (profile_id, home, stores) values (?, ?, ?)",
                [UUID(int=number), home, stores],
            )
        yield opened


def where(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Draw a condition on the properties of a store."""
    match draw(st.sampled_from((*(("all", "any", "not") if depth else ()), "is", "is"))):
        case "all" | "any" as joined:
            return {joined: [where(draw, depth - 1) for _ in range(draw(st.integers(1, 2)))]}
        case "not":
            return {"not": where(draw, depth - 1)}
    return property_condition(draw, draw(st.sampled_from(STORE.properties)), NOW)


@examples(60)
@given(st.sampled_from(["home", "stores"]), st.data())
def test_conditions_on_groups_agree_with_loops(session: Session, name: str, data: st.DataObject) -> None:
    """A profile meets a condition if one of its groups does; a group that is not imported meets none."""
    asked = data.draw(st.composite(where)())
    when = {"group": name, **(asked if "property" in asked and data.draw(st.booleans()) else {"where": asked})}
    condition = condition_of(Condition.model_validate(when), MODEL, NOW, warehouse_columns(session))
    query = step("found", select(literal_column("profile_id"), condition).select_from(PROFILE))
    rows = {profile.int: held for profile, held in session.rows(query.sql, query.values)}
    assert rows == {profile.int: held for profile, held in session.rows(shown(query))}
    meeting = {group["group_id"] for group in GROUPS if item_meets(group, asked, STORE.properties, NOW)}
    assert rows == {
        number: bool(meeting & ({home} if name == "home" else set(stores or [])))
        for number, (home, stores) in enumerate(product(IDS, HELD))
    }


def test_a_type_without_table_has_no_groups(tmp_path: Path) -> None:
    """Before the first import of groups nobody meets a condition on them, and everybody its opposite."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("read") as session:
        columns = warehouse_columns(session)
    when = Condition.model_validate({"group": "firm", "property": "city", "is_empty": True})
    assert str(condition_of(when, MODEL, NOW, columns)) == "false"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"group": "home", "property": "city", "equals": "Berlin"}, "in one of the groups `home`, `city` is `Berlin`"),
        (
            {"group": "stores", "where": {"not": {"any": [{"property": "size", "at_most": 2}]}}},
            "in one of the groups `stores`, none of:\n- `size` is at most 2",
        ),
    ],
)
def test_conditions_on_groups_are_described(when: dict[str, Any], expected: str) -> None:
    """The sentence names the property that holds the groups."""
    assert in_words(Segment.model_validate({"name": "asking", "when": when}), MODEL) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"group": "store", "property": "city", "equals": "x"}, "group: 'store' is no property of type group; did you"),
        ({"group": "home", "property": "town", "equals": "x"}, "property: 'town' is unknown; allowed:"),
        ({"group": "home", "property": "size", "contains_any": ["x"]}, "contains_any: size is number; allowed:"),
        ({"group": "home", "where": {"event": "order"}}, "where.event: 'order' is asked of profiles; inside where:"),
    ],
)
def test_conditions_that_do_not_fit_the_groups_are_refused(when: dict[str, Any], expected: str) -> None:
    """One problem names the place, what was found and what is allowed."""
    asking = Segment.model_validate({"name": "asking", "when": when})
    (problem,) = find_profile_problems(MODEL.model_copy(update={"segments": (asking,)}))
    assert problem.startswith(f"segments[0].when.{expected}"), problem

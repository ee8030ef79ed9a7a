"""Groups are imported by the statements that import profiles: these take table, key and identifiers from a value."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.importing import ImportRun
from cdp_sync.importing.delta.replace import compare_rows, select_fresh_rows
from cdp_sync.importing.linking.linking import link_rows
from cdp_sync.importing.pipeline import parse_files
from cdp_sync.importing.staging.columns import plan_columns
from cdp_sync.importing.upserting.contributions import list_steps, profile_reversal_steps
from cdp_sync.importing.upserting.patch import patch_steps
from cdp_sync.importing.upserting.plan import Changes, outcome_steps, write_steps
from cdp_sync.importing.upserting.upsert import declare_properties, sample_steps
from cdp_sync.importing.upserting.withheld import withheld_steps
from cdp_sync.model import FileGroupGoal, Profiles
from cdp_sync.model.group_import import FileGroupImport
from cdp_sync_tests.trail.importer import Importer, arrived

SHOPS = Profiles(
    properties=({"name": "email", "type": "email", "identifier": True},),
    group_types=(
        {
            "name": "shop",
            "properties": ({"name": "city"}, {"name": "kinds", "multiple": True}, {"name": "privacy_legislation"}),
        },
    ),
)
MAP = [{"field": "City", "property": "city"}, {"field": "Kinds", "property": "kinds", "mode": "add"}]


def shop_goal(**declared: Any) -> FileGroupImport:
    """Return the engine's goal that imports shops."""
    usual = {"name": "shops", "type": "shop", "id": "Code", "directory": "/inbox", "map": MAP}
    return FileGroupGoal(**usual | declared).as_groups(FileGroupImport)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """An importer of shops."""
    return Importer(tmp_path, shop_goal(), SHOPS)


def apply(importer: Importer, text: str, *, whole: bool, allowed: str = "true") -> ImportRun:
    """Link and upsert the rows of a file into the table of shops, by the statements of an import."""
    run = importer.new_run()
    parse_files(run, arrived(importer.folder / run.run_id, {"/inbox/shops.csv": text}))
    columns = plan_columns(run.goal, run.profiles)
    with run.open("write") as session:
        declare_properties(session, run)
        compare_rows(session, run)
        select_fresh_rows(session, run, columns)
        link_rows(session, run, columns)
        session.run(patch_steps(columns, summed=False))
        session.run(withheld_steps(columns, allowed))
        session.run(outcome_steps(columns, whole=whole))
        created = bool(session.value("select exists (from touched_profile where is_new)"))
        changed = frozenset(name for (name,) in session.rows("select distinct unnest(_changed) from changed_profile"))
        session.run(write_steps(columns, Changes(created, changed, whole), datetime.now(UTC), 1))
    return run


def shops(importer: Importer) -> list[tuple[Any, ...]]:
    """Return all shops without their own ids."""
    return importer.rows("select group_id, city, kinds from warehouse.group_shop order by group_id")


@pytest.mark.parametrize("whole", [True, False])
def test_rows_create_and_update_records_of_another_entity(importer: Importer, whole: bool) -> None:
    """Groups, with their own table, key and identifiers, are linked and upserted; no profile is touched."""
    apply(importer, "Code,City,Kinds\nA,Delft,food\nB,Leiden,\n", whole=whole)
    ids = dict(importer.rows("select group_id, _group from warehouse.group_shop"))
    assert shops(importer) == [("A", "Delft", ["food"]), ("B", "Leiden", None)]
    apply(importer, "Code,City,Kinds\nB,Utrecht,toys\nC,Gouda,\n", whole=whole)
    assert shops(importer) == [("A", "Delft", ["food"]), ("B", "Utrecht", ["toys"]), ("C", "Gouda", None)]
    now = dict(importer.rows("select group_id, _group from warehouse.group_shop"))
    assert {code: now[code] for code in ids} == ids
    held = importer.rows("select value, _group from warehouse.group_shop_identifier where property = 'group_id'")
    assert dict(held) == now
    assert importer.rows("select count(*) from warehouse.profile_identifier") == [(0,)]


def test_records_that_may_not_be_processed_stay_as_they_are(importer: Importer) -> None:
    """The step that withholds records reads the entity's own table."""
    apply(importer, "Code,City,Kinds\nA,Delft,\n", whole=False)
    apply(importer, "Code,City,Kinds\nA,Utrecht,\n", whole=False, allowed="false")
    assert shops(importer) == [("A", "Delft", None)]


def test_statements_that_take_back_name_the_entity() -> None:
    """What takes back sums and values of lists, and what shows a sample, reads the entity's own tables."""
    columns = plan_columns(shop_goal(row_key=["Code"]), SHOPS)
    changes = Changes(created=True, properties=frozenset({"city"}), whole=False)
    steps = (
        *list_steps(columns, "source")[1:2],
        profile_reversal_steps(columns, lists=True)[0],
        sample_steps(columns, changes)[1],
    )
    for step in steps:
        assert "_group" in step.sql
        assert "warehouse.profile" not in step.sql
        assert "live_profile" not in step.sql

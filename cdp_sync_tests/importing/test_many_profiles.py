"""Imports of a few rows into a million profiles. At this size DuckDB 2.0.0 raised an internal error."""

import random
import shutil
from pathlib import Path

import pytest

from cdp_sync_tests.benchmarks.generate import write_customers
from cdp_sync_tests.trail.importer import Importer, goal

PROFILES = 1_000_000
TRIES = 2

EVERYTHING = goal(
    format={"multi_value": ";"},
    map=[
        {"field": "FirstName", "property": "first_name"},
        {"field": "CustomerId", "property": "customer_id"},
        {"field": "Orders", "property": "order_count"},
        {"field": "Total", "property": "order_total"},
        {"field": "Birthday", "property": "birthday"},
        {"field": "LastSeen", "property": "last_seen"},
        {"field": "Interests", "property": "interests"},
    ],
)
NAMES = goal(name="names", map=[{"field": "FirstName", "property": "first_name"}])


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a warehouse with a million imported profiles."""
    folder = tmp_path_factory.mktemp("million")
    file = write_customers(folder / "customers.csv", rows=PROFILES)
    importer = Importer(folder / "first", EVERYTHING)
    assert importer.deliver({"/customers.csv": file.read_bytes()}).counters.profiles_created == PROFILES
    return importer.warehouse.path


@pytest.mark.slow
@pytest.mark.parametrize("spread", [True, False], ids=["anywhere", "side by side"])
@pytest.mark.parametrize("changed", [1_000, 10_000])
def test_few_changed_names_among_a_million_are_updated(
    changed: int, spread: bool, warehouse: Path, tmp_path: Path
) -> None:
    """Only the changed names are written; the last five keep their values before and after."""
    for seed in range(TRIES):
        importer = Importer(tmp_path / str(seed), NAMES)
        shutil.copy(warehouse, importer.warehouse.path)
        people = range(PROFILES) if spread else range(seed * changed, (seed + 1) * changed)
        rows = (f"user{i}@example.com,New{i % 700}\n" for i in random.Random(seed).sample(people, changed))
        report = importer.deliver({"/names.csv": "Email,FirstName\n" + "".join(rows)})
        assert report.counters.profiles_updated == changed
        held = "count(*), count(distinct profile_id), count(*) filter (first_name like 'New%'), count(customer_id)"
        assert importer.rows(f"select {held} from warehouse.profile") == [(PROFILES, PROFILES, changed, PROFILES)]
        has_changed_names = importer.rows(
            "select before like 'First%' and after like 'New%' from warehouse.changed_value where kind = 'updated'"
        )
        assert has_changed_names == [(True,)] * 5


DESCENTS = """
select count(*)
from (select {what} as this, lag({what}) over (order by rowid) as former from {table})
where this < former"""


@pytest.mark.slow
def test_a_million_profiles_are_stored_in_order(warehouse: Path, tmp_path: Path) -> None:
    """Ids ascend by row and identifiers by value, but for where a thread began anew: a search reads few row groups."""
    importer = Importer(tmp_path, NAMES)
    shutil.copy(warehouse, importer.warehouse.path)
    of_ids = DESCENTS.format(what="(profile_id::text)[:18]", table="warehouse.profile")
    of_values = DESCENTS.format(what="property || ' ' || value", table="warehouse.profile_identifier")
    assert importer.rows(f"select ({of_ids}) < 20, ({of_values}) < 20") == [(True, True)]
    versions = "select distinct uuid_extract_version(profile_id) from warehouse.profile"
    assert importer.rows(versions) == [(7,)]
    steps = "select max(times) from (select count(*) as times from warehouse.profile group by (profile_id::text)[:18])"
    assert importer.rows(steps) == [(8192,)]

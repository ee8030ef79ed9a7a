"""Updated profiles that are written as new rows keep the properties that the goal does not write."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.importing.upserting import upsert as applying
from cdp_sync_tests.importing import test_many_rows as many
from cdp_sync_tests.trail.importer import Importer, goal

ALWAYS, NEVER = 1.0, -1.0
"""The largest share of the profiles that is written as new rows."""


def test_linking_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linking agrees with the oracle where profiles are replaced."""
    monkeypatch.setattr(applying, "FEW", ALWAYS)
    many.test_linking_agrees(60, tmp_path)


def test_conversions_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversion agrees with the oracle where profiles are replaced."""
    monkeypatch.setattr(applying, "FEW", ALWAYS)
    many.test_conversions_agree(".", "UTC", ["iso"], tmp_path)


def test_consent_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent agrees with the oracle where profiles are replaced."""
    monkeypatch.setattr(applying, "FEW", ALWAYS)
    many.test_consent_agrees(("ads",), tmp_path)


def held(importer: Importer) -> list[dict[str, Any]]:
    """Return all profiles by address, without ids and times."""
    with importer.warehouse.open("read") as session:
        return session.records(
            "select * exclude (profile_id, created_at, updated_at) from warehouse.profile order by email"
        )


@pytest.mark.parametrize("few", [ALWAYS, NEVER], ids=["replaced", "in place"])
def test_unmapped_properties_stay(few: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the mapped properties and `updated_at` change, and no row is duplicated."""
    monkeypatch.setattr(applying, "FEW", few)
    importer = Importer(tmp_path)
    whole = goal(
        format={"multi_value": ";"},
        map=[
            {"field": "Name", "property": "first_name"},
            {"field": "Likes", "property": "interests"},
            {"field": "Born", "property": "birthday"},
            {"field": "Id", "property": "customer_id"},
        ],
    )
    importer.goal = whole
    importer.deliver({"/a.csv": "Email,Name,Likes,Born,Id\na@x,Ann,art;jazz,1990-01-02,7\nb@x,Bob,,,8\n"})
    names = "select email, profile_id, created_at, updated_at from warehouse.profile order by email"
    before, known = held(importer), importer.rows(names)
    importer.goal = goal()
    report = importer.deliver({"/b.csv": "Email,Name\na@x,Anna\nb@x,Bob\n"})
    assert (report.counters.profiles_updated, report.counters.profiles_unchanged) == (1, 1)
    assert held(importer) == [{**before[0], "first_name": "Anna"}, before[1]]
    after = importer.rows(names)
    assert [row[:3] for row in after] == [row[:3] for row in known]
    assert [new[3] > old[3] for new, old in zip(after, known, strict=True)] == [True, False]
    identifiers = importer.rows("select property, value from warehouse.profile_identifier order by all")
    assert identifiers == [("customer_id", "7"), ("customer_id", "8"), ("email", "a@x"), ("email", "b@x")]


@pytest.mark.parametrize("every", [1, 1_000])
def test_replaced_rows_are_vacuumed_at_intervals(every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced rows are vacuumed after every nth small import, since a vacuum takes longer than the import."""
    monkeypatch.setattr(applying, "FEW", ALWAYS)
    monkeypatch.setattr(applying, "_VACUUM_EVERY", every)
    rows, changed = 300_000, 225_000
    importer = Importer(tmp_path)
    importer.deliver({"/a.csv": "Email,Name\n" + "".join(f"p{n}@x,A\n" for n in range(rows))})
    importer.deliver({"/b.csv": "Email,Name\n" + "".join(f"p{n}@x,B\n" for n in range(rows) if n % 4)})
    assert importer.rows("select count(*) from warehouse.profile") == [(rows,)]
    ((stored,),) = importer.rows(
        "select sum(count) from pragma_storage_info('warehouse.profile') where column_name = 'profile_id' "
        "and segment_type = 'UUID'"
    )
    assert (stored < rows + changed) is (every == 1)

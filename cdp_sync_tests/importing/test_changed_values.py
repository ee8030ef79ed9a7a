"""The samples of a run: the last profiles that it created and updated, with their changed values."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import WarehouseLocked
from cdp_sync.importing.upserting import upsert as applying
from cdp_sync_tests.trail.importer import Importer, goal

ALL = goal(
    link=[{"field": "Email", "property": "email"}, {"field": "Id", "property": "customer_id"}],
    format={"multi_value": ";"},
    map=[
        {"field": "Name", "property": "first_name", "mode": "set_or_clear"},
        {"field": "Total", "property": "order_total", "mode": "sum"},
        {"field": "Likes", "property": "interests", "mode": "add"},
    ],
)
HEADER = "Email,Id,Name,Total,Likes\n"


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """A connection with one goal that uses several set modes."""
    return Importer(tmp_path, ALL)


def kept(importer: Importer, run: int) -> set[tuple[Any, ...]]:
    """Return the changed values of a run as address, kind, property, before and after."""
    query = """
        select email, kind, property, before, after
        from warehouse.changed_value join warehouse.profile using (profile_id)
        where run_id = ? and connection = 'shop' and goal = 'customers'"""
    return set(importer.rows(query, [f"shop{run}"]))


def test_a_created_profile_has_no_values_before(importer: Importer) -> None:
    """A created profile has null before and text after for each property that it received."""
    importer.deliver({"/a.csv": f"{HEADER}a@x,1,Ann,1.5,art;jazz\n"})
    assert kept(importer, 1) == {
        ("a@x", "created", "email", None, "a@x"),
        ("a@x", "created", "customer_id", None, "1"),
        ("a@x", "created", "first_name", None, "Ann"),
        ("a@x", "created", "order_total", None, "1.5000"),
        ("a@x", "created", "interests", None, "[art, jazz]"),
    }


def test_an_updated_profile_has_only_its_changed_values(importer: Importer) -> None:
    """An updated profile has the value before and after for each changed property, and no other."""
    importer.deliver({"/a.csv": f"{HEADER}a@x,,Ann,1.5,art\nb@x,,Bob,,\n"})
    report = importer.deliver({"/b.csv": f"{HEADER}a@x,7,,2,jazz\nb@x,,Bob,,\n"})
    assert kept(importer, 2) == {
        ("a@x", "updated", "customer_id", None, "7"),
        ("a@x", "updated", "first_name", "Ann", None),
        ("a@x", "updated", "order_total", "1.5000", "3.5000"),
        ("a@x", "updated", "interests", "[art]", "[art, jazz]"),
    }
    (sample,) = report.samples
    assert set(sample.properties) == {"customer_id", "first_name", "order_total", "interests"}


def test_only_the_last_five_of_each_kind_are_kept(importer: Importer) -> None:
    """The last five created and the last five updated profiles are kept and reported."""
    importer.deliver({"/a.csv": HEADER + "".join(f"old{n}@x,,A,,\n" for n in range(8))})
    rows = "".join(f"old{n}@x,,B,,\nnew{n}@x,,C,,\n" for n in range(8))
    report = importer.deliver({"/b.csv": HEADER + rows})
    people = {(kind, email) for email, kind, *_ in kept(importer, 2)}
    last = range(3, 8)
    assert people == {("created", f"new{n}@x") for n in last} | {("updated", f"old{n}@x") for n in last}
    names = dict(importer.rows("select profile_id::text, email from warehouse.profile"))
    assert [names[sample.profile_id] for sample in report.samples] == [
        *(f"new{n}@x" for n in reversed(last)),
        *(f"old{n}@x" for n in reversed(last)),
    ]


def test_a_rolled_back_run_leaves_no_changed_values(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rolled back run leaves no changed values."""
    with monkeypatch.context() as patched:
        patched.setattr(applying, "write_run", locked)
        with pytest.raises(WarehouseLocked):
            importer.deliver({"/a.csv": f"{HEADER}a@x,1,Ann,1.5,art\n"})
    assert importer.rows("select count(*) from warehouse.changed_value") == [(0,)]


def locked(*_: object, **__: object) -> None:
    """Raise the error of a locked warehouse."""
    raise WarehouseLocked("Somebody writes.")

"""What a scan shows of a goal with processors: the first rows before and after each, and how their cells read."""

from pathlib import Path
from typing import Any

from cdp_sync.importing.preview import Preview, preview
from cdp_sync.model import FileGoal, Profiles
from cdp_sync.warehouse import Warehouse

PROFILES = Profiles.model_validate(
    {"properties": [{"name": "email", "type": "email", "identifier": True}, {"name": "born", "type": "date"}]}
)


def shown(folder: Path, content: str, *processors: dict[str, Any], whole: bool = True) -> Preview:
    """Return the preview of a file."""
    goal = FileGoal.model_validate(
        {
            "name": "people",
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": "Born", "property": "born"}],
            "processors": processors,
        }
    )
    return preview("/in/people.csv", content.encode(), goal, PROFILES, Warehouse(folder / "w.duckdb"), whole=whole)


def test_rows_are_shown_before_and_after_each_processor(tmp_path: Path) -> None:
    """Every step has the fields at its place, the cells, and which rows are left."""
    dates = {"convert_dates": {"field": "Born", "from": ["%d-%m-%Y"]}}
    content = "Email,Born\nann@example.com,31-12-1990\nx,soon\n"
    found = shown(tmp_path, content, {"filter": {"field": "Email", "keep": "@"}}, dates)
    assert [(one.after, one.kept) for one in found.processing] == [
        ("", (True, True)),
        ("1 filter", (True, False)),
        ("2 convert_dates", (True, False)),
    ]
    assert found.processing[0].rows[0] == ("ann@example.com", "31-12-1990")
    assert found.processing[2].rows[0] == ("ann@example.com", "1990-12-31")
    assert [(one.cell, one.value) for one in found.readings] == [("1990-12-31", "1990-12-31")]
    assert found.refused is False


def test_fields_that_are_added_are_shown(tmp_path: Path) -> None:
    """An added field is one of the file's from there on; a mapped one need not be in the file."""
    found = shown(tmp_path, "Email\nann@example.com\n", {"add_value": {"field": "Born", "value": "2000-01-01"}})
    assert found.fields == ("Email", "Born")
    assert [one.fields for one in found.processing] == [("Email",), ("Email", "Born")]


def test_a_processor_that_fails_refuses_the_file(tmp_path: Path) -> None:
    """A field that is missing, or a function that raises, is what a run would refuse the file for."""
    missing = shown(tmp_path, "Email\nann@example.com\n", {"casing": {"field": "Nme", "to": "lower"}})
    failing = {"python": "cdp_sync_tests.processing.functions:raise_with_a_value"}
    raising = shown(tmp_path, "Email,a\nann@example.com,secret\n", failing, whole=False)
    assert missing.refused
    assert "Nme" in missing.message
    assert raising.refused
    assert "raise_with_a_value" in raising.message
    assert "secret" not in raising.message

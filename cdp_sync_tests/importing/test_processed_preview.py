"""The preview of a goal with processors: first rows before and after each processor."""

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
    """Each step has its fields, cells, and which rows are kept."""
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


def test_added_fields_are_shown(tmp_path: Path) -> None:
    """An added field is shown after its processor, and a mapped field may be an added one."""
    found = shown(tmp_path, "Email\nann@example.com\n", {"add_value": {"field": "Born", "value": "2000-01-01"}})
    assert found.fields == ("Email", "Born")
    assert [one.fields for one in found.processing] == [("Email",), ("Email", "Born")]


def test_a_processor_that_fails_refuses_the_file(tmp_path: Path) -> None:
    """A missing field or a function that raises refuses the file, as in a run."""
    missing = shown(tmp_path, "Email\nann@example.com\n", {"casing": {"field": "Nme", "to": "lower"}})
    failing = {"python": "cdp_sync_tests.processing.functions:raise_with_a_value"}
    raising = shown(tmp_path, "Email,a\nann@example.com,secret\n", failing, whole=False)
    assert missing.refused
    assert "Nme" in missing.message
    assert raising.refused
    assert "raise_with_a_value" in raising.message
    assert "secret" not in raising.message

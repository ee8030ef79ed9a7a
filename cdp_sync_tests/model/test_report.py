"""Run reports: counters that add up, states, and messages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.model import (
    COUNTERS,
    EXPORT_COUNTERS,
    ROW_ENDS,
    Counters,
    ExportCounters,
    ExportReport,
    FileReport,
    GoalState,
    ImportReport,
    RemoteFile,
    Report,
)

NUMBERS = st.integers(0, 10**9)
ENDS = st.lists(NUMBERS, min_size=len(ROW_ENDS), max_size=len(ROW_ENDS))


def counted(ends: list[int]) -> Counters:
    """Return counters of rows with these outcomes."""
    return Counters(rows_read=sum(ends), **dict(zip(ROW_ENDS, ends, strict=True)))


def test_counters_have_the_names_of_the_contract() -> None:
    """Counters have the names and order that tables, metadata and JSON rely on."""
    assert COUNTERS == (
        "rows_read",
        "rows_applied",
        "rows_unchanged",
        "rows_filtered",
        "rows_rejected",
        "rows_without_identifier",
        "rows_unmatched",
        "rows_without_consent",
        "profiles_created",
        "profiles_updated",
        "profiles_unchanged",
        "profiles_merged",
        "profiles_unmerged",
        "rows_ambiguous",
        "values_invalid",
        "events_created",
        "events_updated",
        "events_unchanged",
        "events_waiting",
        "groups_created",
        "groups_updated",
        "groups_unchanged",
    )
    assert COUNTERS[1:8] == ROW_ENDS


@given(st.lists(ENDS, max_size=4))
def test_the_sum_of_counters_that_add_up_adds_up(files: list[list[int]]) -> None:
    """Each row read has exactly one outcome, per file and per run."""
    total = ImportReport("a", tuple(FileReport(str(n), "imported", counted(e)) for n, e in enumerate(files))).counters
    assert total.add_up
    assert total.rows_read == sum(map(sum, files))


@pytest.mark.parametrize("report", [ImportReport("a", error="Down."), ExportReport("a", "everybody", error="Down.")])
def test_both_directions_have_the_same_report(report: Report) -> None:
    """Import and export reports have the same parts; a failed goal has its error as message."""
    assert (report.state, report.errors, report.message) == (GoalState.FAILED, ("Down.",), "Down.")
    parts = [name for name in report.to_json() if name not in (*COUNTERS, *EXPORT_COUNTERS, "eligible")]
    assert parts == ["goal", "state", "message", "seconds", "files"]
    assert report.direction == ("import" if isinstance(report, ImportReport) else "export")


def test_outcomes_are_described() -> None:
    """The description of outcomes leaves out zeros and the noun."""
    assert Counters(rows_read=3, rows_applied=2, rows_without_consent=1).in_words() == "2 applied, 1 without consent"
    counters = ExportCounters(2000, profiles_same=1500, profiles_written=500)
    assert (counters.in_words(), counters.add_up) == ("1,500 same, 500 written", True)


def test_counters_that_lose_a_row_do_not_add_up() -> None:
    """Counters that lose a row do not add up."""
    assert Counters(rows_read=3, rows_applied=2, rows_rejected=1).add_up
    assert not Counters(rows_read=3, rows_applied=2).add_up


def test_the_json_of_a_file_is_flat() -> None:
    """The JSON of a file is flat: path, state, counters, message and warnings."""
    payload = FileReport("/in/a.csv", "imported", Counters(rows_read=1, rows_applied=1), warnings=("w",)).to_json()
    assert list(payload) == ["path", "state", *COUNTERS, "message", "warnings"]
    assert (payload["path"], payload["rows_read"], payload["warnings"]) == ("/in/a.csv", 1, ["w"])


def test_one_failed_file_fails_the_goal() -> None:
    """One failed file fails the goal; the message names the file and the imported rows."""
    imported = FileReport("/in/a.csv", "imported", Counters(rows_read=2, rows_applied=2, profiles_created=2))
    report = ImportReport("customers", (imported, FileReport("/in/b.csv", "failed", message="No header.")))
    assert report.state == "failed"
    assert "/in/b.csv failed: No header." in report.message
    assert "1 file, 2 rows: 2 applied; 2 profiles created, 0 updated." in report.message


def test_a_goal_whose_files_all_failed_has_only_errors() -> None:
    """If all files failed, the message has only their errors."""
    report = ImportReport("customers", (FileReport("/in/b.csv", "failed", message="No header."),))
    assert report.message == "/in/b.csv failed: No header."


def test_nothing_new_is_a_success() -> None:
    """Waiting and known files give a success without work."""
    waiting = (FileReport("/in/a.csv", "growing"), FileReport("/in/b.csv", "unchanged"))
    assert (ImportReport("a", waiting).state, ImportReport("a", waiting).message) == (
        "success",
        "Nothing new to import.",
    )


def test_a_message_names_the_outcomes_of_rows() -> None:
    """The message leaves out outcomes without rows and uses thousands separators."""
    counters = Counters(rows_read=12_345, rows_applied=12_300, rows_unmatched=40, rows_without_identifier=5)
    message = ImportReport("a", (FileReport("/in/a.csv", "imported", counters),)).message
    assert message.startswith("1 file, 12,345 rows: 12,300 applied, 5 without identifier, 40 unmatched;")


def test_files_are_in_order_of_import() -> None:
    """Remote files sort by modification time, then by name."""
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    files = [RemoteFile(late, "/in/a", 1), RemoteFile(early, "/in/c", 9), RemoteFile(early, "/in/b", 5)]
    assert [file.name for file in sorted(files)] == ["b", "c", "a"]


def test_equal_warnings_of_files_are_merged() -> None:
    """Equal warnings are merged; the warning about link values ignores unchanged and rejected rows."""
    without_identifier = Counters(rows_read=4, rows_unchanged=1, rows_rejected=1, rows_without_identifier=2)
    files = (
        FileReport("/a", "imported", without_identifier, warnings=("Odd.",)),
        FileReport("/b", "imported", warnings=("Odd.",)),
    )
    assert ImportReport("g", files).warnings == ("a, b: Odd.", "No row had a link value.")
    somebody = FileReport("/c", "imported", Counters(rows_read=1, rows_applied=1))
    assert ImportReport("g", (*files, somebody)).warnings == ("a, b: Odd.",)
    assert ImportReport("g", (*files, somebody) + files * 2).warnings == ("a, b, a and 3 more: Odd.",)
    assert ImportReport("g").warnings == ()


def test_errors_are_reported_one_by_one() -> None:
    """A failed goal has its own error, otherwise one error for each failed file."""
    failed = (FileReport("/a", "failed", message="Bad."), FileReport("/b", "imported"))
    assert ImportReport("g", failed).errors == ("/a failed: Bad.",)
    assert ImportReport("g", failed, error="Down.").errors == ("Down.",)

"""The profiles that an export delivers: live, in the segment, with a value, with consent, and changed."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import CdpSyncError, DiskFull
from cdp_sync.exporting import select_segment, write_file
from cdp_sync.exporting.files.rows import file_rows
from cdp_sync.exporting.preview import preview_export
from cdp_sync.exporting.select import selected_step
from cdp_sync.model import ExportCounters
from cdp_sync_tests.exporting.exporter import Exporter, column, goal, profiles
from cdp_sync_tests.warehouse.holder import held

ADA, BOB = {"email": "ada@b.nl", "name": "Ada", "keen": True}, {"email": "bob@b.nl", "name": "Bob"}
HEADER = b"Email,Name\n"
PROPERTIES_THERE = ("email", "name")
PRIVACY = {"zones": {"GDPR": "opt_in", "CCPA": "opt_out"}, "objectives": [{"name": "news", "zones": ["GDPR", "CCPA"]}]}


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """A goal that exports two people."""
    made = Exporter(tmp_path / "out", goal(file={"name": "out.csv"}))
    made.hold([ADA, BOB])
    return made


def test_only_profiles_of_the_segment_are_written(tmp_path: Path) -> None:
    """Only profiles of the segment are counted and written."""
    exporter = Exporter(tmp_path / "out", goal(segment="keen"))
    exporter.hold([ADA, BOB])
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\n"


def test_merged_profiles_are_not_exported(exporter: Exporter) -> None:
    """Merged profiles are in no segment."""
    exporter.change("update warehouse.profile set merged_into = uuid() where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)


@pytest.mark.parametrize("empty", [{}, {"name": "", "likes": []}, {"count": 3}])
def test_a_profile_needs_a_value_in_an_exported_property(empty: dict[str, Any], tmp_path: Path) -> None:
    """Empty texts, empty lists and unmapped properties are no value; profile ids and constant texts do not count."""
    columns = [column("name"), column("likes"), {"field": "Id", "profile_id": True}, {"field": "X", "text": "x"}]
    exporter = Exporter(tmp_path / "out", goal(map=columns, format={"multi_value": ";"}))
    exporter.hold([empty, {"likes": ["art"]}])
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_without_value=1, profiles_written=1)


@pytest.mark.parametrize(
    ("zone", "consented", "refused", "leaves"),
    [
        (None, None, None, True),
        ("NONE", None, ["news"], True),
        ("GDPR", None, None, False),
        ("GDPR", ["news"], None, True),
        ("GDPR", ["news"], ["news"], False),
        ("GDPR", None, ["news"], False),
        ("CCPA", None, None, True),
        ("CCPA", ["news"], None, True),
        ("CCPA", None, ["news"], False),
    ],
)
def test_consent(
    zone: str | None, consented: list[str] | None, refused: list[str] | None, leaves: bool, tmp_path: Path
) -> None:
    """Opt-in zones require consent, opt-out zones no refusal, other zones nothing."""
    exporter = Exporter(tmp_path / "out", goal(), profiles(**PRIVACY), ("news",))
    consent = {"privacy_legislation": zone, "consented_objectives": consented, "refused_objectives": refused}
    exporter.hold([ADA | consent])
    ends = {"profiles_written": 1} if leaves else {"profiles_without_consent": 1}
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, **ends)


def test_without_objectives_consent_is_not_required(tmp_path: Path) -> None:
    """A connection without objectives also exports profiles that refused consent."""
    exporter = Exporter(tmp_path / "out", goal(), profiles(**PRIVACY))
    exporter.hold([ADA | {"privacy_legislation": "GDPR", "refused_objectives": ["news"]}])
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)


def test_only_changed_rows_are_delivered(exporter: Exporter) -> None:
    """An unchanged row is not delivered again; a change of an unmapped property does not count."""
    exporter.run()
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=2)
    exporter.change("update warehouse.profile set count = 5, updated_at = now()")
    assert exporter.counters().profiles_same == 2
    exporter.change("update warehouse.profile set name = 'Bo' where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=1, profiles_written=1)
    assert exporter.delivered() == HEADER + b"bob@b.nl,Bo\n"
    assert exporter.counters().profiles_same == 2


def test_a_value_that_changes_back_is_delivered_again(exporter: Exporter) -> None:
    """A value is compared with the last delivered one only."""
    for name in ("Bo", "Bob"):
        exporter.run()
        exporter.change(f"update warehouse.profile set name = '{name}' where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=1, profiles_written=1)


def test_a_profile_that_returns_unchanged_is_not_delivered(tmp_path: Path) -> None:
    """A profile that leaves the segment and returns unchanged is not delivered again."""
    exporter = Exporter(tmp_path / "out", goal(segment="keen"))
    exporter.hold([ADA])
    exporter.run()
    for keen, counters in (("false", ExportCounters()), ("true", ExportCounters(1, profiles_same=1))):
        exporter.change(f"update warehouse.profile set keen = {keen}")
        assert exporter.counters() == counters


def test_other_value_hashes_deliver_no_profile_again(exporter: Exporter) -> None:
    """Value hashes of an earlier version or another DuckDB deliver no profile again."""
    exporter.run()
    before = exporter.rows("select * from warehouse.exported_profile order by profile_id")
    exporter.delivered()
    former = "hash(concat('v2.0.0', goal_number, profile_id))"
    exporter.change(f"update warehouse.exported_profile set value_hash = {former}")
    assert exporter.counters().profiles_same == len(before)
    exporter.change("update warehouse.profile set name = 'Other' where email = 'ada@b.nl'")
    counters = exporter.counters()
    assert (counters.profiles_written, counters.profiles_same) == (1, len(before) - 1)
    after = exporter.rows("select * from warehouse.exported_profile order by profile_id")
    assert after[1:] == before[1:]


def test_values_have_the_same_hash_in_every_version_of_duckdb(exporter: Exporter) -> None:
    """DuckDB's hash equals that of 1.5.5, 2.0.0 and 2.0.1. If it changes, each ledger is rewritten once."""
    run = exporter.next_run()
    with run.open("none") as session:
        step = selected_step(session, run, file_rows(run, PROPERTIES_THERE), PROPERTIES_THERE)
    assert "version()" not in step.sql
    values = """'s', 'a@b', 1::bigint, 1.5::decimal(18, 4), date '2020-01-01',
        timestamptz '2020-01-01 00:00:00+00', true, ['a', 'b'], null"""
    assert exporter.rows(f"select hash({values})") == [(4916305753099491709,)]


def test_changes_all_delivers_every_profile_each_time(tmp_path: Path) -> None:
    """With `changes: all` each run delivers every profile."""
    exporter = Exporter(tmp_path / "out", goal(changes="all", file={"name": "out.csv"}))
    exporter.hold([ADA, BOB])
    for _ in range(2):
        assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_written=2)
        assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"


@pytest.mark.parametrize(
    "declared", [{"format": {"quote": "all"}}, {"directory": "/other"}, {"format": {"separator": ";"}}]
)
def test_a_changed_goal_delivers_every_profile_once(declared: dict[str, Any], exporter: Exporter) -> None:
    """A changed goal delivers every profile once."""
    exporter.run()
    exporter.goal = goal(**{"file": {"name": "out.csv"}} | declared)
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_written=2)
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=2)


def test_a_property_without_a_column_is_empty(exporter: Exporter) -> None:
    """A property without a column is exported as empty."""
    exporter.profiles = profiles(properties=[*exporter.profiles.properties, {"name": "city"}])
    exporter.goal = goal(map=[column("email"), column("city")], file={"name": "out.csv"})
    exporter.run()
    assert exporter.delivered() == b"email,city\nada@b.nl,\nbob@b.nl,\n"


@pytest.mark.native("its lock")
def test_nothing_to_write_writes_no_file_and_takes_no_lock(exporter: Exporter) -> None:
    """A run without changes succeeds while another process reads the warehouse, and writes no file."""
    exporter.run()
    exporter.delivered()
    with held(exporter.warehouse.path, "read"):
        report = exporter.run()
    assert (report.path, list(exporter.outbox.iterdir())) == (None, [])
    assert exporter.rows("select count(*) from warehouse.run") == [(1,)]


def test_an_empty_file_is_written_where_declared(tmp_path: Path) -> None:
    """With `write_empty` a file with only the header is written."""
    exporter = Exporter(tmp_path / "out", goal(write_empty=True, file={"name": "out.csv"}))
    for _ in range(2):
        assert exporter.run().path == "/outbox/out.csv"
        assert exporter.delivered() == HEADER


def test_a_list_value_with_the_separator_is_not_deliverable(tmp_path: Path) -> None:
    """A list value that contains the separator is quarantined with its field, without its value."""
    exporter = Exporter(tmp_path / "out", goal(map=[column("email"), column("likes")], format={"multi_value": ";"}))
    exporter.hold([ADA | {"likes": ["rock; roll"]}, BOB | {"likes": ["art"]}])
    report = exporter.run()
    assert report.counters == ExportCounters(profiles_in_segment=2, profiles_not_deliverable=1, profiles_written=1)
    ((reason, times),) = report.reasons
    assert (reason.partition(": ")[0], times) == ("likes", 1)
    assert "separator" in reason
    quarantined = exporter.rows("select field, value, raw, goal from warehouse.quarantine")
    assert quarantined == [("likes", None, "00000000-0000-0000-0000-000000000001", "out")]
    assert exporter.delivered() == b"email,likes\nbob@b.nl,art\n"
    exporter.change("update warehouse.profile set likes = ['rock'] where email = 'ada@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=1, profiles_written=1)


def test_recording_a_delivery_is_idempotent(exporter: Exporter) -> None:
    """File, ledger and history are recorded in one transaction; recording is idempotent."""
    from cdp_sync.exporting import deliver_file, record_delivery

    run = exporter.next_run()
    counters, file = select_segment(run), write_file(run)
    assert file is not None
    delivered = deliver_file(run, exporter.server, file, exporter.folder / "uploads")
    for _ in range(2):
        report = record_delivery(run, counters, delivered)
        assert exporter.rows("select path, size, sha256, rows from warehouse.exported_file") == [
            ("/outbox/out.csv", file.size, delivered.sha256, 2)
        ]
        assert exporter.rows("select count(*), count(distinct profile_id) from warehouse.exported_profile") == [(2, 2)]
        runs = exporter.rows(
            "select direction, state, profiles_in_segment, profiles_written, message from warehouse.run"
        )
        assert runs == [("export", "success", 2, 2, report.message)]


def test_a_crash_before_recording_delivers_again(exporter: Exporter) -> None:
    """A delivery that was not recorded is repeated."""
    exporter.run_until_delivered()
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"
    assert exporter.counters().profiles_written == 2
    assert exporter.counters().profiles_same == 2


def test_a_failed_delivery_records_nothing(exporter: Exporter) -> None:
    """A failed delivery leaves the ledger empty."""
    from cdp_sync.errors import RemotePathMissing

    class Refusing:
        def publish(self, *_: object, **__: object) -> None:
            raise RemotePathMissing("There is no /outbox.")

    exporter.server = Refusing()  # type: ignore[assignment]  # a server without the directory
    with pytest.raises(CdpSyncError):
        exporter.run()
    assert exporter.rows("select count(*) from warehouse.exported_profile") == [(0,)]


def test_a_preview_changes_nothing(exporter: Exporter) -> None:
    """A preview has counters and first rows, and records nothing."""
    for _ in range(2):
        seen = preview_export(exporter.next_run(), limit=1)
        assert seen.counters == ExportCounters(profiles_in_segment=2, profiles_written=2)
        assert (seen.header, seen.rows) == (("Email", "Name"), (("ada@b.nl", "Ada"),))
    assert exporter.rows("select count(*) from warehouse.run") == [(0,)]


def test_a_full_disk_is_reported_and_leaves_no_file(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk raises DiskFull and leaves no file."""
    import resource

    run = exporter.next_run()
    select_segment(run)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(DiskFull):
            write_file(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(run.folder.iterdir()) == []


def test_the_quarantine_shows_the_latest_delivery_only(tmp_path: Path) -> None:
    """The quarantine of a profile ends after its delivery."""
    from cdp_sync.warehouse.history import quarantined

    exporter = Exporter(tmp_path / "out", goal(map=[column("email"), column("likes")], format={"multi_value": ";"}))
    exporter.hold([ADA | {"likes": ["rock; roll"]}])
    for likes, count in (("rock; roll", 1), ("r;b", 1), ("rock", 0)):
        exporter.change(f"update warehouse.profile set likes = ['{likes}']")
        exporter.run()
        with exporter.warehouse.open("read") as session:
            assert quarantined(session, "shop", 10)[0] == count

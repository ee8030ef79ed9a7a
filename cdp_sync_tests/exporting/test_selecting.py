"""Which profiles leave: in the segment, alive, with a value, with consent, changed; and what is remembered of it."""

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
    """Two people, and a goal that exports everybody."""
    made = Exporter(tmp_path / "out", goal(file={"name": "out.csv"}))
    made.hold([ADA, BOB])
    return made


def test_the_segment_decides(tmp_path: Path) -> None:
    """Only its profiles are counted and written."""
    exporter = Exporter(tmp_path / "out", goal(segment="keen"))
    exporter.hold([ADA, BOB])
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\n"


def test_profiles_that_were_merged_away_are_dead(exporter: Exporter) -> None:
    """They are in no segment."""
    exporter.change("update warehouse.profile set merged_into = uuid() where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)


@pytest.mark.parametrize("empty", [{}, {"name": "", "likes": []}, {"count": 3}])
def test_a_profile_needs_a_value_in_an_exported_property(empty: dict[str, Any], tmp_path: Path) -> None:
    """Empty text, empty lists and other properties are no value; identifiers and texts of the goal do not count."""
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
    """Opt-in asks for consent, opt-out for no refusal, other zones for nothing."""
    exporter = Exporter(tmp_path / "out", goal(), profiles(**PRIVACY), ("news",))
    said = {"privacy_legislation": zone, "consented_objectives": consented, "refused_objectives": refused}
    exporter.hold([ADA | said])
    ends = {"profiles_written": 1} if leaves else {"profiles_without_consent": 1}
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, **ends)


def test_without_objectives_nobody_is_asked(tmp_path: Path) -> None:
    """A connection without objectives exports profiles that refused consent, too."""
    exporter = Exporter(tmp_path / "out", goal(), profiles(**PRIVACY))
    exporter.hold([ADA | {"privacy_legislation": "GDPR", "refused_objectives": ["news"]}])
    assert exporter.counters() == ExportCounters(profiles_in_segment=1, profiles_written=1)


def test_a_change_in_a_mapped_value_counts(exporter: Exporter) -> None:
    """The second run delivers nobody, the third whose row changed; a change elsewhere is none."""
    exporter.run()
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=2)
    exporter.change("update warehouse.profile set count = 5, updated_at = now()")
    assert exporter.counters().profiles_same == 2
    exporter.change("update warehouse.profile set name = 'Bo' where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=1, profiles_written=1)
    assert exporter.delivered() == HEADER + b"bob@b.nl,Bo\n"
    assert exporter.counters().profiles_same == 2


def test_a_value_that_changes_back_was_delivered_otherwise(exporter: Exporter) -> None:
    """Compared is what was delivered last, not ever."""
    for name in ("Bo", "Bob"):
        exporter.run()
        exporter.change(f"update warehouse.profile set name = '{name}' where email = 'bob@b.nl'")
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=1, profiles_written=1)


def test_a_profile_that_leaves_and_returns_unchanged_is_the_same(tmp_path: Path) -> None:
    """The receiver has the row already."""
    exporter = Exporter(tmp_path / "out", goal(segment="keen"))
    exporter.hold([ADA])
    exporter.run()
    for keen, counters in (("false", ExportCounters()), ("true", ExportCounters(1, profiles_same=1))):
        exporter.change(f"update warehouse.profile set keen = {keen}")
        assert exporter.counters() == counters


def test_another_hash_of_the_values_delivers_nobody_again(exporter: Exporter) -> None:
    """A ledger with value hashes of a former release, or of a DuckDB that hashes otherwise, goes on; it is renewed."""
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
    """That of DuckDB 1.5.5, 2.0.0 and 2.0.1. Where a later one differs, each ledger is written anew once: say so."""
    run = exporter.next_run()
    with run.open("none") as session:
        step = selected_step(session, run, file_rows(run, PROPERTIES_THERE), PROPERTIES_THERE)
    assert "version()" not in step.sql
    values = """'s', 'a@b', 1::bigint, 1.5::decimal(18, 4), date '2020-01-01',
        timestamptz '2020-01-01 00:00:00+00', true, ['a', 'b'], null"""
    assert exporter.rows(f"select hash({values})") == [(4916305753099491709,)]


def test_all_means_everybody_every_time(tmp_path: Path) -> None:
    """With `changes: all` what was delivered before does not matter."""
    exporter = Exporter(tmp_path / "out", goal(changes="all", file={"name": "out.csv"}))
    exporter.hold([ADA, BOB])
    for _ in range(2):
        assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_written=2)
        assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"


@pytest.mark.parametrize(
    "declared", [{"format": {"quote": "all"}}, {"directory": "/other"}, {"format": {"separator": ";"}}]
)
def test_a_changed_declaration_delivers_everybody_once(declared: dict[str, Any], exporter: Exporter) -> None:
    """Once, not every time."""
    exporter.run()
    exporter.goal = goal(**{"file": {"name": "out.csv"}} | declared)
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_written=2)
    assert exporter.counters() == ExportCounters(profiles_in_segment=2, profiles_same=2)


def test_a_column_that_was_never_imported_is_empty(exporter: Exporter) -> None:
    """A property that is declared anew gets its column with the next import; exports do not wait for that."""
    exporter.profiles = profiles(properties=[*exporter.profiles.properties, {"name": "city"}])
    exporter.goal = goal(map=[column("email"), column("city")], file={"name": "out.csv"})
    exporter.run()
    assert exporter.delivered() == b"email,city\nada@b.nl,\nbob@b.nl,\n"


def test_nothing_to_write_writes_no_file_and_takes_no_lock(exporter: Exporter) -> None:
    """While another process reads the warehouse, a run that finds everybody the same succeeds."""
    exporter.run()
    exporter.delivered()
    with held(exporter.warehouse.path, "read"):
        report = exporter.run()
    assert (report.path, list(exporter.outbox.iterdir())) == (None, [])
    assert exporter.rows("select count(*) from warehouse.run") == [(1,)]


def test_an_empty_file_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    """Only the header, each time."""
    exporter = Exporter(tmp_path / "out", goal(write_empty=True, file={"name": "out.csv"}))
    for _ in range(2):
        assert exporter.run().path == "/outbox/out.csv"
        assert exporter.delivered() == HEADER


def test_a_list_value_with_the_separator_is_not_deliverable(tmp_path: Path) -> None:
    """A reader would split the value: the profile is left out and reported with the field, without the value."""
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


def test_what_was_delivered_is_remembered(exporter: Exporter) -> None:
    """File, ledger and history, in one transaction; recording the same run twice changes nothing."""
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
    """What was published and not recorded is delivered once more; never lost."""
    exporter.run_until_delivered()
    assert exporter.delivered() == HEADER + b"ada@b.nl,Ada\nbob@b.nl,Bob\n"
    assert exporter.counters().profiles_written == 2
    assert exporter.counters().profiles_same == 2


def test_a_failed_delivery_records_nothing(exporter: Exporter) -> None:
    """The next run delivers everybody."""
    from cdp_sync.errors import RemotePathMissing

    class Refusing:
        def publish(self, *_: object, **__: object) -> None:
            raise RemotePathMissing("There is no /outbox.")

    exporter.server = Refusing()  # type: ignore[assignment]  # a server without the directory
    with pytest.raises(CdpSyncError):
        exporter.run()
    assert exporter.rows("select count(*) from warehouse.exported_profile") == [(0,)]


def test_a_preview_changes_nothing(exporter: Exporter) -> None:
    """It shows the counts and the first rows as they would be written, again and again."""
    for _ in range(2):
        seen = preview_export(exporter.next_run(), limit=1)
        assert seen.counters == ExportCounters(profiles_in_segment=2, profiles_written=2)
        assert (seen.header, seen.rows) == (("Email", "Name"), (("ada@b.nl", "Ada"),))
    assert exporter.rows("select count(*) from warehouse.run") == [(0,)]


def test_a_full_disk_is_reported_and_leaves_nothing(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file is no file."""
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
    """After a profile was delivered, its quarantine entry is gone."""
    from cdp_sync.warehouse.history import quarantined

    exporter = Exporter(tmp_path / "out", goal(map=[column("email"), column("likes")], format={"multi_value": ";"}))
    exporter.hold([ADA | {"likes": ["rock; roll"]}])
    for likes, count in (("rock; roll", 1), ("r;b", 1), ("rock", 0)):
        exporter.change(f"update warehouse.profile set likes = ['{likes}']")
        exporter.run()
        with exporter.warehouse.open("read") as session:
            assert quarantined(session, "shop", 10)[0] == count

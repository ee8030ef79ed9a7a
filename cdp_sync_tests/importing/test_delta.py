"""Delta `window` and `append`: after any history the warehouse equals a plain replay of the source."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cdp_sync.errors import GoalFailed
from cdp_sync.importing import ImportRun
from cdp_sync.importing.delta.watermarks import cut_unfinished_line
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.model import Counters, RemoteFile
from cdp_sync.model.delta import Append, Delta, Replace, Window
from cdp_sync.model.remote import FetchedFile
from cdp_sync.warehouse.ledger import watermarks_of
from cdp_sync_tests.trail.importer import NOON, Importer, check_adds_up, goal

OVERLAP = timedelta(minutes=10)
WINDOW = Window("orders", "at", OVERLAP)
START = datetime(2026, 1, 1, tzinfo=UTC)

ORDERS = {
    "name": "orders",
    "row_key": ["id"],
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "amount", "property": "order_total", "mode": "sum"}],
    "format": {"json_lists": True},
}
LOG = {
    "name": "log",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "Amount", "property": "order_total", "mode": "sum"}],
}


def staged_run(importer: Importer, content: bytes, delta: Delta, *, reader: str = "ndjson", **marks: str) -> ImportRun:
    """Stage and link what a source delivered; return the run before its upsert."""
    run = importer.new_run()
    local = importer.folder / f"{run.run_id}.arrived"
    local.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    arrival = FetchedFile(
        RemoteFile(NOON, "stream", len(content)), local, sha256, reader=reader, delta=delta, watermarks=marks
    )  # type: ignore[arg-type]
    stage_files(run, [arrival])
    link_identifiers(run)
    return run


def land(importer: Importer, content: bytes, delta: Delta, *, reader: str = "ndjson", **marks: str) -> Counters:
    """Import what a source delivered and return its counters."""
    report = upsert_profiles(staged_run(importer, content, delta, reader=reader, **marks))
    check_adds_up(report)
    assert [file.state for file in report.files] in (["imported"], ["unchanged"]), report.files
    return report.counters


def marks_of(importer: Importer) -> dict[str, str]:
    """Return the watermarks of the importer's goal."""
    with importer.warehouse.open("read") as session:
        return watermarks_of(session, importer.connection, importer.goal.name)


def totals(importer: Importer) -> dict[str, Decimal]:
    """Return the sums by address, without zeros."""
    return {email: total for email, total in importer.column("order_total").items() if total}


@dataclass
class Orders:
    """A platform that returns the orders from a time on, inclusive; and the expected result of reading it."""

    rows: dict[str, tuple[datetime, str, int]] = field(default_factory=dict)
    read: dict[str, tuple[datetime, str, int]] = field(default_factory=dict)
    highest: datetime | None = None

    def answer(self, since: datetime | None) -> list[str]:
        """Return the keys of the orders at or after `since`, sorted by time."""
        return sorted((key for key, row in self.rows.items() if since is None or row[0] >= since), key=self.rows.get)

    def written(self, keys: Sequence[str]) -> bytes:
        """Return orders as JSON lines."""
        lines = [
            json.dumps({"id": key, "at": at.isoformat(), "email": email, "amount": amount})
            for key in keys
            for at, email, amount in [self.rows[key]]
        ]
        return ("\n".join(lines) + "\n").encode()

    def replay(self, keys: Sequence[str]) -> int:
        """Record that orders were read; return how many are new or differ in a mapped field."""
        changed = [key for key in keys if key not in self.read or self.read[key][1:] != self.rows[key][1:]]
        self.read |= {key: self.rows[key] for key in keys}
        times = [self.rows[key][0] for key in keys] + ([self.highest] if self.highest else [])
        self.highest = max(times, default=None)
        return len(changed)

    def totals(self) -> dict[str, int]:
        """Return the sums by address of the orders read, without zeros."""
        sums: dict[str, int] = {}
        for _, email, amount in self.read.values():
            sums[email] = sums.get(email, 0) + amount
        return {email: total for email, total in sums.items() if total}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["k1", "k2", "k3", "k4"]),
        st.integers(-20, 20),  # minutes from the current time: late rows, and rows at the window's border
        st.sampled_from(["ann@x.io", "bob@x.io"]),
        st.integers(-3, 9),
    ),
    max_size=4,
)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(steps=st.lists(st.tuples(CHANGES, st.sampled_from(["land", "crash", "twice"])), min_size=1, max_size=5))
def test_overlapping_windows_apply_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[tuple[str, int, str, int]], str]]
) -> None:
    """Late, changed, repeated and crashed reads give the sums, counters and watermark of a replay."""
    importer, platform = Importer(tmp_path_factory.mktemp("window"), goal(**ORDERS)), Orders()
    for step, (changes, how) in enumerate(steps):
        clock = START + step * OVERLAP
        for key, minutes, email, amount in changes:
            platform.rows[key] = (clock + timedelta(minutes=minutes), email, amount)
        keys = platform.answer(WINDOW.since(marks_of(importer).get("orders")))
        if not keys:
            continue
        if how == "crash":
            staged_run(importer, platform.written(keys), WINDOW)
            continue
        for _ in range(2 if how == "twice" else 1):
            counters = land(importer, platform.written(keys), WINDOW)
            expected = platform.replay(keys)
            assert counters.rows_applied == expected
        assert totals(importer) == platform.totals()
        assert marks_of(importer) == {"orders": f"{platform.highest:%Y-%m-%dT%H:%M:%S.%fZ}"}


def test_the_next_window_begins_at_watermark_minus_overlap() -> None:
    """The next window begins at the watermark minus the overlap, inclusive. The first window has no beginning."""
    assert WINDOW.since(None) is None
    assert WINDOW.since("2026-01-01T00:10:00.000001Z") == START + timedelta(microseconds=1)


def test_a_row_at_the_border_is_applied_once(tmp_path: Path) -> None:
    """A new row with the time of the watermark is applied; the known one is unchanged."""
    importer, platform = Importer(tmp_path, goal(**ORDERS)), Orders()
    window = Window("orders", "at")
    platform.rows["k1"] = (START, "ann@x.io", 1)
    land(importer, platform.written(["k1"]), window)
    platform.rows["k2"] = (START, "bob@x.io", 2)
    keys = platform.answer(window.since(marks_of(importer)["orders"]))
    counters = land(importer, platform.written(keys), window)
    assert (counters.rows_applied, counters.rows_unchanged) == (1, 1)
    assert totals(importer) == {"ann@x.io": 1, "bob@x.io": 2}


def test_a_late_row_does_not_move_the_watermark(tmp_path: Path) -> None:
    """A late row is applied, and the watermark stays."""
    importer, platform = Importer(tmp_path, goal(**ORDERS)), Orders()
    platform.rows = {"k1": (START, "ann@x.io", 1), "k2": (START - OVERLAP, "bob@x.io", 2)}
    land(importer, platform.written(["k1"]), WINDOW)
    before = marks_of(importer)
    assert land(importer, platform.written(["k2"]), WINDOW).rows_applied == 1
    assert marks_of(importer) == before


def test_a_window_without_row_keys_is_refused(tmp_path: Path) -> None:
    """A window goal without `row_key` is refused, since a sum would grow with each read."""
    importer = Importer(tmp_path, goal(**(ORDERS | {"row_key": []})))
    with pytest.raises(GoalFailed, match=r"reads windows without a row_key"):
        staged_run(importer, b'{"id": "k", "at": "2026-01-01", "email": "a@x.io", "amount": 1}\n', WINDOW)


def test_a_file_without_the_time_field_fails(tmp_path: Path) -> None:
    """A file without the window's time field fails; no row is imported, and the watermark stays."""
    importer = Importer(tmp_path, goal(**ORDERS))
    run = staged_run(importer, b'{"id": "k", "email": "a@x.io", "amount": 1}\n', WINDOW)
    (file,) = upsert_profiles(run).files
    assert (file.state, marks_of(importer)) == ("failed", {})
    assert file.message.startswith("No row has the time field 'at'.")


ROWS = st.lists(st.tuples(st.sampled_from(["ann@x.io", "bob@x.io", "", "broken,,,"]), st.integers(1, 9)), max_size=4)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(steps=st.lists(st.tuples(ROWS, st.booleans(), st.sampled_from(["land", "crash", "again"])), max_size=5))
def test_appended_lines_are_applied_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[tuple[str, int]], bool, str]]
) -> None:
    """Each line is applied once, also after equal lines, an unfinished line, or a change of the goal."""
    importer, delta = Importer(tmp_path_factory.mktemp("append"), goal(**LOG)), Append("log")
    text, expected, landed = "Email,Amount\n", {}, 0
    lines: list[tuple[str, int]] = []
    for rows, unfinished, how in steps:
        lines += rows
        text += "".join(f"{email},{amount}\n" for email, amount in rows)
        content = f"{text}ann@x.io,10{'0' * 3}" if unfinished else text
        if how == "crash":
            staged_run(importer, content.encode(), delta, reader="csv")
            continue
        if how == "again":
            importer.goal = goal(**(LOG | {"blocked_values": [f"x{landed}"]}))
        land(importer, content.encode(), delta, reader="csv")
        for email, amount in lines[landed:]:
            if email.endswith("io"):
                expected[email] = expected.get(email, 0) + amount
        landed = len(lines)
        assert totals(importer) == expected
        assert marks_of(importer) == ({"log": str(landed + 1)} if landed else {})


def test_watermarks_are_written_with_the_rows(tmp_path: Path) -> None:
    """Watermarks of the source are written in the landing transaction; a run that does not land writes none."""
    importer = Importer(tmp_path, goal(**LOG))
    staged_run(importer, b"Email,Amount\nann@x.io,1\n", Replace(), reader="csv", page="7")
    assert marks_of(importer) == {}
    land(importer, b"Email,Amount\nann@x.io,1\n", Replace(), reader="csv", page="7", token="abc")
    assert marks_of(importer) == {"page": "7", "token": "abc"}


@pytest.mark.parametrize(
    ("content", "kept"),
    [(b"", b""), (b"half", b""), (b"a\nhalf", b"a\n"), (b"a\nb\n", b"a\nb\n"), (b"\n" + b"x" * 2_500_000, b"\n")],
)
def test_an_unfinished_line_is_cut(content: bytes, kept: bytes, tmp_path: Path) -> None:
    """The text after the last line feed is cut, whatever its length."""
    local = tmp_path / "f"
    local.write_bytes(content)
    cut_unfinished_line(local)
    assert local.read_bytes() == kept

"""Exports a day's e-mail events to an OpenSSH server, beside one `copy` of DuckDB and OpenSSH's `sftp put`.

Five columns, and the fifteen of Bluecore's file. The floor keeps no ledger. Its file has the same bytes but for the
order of events that happened at the same time, and is brought to the server's disk as well.

`python -m cdp_sync_tests.benchmarks.event_export_bench --events 1000000 --repeat 3`
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_sync.connectors.bluecore.goals import BluecoreExports
from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.exporting import EventRun, export_events
from cdp_sync.model import EventExportGoal, Profiles, SftpServer
from cdp_sync.warehouse import Warehouse, sync_events
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.benchmarks.floor import sftp
from cdp_sync_tests.openssh import OpenSshServer, openssh_server

DAY = date(2026, 11, 28)
PEOPLE = 200_000
SHARES = {"email_delivered": 6, "email_opened": 3, "email_link_clicked": 1}
"""Of ten events, how many are of each type."""
PROFILES = Profiles.model_validate(
    {"properties": [{"name": "email", "type": "email", "identifier": True}], "event_types": list(SHARES)}
)
VENDOR = {"Deliver": "email_delivered", "Open": "email_opened", "Click": "email_link_clicked"}

_PEOPLE = f"""
insert into warehouse.profile by name
select md5_number(i::varchar)::uuid as profile_id, now() as created_at, 'person' || i || '@example.com' as email
from range({PEOPLE}) t(i)"""

_EVENTS = """
insert into warehouse.event_{0} by name
select
    '{0}' || i as event_id, md5_number((hash(i) % {1})::varchar)::uuid as profile_id,
    timestamptz '2026-11-28 00:00:00+00' + to_microseconds(i * 86400000000 // $count) as happened_at,
    timestamptz '2026-11-29 00:00:00+00' as _written_at,
    'm' || i as message_id, 'c' || i % 40 as campaign_id, 'Campaign ' || i % 40 as campaign_name,
    'Subject of campaign ' || i % 40 as subject{2}
from range($count) t(i)"""
_ON_DEVICE = ", 'Mozilla/5.0 (X11; Linux x86_64)' as user_agent, ['phone', 'desktop'][i % 2 + 1] as device"
_MORE = {
    "email_opened": _ON_DEVICE,
    "email_link_clicked": f"{_ON_DEVICE}, 'https://example.com/' || md5(i::varchar) as url",
}

_TIME = "concat({0}::timestamp::date, 'T', {0}::timestamp::time, '+00:00')"
"""The session's time zone is UTC."""
_KEY = "md5(concat('{0}', chr(31), event_id)) as unique_key"
_FIVE = "email, '{0}' as event, happened_at, " + _TIME.format("happened_at") + " as at, campaign_id, " + _KEY
_FIFTEEN = (
    "email, '{1}' as event, happened_at, "
    + _TIME.format("happened_at")
    + " as event_time, "
    + _KEY
    + ", "
    + _TIME.format("_written_at")
    + " as updated_at, {device} as device_type, {user_agent} as user_agent, campaign_id, campaign_name, "
    + "null as campaign_classification, null as audience_id, subject as subject_line, message_id as nqe, "
    + "{url} as click_url, null as reason"
)


def goal(columns: int, name: str, outbox: Path) -> EventExportGoal:
    """Return a goal that exports the day with so many columns."""
    if columns == 5:
        names = [("email", {"property": "email"}), ("event", {"event_type": True}), ("at", {"happened_at": True})]
        names += [("campaign_id", {"event": "campaign_id"}), ("unique_key", {"unique_key": True})]
        declared: Mapping[str, Any] = {
            "name": name,
            "events": list(SHARES),
            "directory": str(outbox),
            "window": "day",
            "since": DAY,
            "file": {"name": f"{name}.csv"},
            "map": [{"field": field, **holds} for field, holds in names],
        }
        return EventExportGoal.model_validate(declared)
    esp = {"directory": str(outbox), "events": VENDOR, "since": DAY, "file": {"name": f"{name}.csv"}}
    server = {"host": "h", "username": "u", "password_env": "P", "host_key": "SHA256:x"}
    connection = BluecoreExports.model_validate(
        {"name": "bench", "server": server, "namespace": "bench", "esp_events": esp}
    )
    return connection.event_exports[0].model_copy(update={"name": name})


def copy_of(columns: int, file: Path) -> str:
    """Return the statement that writes the same rows by hand."""
    selects = []
    for vendor, kind in VENDOR.items():
        has = {
            name: name if f" as {name}" in _MORE.get(kind, "") else "null::varchar"
            for name in ("device", "user_agent", "url")
        }
        shown = (_FIVE if columns == 5 else _FIFTEEN).format(kind, vendor, **has)
        selects.append(
            f"""select {shown}
            from warehouse.event_{kind} join warehouse.live_profile using (profile_id)
            where happened_at >= timestamptz '2026-11-28 00:00:00Z'
                and happened_at < timestamptz '2026-11-29 00:00:00Z'"""
        )
    rows = " union all ".join(selects)
    ordered = f"select * exclude (happened_at) from ({rows}) order by happened_at"
    return rf"copy ({ordered}) to '{file}' (format csv, header, new_line '\r\n')"


@dataclass
class Setup:
    """A server with a directory, and a warehouse with a day's events."""

    folder: Path
    server: OpenSshServer
    runs: int = 0
    floor_size: int = 0
    """Bytes of the floor's latest file."""

    def __post_init__(self) -> None:
        """Create the directory."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir()
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb")
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text(self.server.known_hosts_line())

    def fill(self, events: int) -> None:
        """Fill the warehouse."""
        with self.warehouse.open("write") as session:
            sync_properties(session, PROFILES)
            sync_events(session, PROFILES)
            session.execute(_PEOPLE)
            for kind, share in SHARES.items():
                statement = _EVENTS.format(kind, PEOPLE, _MORE.get(kind, ""))
                session.execute(statement, {"count": events * share // 10})

    def product(self, columns: int, events: int) -> float:
        """Return the seconds that the product's export takes, with a goal that has delivered nothing yet.

        Its file is as large as that of the floor before.
        """
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        run = EventRun(
            run_id=own.name,
            connection="bench",
            goal=goal(columns, own.name, self.outbox),
            profiles=PROFILES,
            objectives=(),
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=datetime(2026, 11, 29, 6, tzinfo=UTC),
        )
        server = SftpServer(
            host=self.server.host,
            port=self.server.port,
            username=self.server.username,
            private_key_file=str(self.server.client_key),
            host_key=self.server.fingerprint(),
        )
        began = time.perf_counter()
        with SftpClient(server) as client:
            report = export_events(run, client, self.folder / "uploads")
        taken = time.perf_counter() - began
        assert report.counters.events_written == events, report.message
        assert [size for _, size, _ in report.files] == [self.floor_size]
        return taken

    def floor(self, columns: int, events: int) -> float:
        """Return the seconds that one `copy` and one `put` take."""
        file = self.folder / "floor.csv"
        options = argparse.Namespace(
            host=self.server.host,
            port=self.server.port,
            user=self.server.username,
            identity=self.server.client_key,
            known_hosts=self.known_hosts,
        )
        began = time.perf_counter()
        with duckdb.connect() as connection:
            connection.execute(f"attach '{self.warehouse.path}' as warehouse (read_only); set timezone = 'UTC'")
            (rows,) = connection.execute(copy_of(columns, file)).fetchone() or (0,)
        with tempfile.TemporaryDirectory() as own:
            sftp(options, Path(own, "line"), f'put -f "{file}" "{self.outbox}/floor.csv"')
        taken = time.perf_counter() - began
        assert rows == events
        self.floor_size = file.stat().st_size
        return taken


@contextmanager
def setup_of(folder: Path, events: int) -> Iterator[Setup]:
    """Yield a filled setup."""
    with openssh_server(folder / "sshd") as server:
        made = Setup(folder, server)
        made.fill(events)
        yield made


def main() -> None:
    """Print the seconds of both, and their ratio, for each number of columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, setup_of(Path(folder), given.events) as made:
            for columns in (5, 15):
                both = [
                    (made.floor(columns, given.events), made.product(columns, given.events))
                    for _ in range(given.repeat)
                ]
                floor, product = (min(times) for times in zip(*both, strict=True))
                print(f"{columns} columns: product {product:.2f} s, floor {floor:.2f} s")
                print(f"  {product / floor:.2f} times; at most 1.3")
    except pytest.skip.Exception as reason:
        raise SystemExit(f"No benchmark: {reason}.") from None


if __name__ == "__main__":
    main()

"""The cost of a sensor's tick compared with a plain listing, for a directory of many files.

Both connect, list and disconnect. The tick is the sensor's own, starting from a cursor that has all files.

`python -m cdp_sync_tests.benchmarks.watch_bench --files 10000 --repeat 5`
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.connectors.sftp.kind import KIND
from cdp_sync.model import FileGoal, Profiles, SftpConnection, SftpServer, Watch
from cdp_sync.orchestration.resources import PlatformResource
from cdp_sync.orchestration.triggers.new_files import build_sensors
from cdp_sync_tests.benchmarks.project import profile_model
from cdp_sync_tests.openssh import OpenSshServer, openssh_server


def declared(server: OpenSshServer, directory: Path, known_hosts: Path) -> SftpConnection:
    """Return a connection that watches the directory."""
    goal = FileGoal.model_validate(
        {"name": "people", "directory": str(directory), "link": [{"field": "Email", "property": "email"}]}
    )
    reached = SftpServer(
        host=server.host,
        port=server.port,
        username=server.username,
        private_key_file=str(server.client_key),
        known_hosts_file=str(known_hosts),
    )
    return SftpConnection(name="bench", server=reached, import_profiles=(goal,), watch=Watch())


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(connection: SftpConnection, directory: Path, repeat: int) -> tuple[list[float], list[float]]:
    """Return the seconds of ticks and of plain listings, alternating."""
    profiles, job = Profiles.model_validate(profile_model()), dg.define_asset_job("bench_sync")
    (sensor,) = build_sensors(connection, profiles, [job])
    resources = {"bench_server": PlatformResource.of(KIND, connection.server)}
    cursor: str | None = None

    def tick() -> None:
        nonlocal cursor
        with dg.build_sensor_context(instance, cursor, resources=resources) as context:
            cursor = sensor.evaluate_tick(context).cursor

    def list_only() -> None:
        with SftpClient(connection.server) as server:
            server.list_directory(str(directory))

    with dg.DagsterInstance.ephemeral() as instance:
        tick()
        state = json.loads(str(cursor))
        known = json.dumps({**state, "seen": "", "done": state["seen"], "looked_at": 0})
        ticks, listings = [], []
        for _ in range(repeat):
            cursor = known
            ticks.append(timed(tick))
            listings.append(timed(list_only))
    return ticks, listings


def main() -> None:
    """Measure and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        directory = Path(own, "inbox")
        directory.mkdir()
        for number in range(options.files):
            file = directory / f"people_{number:06}.csv"
            file.touch()
            os.utime(file, (1e9 + number, 1e9 + number))
        try:
            with openssh_server(Path(own, "sshd")) as server:
                known_hosts = Path(own, "known_hosts")
                known_hosts.write_text(server.known_hosts_line())
                ticks, listings = measure(declared(server, directory, known_hosts), directory, options.repeat)
        except pytest.skip.Exception as reason:
            raise SystemExit(f"No benchmark: {reason}.") from None
    tick, listing = statistics.median(ticks), statistics.median(listings)
    print(f"{'case':16}{'tick s':>9}{'listing s':>11}{'ratio':>7}")
    print(f"{f'{options.files:,} files':16}{tick:9.2f}{listing:11.2f}{tick / listing:7.2f}")


if __name__ == "__main__":
    main()

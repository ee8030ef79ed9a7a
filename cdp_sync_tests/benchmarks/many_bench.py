"""Measures the intervals of many sensors on one machine, and the time from a file's arrival to its run.

Runs `dagster dev` with the connections, each with its own account on the sandbox's SFTP server, which records each
login.

`python -m cdp_sync_tests.benchmarks.many_bench --connections 50 --every 30 --looks 5`
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from cdp_sync.sandbox.sftp import Login, SftpSandbox
from cdp_sync_tests.orchestration.daemon import Ui, dagster_dev
from cdp_sync_tests.projects import PASSWORD, Project, goal, open_project

LOGINS: dict[str, list[float]] = defaultdict(list)


class RecordingLogin(Login):
    """Records the time of each login of an account."""

    def check_auth_password(self, username: str, password: str) -> int:
        """Record the login and accept it as usual."""
        LOGINS[username].append(time.time())
        return super().check_auth_password(username, password)


class Server(SftpSandbox):
    """The SFTP sandbox with recorded logins."""

    login = RecordingLogin


def declare(project: Project, server: SftpSandbox, connections: int, every: int) -> None:
    """Declare the connections, each with its own directory."""
    for number in range(connections):
        name = f"shop{number}"
        (server.root / name).mkdir()
        own = {"port": server.port, "host_key": server.fingerprint, "username": name}
        project.connect(name, goal(directory=f"/{name}"), server=own, watch={"every_seconds": every})


def arrivals(project: Project, server: SftpSandbox, ui: Ui, many: int, every: int) -> list[float]:
    """Deliver a file to each of several connections; return the seconds until their runs began."""
    found = []
    for number in range(many):
        name = f"shop{number}"
        arrived = time.time()
        (server.root / name / "customers_1.csv").write_text("Email,FirstName,Total\nada@example.com,Ada,1\n")
        runs = ui.wait(lambda name=name: [r for r in ui.runs(connection=name) if r["startTime"]], name, 10 * every)  # type: ignore[misc]
        found.append(runs[0]["startTime"] - arrived)
    return found


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--looks", type=int, default=5)
    parser.add_argument("--arrivals", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as own, open_project(Path(own, "project")) as project:
        accounts = {f"shop{number}": PASSWORD for number in range(options.connections)}
        Path(own, "root").mkdir()
        with Server(Path(own, "root"), accounts=accounts) as server:
            declare(project, server, options.connections, options.every)
            with dagster_dev(project) as ui:
                all_connected = lambda: len(LOGINS) == options.connections  # noqa: E731
                ui.wait(all_connected, "the first looks", 10 * options.every)
                began = time.time()
                time.sleep(options.looks * options.every)  # the measured period
                ended = time.time()
                starts = arrivals(project, server, ui, options.arrivals, options.every)
    between = [
        later - earlier
        for looks in LOGINS.values()
        for earlier, later in pairwise(look for look in looks if began - options.every <= look <= ended)
    ]
    print(f"{options.connections} connections, every {options.every} s: {len(between)} looks,")
    print(f"  between two of them {statistics.median(between):.1f} s (median), {max(between):.1f} s (longest)")
    print(f"  from a file's arrival to its run's start: {', '.join(f'{start:.0f} s' for start in starts)}")


if __name__ == "__main__":
    main()

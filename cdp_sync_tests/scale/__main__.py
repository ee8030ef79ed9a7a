"""Runs deliveries on two workers that are killed and cut off, and the same ones in series, and compares the warehouses.

python -m cdp_sync_tests.scale --kills 50 --seed 1
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cdp_sync.orchestration.data_folder import DataFolder
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.runs.recovery import recover
from cdp_sync.orchestration.runs.silence import Silence, look
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.backend import named_warehouse
from cdp_sync_tests.orchestration.daemon import daemon
from cdp_sync_tests.orchestration.shared_history import give_workers
from cdp_sync_tests.projects import INSTANCE, Project, open_project
from cdp_sync_tests.scale.cables import Cables
from cdp_sync_tests.scale.comparing import compare
from cdp_sync_tests.scale.machines import Machine, machines
from cdp_sync_tests.scale.world import OUTLET, declare, deliver
from cdp_sync_tests.services import postgres, redis

_RUN_WITHIN = 600.0
_ATTEMPTS = 30
_LOOK_EVERY = 2.0
"""Seconds between two looks of the observer, which takes them for a minute: workers beat every half second."""


def say(text: str) -> None:
    """Show what happens, with the time since the start."""
    sys.stderr.write(f"{time.monotonic() - _BEGAN:7.1f} s  {text}\n")


_BEGAN = time.monotonic()


@dataclass
class Commands:
    """Executes `cdp-sync` with the settings of a project."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> bool:
        """Return whether a command succeeded."""
        command = [sys.executable, "-m", "cdp_sync.cli", *arguments]
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=log, check=False, timeout=_RUN_WITHIN
            )
        return done.returncode == 0


@dataclass
class Chaos:
    """Kills machines and cuts cables at random moments, until so many were killed."""

    machines: tuple[Machine, ...]
    kills: int
    random: Random
    done: int = 0
    cuts: int = 0

    def act_until(self, ended: threading.Event) -> None:
        """Act, in a thread of its own."""
        while not ended.wait(self.random.uniform(0.5, 4.0)):
            at_work = [machine for machine in self.machines if machine.is_at_work]
            if not at_work or self.done >= self.kills:
                continue  # what happens to a machine without a run proves nothing
            machine = self.random.choice(at_work)
            if self.random.random() < 0.6:
                self.done += 1
                say(f"kill {self.done} of {self.kills}: {machine.name}")
                machine.kill()
                machine.start()
            else:
                self.cuts += 1
                port, seconds = self.random.choice(machine.cables.ports), self.random.uniform(0.0, 4.0)
                say(f"{machine.name} is cut off from port {port} for {seconds:.1f} s")
                machine.cables.cut(machine.name, port, seconds)


def observe_until(ended: threading.Event, folder: Path) -> None:
    """Give up the runs of killed machines, as the sensor does, but by a quicker clock."""
    silence, now = Silence(), 0.0
    with open_instance() as history:
        while not ended.wait(_LOOK_EVERY):
            now += 60.0
            under_way = [run for run in history.get_runs(limit=50) if not run.is_finished]
            silence = look(history, under_way, silence, now)
            if given_up := recover(history, DataFolder(folder), silence):
                say(f"given up: {', '.join(run_id[:8] for run_id in given_up)}")


@contextmanager
def thread(target: object, *arguments: object) -> Iterator[None]:
    """Run a function in a thread inside the block; its last argument is the event that ends it."""
    ended = threading.Event()
    running = threading.Thread(target=target, args=(ended, *arguments), daemon=True)  # type: ignore[arg-type]
    running.start()
    try:
        yield
    finally:
        ended.set()
        running.join(120)


def land(commands: Commands, names: list[str]) -> int:
    """Run connections at once, each until it succeeds; return how many runs failed."""
    failed = [0] * len(names)

    def until_it_succeeds(place: int, name: str) -> None:
        while failed[place] < _ATTEMPTS and not commands.run("run", name):
            failed[place] += 1

    running = [threading.Thread(target=until_it_succeeds, args=each) for each in enumerate(names)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    if max(failed) >= _ATTEMPTS:
        raise RuntimeError(f"A connection did not land in {_ATTEMPTS} runs: see {commands.folder / 'commands.log'}")
    return sum(failed)


def scaled(project: Project, names: list[str], asked: argparse.Namespace) -> tuple[Path, int]:
    """Land deliveries on workers until so many were killed; return a copy of the warehouse, and how many deliveries."""
    folder = project.folder
    with postgres() as server, redis() as broker, TemporaryDirectory(prefix="cdp_cables_") as sockets:
        lake = f"ducklake:postgres:{server.database('warehouse')}"
        own = {
            **give_workers(folder, server, broker, each_second=True),
            "CDP_SYNC_WAREHOUSE": lake,
            "CDP_SYNC_WAREHOUSE_DATA": str(folder / "lake"),
            "DAGSTER_HOME": str(folder),
        }
        os.environ |= own
        environment = {**project.environment, **own}
        commands = Commands(folder, environment)
        if not commands.run("check"):
            raise RuntimeError(f"The declarations are wrong: see {folder / 'commands.log'}")
        cables = Cables(Path(sockets), (server.port, broker.port, project.sandbox.port))
        cables.start()
        workers = tuple(
            Machine(f"worker{number}", cables, folder.parent, environment, asked.runs)
            for number in range(1, asked.workers + 1)
        )
        chaos = Chaos(workers, asked.kills, Random(asked.seed))
        deliveries = failed = 0
        with (
            daemon(folder, environment), machines(workers), thread(observe_until, folder / "data"),
            thread(chaos.act_until),
        ):  # fmt: skip
            while deliveries < asked.least or chaos.done < asked.kills:
                deliveries += 1
                deliver(project, names, deliveries, asked.seed)
                failed += land(commands, names)
                failed += land(commands, [OUTLET])
                say(f"delivery {deliveries} has landed; {failed} runs failed so far")
        cables.stop()
        copy = folder.parent / "scaled.duckdb"
        named_warehouse(lake, folder / "data").copy_to(copy)
        say(f"{chaos.done} kills, {chaos.cuts} cuts, {failed} failed runs")
        return copy, deliveries


def serial(project: Project, names: list[str], deliveries: int, asked: argparse.Namespace) -> Path:
    """Land the same deliveries one after another on the native file; return it."""
    folder = project.folder.parent / "serial"
    shutil.copytree(project.folder / "defs", folder / "defs")
    (folder / "data").mkdir()
    (folder / "dagster.yaml").write_text(INSTANCE, "utf-8")
    for file in project.root.glob("inbox/*/*.csv"):
        file.unlink()
    native = {name: value for name, value in project.environment.items() if not name.startswith(_OF_WORKERS)}
    own = {"CDP_SYNC_DEFS": str(folder / "defs"), "CDP_SYNC_DATA": str(folder / "data")}
    commands = Commands(folder, {**native, **own})
    for number in range(1, deliveries + 1):
        deliver(project, names, number, asked.seed)
        for name in [*names, OUTLET]:
            if not commands.run("run", name):
                raise RuntimeError(f"{name} failed in the serial run: see {folder / 'commands.log'}")
        say(f"serial: delivery {number} of {deliveries}")
    copy = folder / "serial.duckdb"
    Warehouse(folder / "data" / "warehouse.duckdb").copy_to(copy)
    return copy


_OF_WORKERS = ("CDP_SYNC_POSTGRES", "CDP_SYNC_BROKER", "CDP_SYNC_WAREHOUSE", "CDP_SYNC_STAGING", "DAGSTER_HOME")


def main() -> int:
    """Run both, compare, and return the exit status: 0 where all tables are equal."""
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=2, help="of each worker at a time")
    parser.add_argument("--connections", type=int, default=3)
    parser.add_argument("--least", type=int, default=2, help="deliveries")
    parser.add_argument("--keep", type=Path, help="a new folder that stays, to look at")
    asked = parser.parse_args()
    say(f"seed {asked.seed}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    with TemporaryDirectory(prefix="cdp_sync_scale_") as temporary:
        place = asked.keep or Path(temporary)
        with open_project(place / "project") as project:
            names = declare(project, asked.connections)
            on_workers, deliveries = scaled(project, names, asked)
            in_series = serial(project, names, deliveries, asked)
        found = compare(in_series, on_workers)
    filled = {table: rows for table, rows in found.rows.items() if rows}
    say(f"compared {len(found.rows)} tables, of which {len(filled)} hold rows: {sum(filled.values()):,} rows")
    for difference in found.differences:
        say(f"DIFFERS  {difference}")
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())

"""Consecutive runs of a small connection in one process, and their growth in memory and on disk."""

import gc
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from cdp_sync.model import ImportReport
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.soak.exercises import PROPERTIES, SECRETS, deliver, shop_connection
from cdp_sync_tests.soak.killing import broken
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.project import Project

WORK_EVERY = 5
"""Every fifth run finds a corrected file, the others find no new file."""
WARM_UP = 6
"""Runs, two of them with work, after which everything is loaded and every table has its first block."""
PEOPLE = 20
MB = 1_000_000

_SAMPLES = "samples.jsonl"
_DESCRIPTORS, _THREADS = Path("/proc/self/fd"), Path("/proc/self/task")
_SETTLES = 10.0
"""Seconds for the end of threads that were stopped."""


@dataclass(frozen=True)
class Sample:
    """The state after a run."""

    worked: bool
    """Whether the run had work."""
    memory: int
    """Resident bytes of the process."""
    descriptors: int
    threads: int
    files: int
    """Entries of the data folder."""
    history: int
    """Bytes of Dagster's files."""
    warehouse: int
    """Bytes of the warehouse."""


@dataclass(frozen=True)
class Limits:
    """Limits of the growth per run, without the growth of the first ones."""

    idle_history: int = 180_000
    """Bytes of Dagster's files for a run without work, on average: 115,000 are the empty tables of its file."""
    history: int = 280_000
    """Bytes for a run with work, on average: its events also name files, reasons and profiles."""
    warehouse: int = 524_288
    """Bytes for a run with work, on average: two of DuckDB's blocks, which it reuses later."""
    memory: int = 100_000
    """Bytes, on average over all runs: no events, session or staged rows of a run stay in memory."""
    memory_at_least: int = 20_000_000
    """Bytes that do not count as growth for any number of runs: one step of the allocator."""


def run_steadily(folder: Path, runs: int) -> tuple[list[Sample], list[str]]:
    """Run a connection so often; return the state after each run, and the violated limits."""
    with shop(folder) as (project, sandbox):
        process = victim.start(work, project.folder, sandbox.root, project.environ, runs)
        assert victim.exit_code(process, 60 + 30 * runs) == 0
        lines = (project.folder / _SAMPLES).read_text(encoding="utf-8").splitlines()
        return [Sample(**json.loads(line)) for line in lines], broken(project)


@contextmanager
def shop(folder: Path) -> Iterator[tuple[Project, SftpSandbox]]:
    """Yield a project that imports one file, with its server running inside the block."""
    for name in ("inbox", "outbox"):
        (folder / "root" / name).mkdir(parents=True)
    with SftpSandbox(folder / "root", accounts={"shop": SECRETS["SHOP_PASSWORD"]}) as sandbox:
        project = Project(folder / "shop", SECRETS)
        connection = shop_connection(sandbox)
        del connection["export_profiles"]
        project.declare(PROPERTIES, connection)
        yield project, sandbox


def work(folder: Path, root: Path, environ: Mapping[str, str], runs: int) -> None:
    """Do the runs in this process, and record the state after each."""
    os.chdir(folder)
    os.environ.update(environ)
    from cdp_sync.orchestration.project import load_connection
    from cdp_sync.orchestration.runs.launch import Order, launch
    from cdp_sync.orchestration.runs.progress import Watcher

    definitions, threads = load_connection("shop"), 0
    with Path(_SAMPLES).open("w", encoding="utf-8") as samples:
        for number in range(runs):
            if worked := number % WORK_EVERY == 0:
                deliver(root, "people_1.csv", PEOPLE, number)
            outcome = launch(definitions, Order("shop"), Watcher())
            assert outcome.state == "success"
            (report,) = outcome.goals
            assert isinstance(report, ImportReport)
            assert bool(report.files) == worked
            if number >= WARM_UP:
                settle(threads)
            after = sample(Path("data"), worked=worked)
            threads = max(threads, after.threads) if number < WARM_UP else threads
            print(json.dumps(asdict(after)), file=samples, flush=True)


def count(folder: Path) -> int:
    """Return the number of entries of a folder."""
    return sum(1 for _ in folder.iterdir())


def settle(threads: int) -> None:
    """Wait until there are no more threads than this, up to the time limit for their end."""
    deadline = time.monotonic() + _SETTLES
    while count(_THREADS) > threads and time.monotonic() < deadline:
        threading.enumerate()[-1].join(0.1)  # the youngest


def sample(data: Path, *, worked: bool) -> Sample:
    """Return the present state."""
    gc.collect()
    return Sample(
        worked,
        memory=int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        descriptors=count(_DESCRIPTORS),
        threads=count(_THREADS),
        files=sum(path.is_file() for path in data.rglob("*")),
        history=sum(path.stat().st_size for path in (data / "dagster").rglob("*") if path.is_file()),
        warehouse=(data / "warehouse.duckdb").stat().st_size,
    )


def growth(samples: Sequence[Sample], limits: Limits = Limits()) -> list[str]:
    """Return what has grown by more than its limit."""
    base, later = samples[WARM_UP - 1], samples[WARM_UP:]
    problems = [
        f"{most} {name} after a run, {getattr(base, name)} after {WARM_UP} runs"
        for name in ("descriptors", "threads")
        if (most := max(getattr(each, name) for each in later)) > getattr(base, name)
    ]
    if (files := later[-1].files - base.files) != len(later):
        problems.append(f"{files} more files in the data folder after {len(later)} runs, which have one each")
    allowed = max(limits.memory * len(later), limits.memory_at_least)
    if (grown := later[-1].memory - base.memory) > allowed:
        problems.append(f"{grown:,} more bytes of memory after {len(later)} runs; allowed are {allowed:,}")
    return problems + _on_disk(samples[WARM_UP - 1 :], limits)


def _on_disk(samples: Sequence[Sample], limits: Limits) -> list[str]:
    problems = []
    for worked, history, warehouse in ((False, limits.idle_history, 0), (True, limits.history, limits.warehouse)):
        for name, limit in (("history", history), ("warehouse", warehouse)):
            found = average(samples, name, worked=worked)
            if found > limit:
                with_work = "with" if worked else "without"
                problems.append(f"{found:,.0f} bytes of {name} for a run {with_work} work; allowed are {limit:,}")
    return problems


def average(samples: Sequence[Sample], name: str, *, worked: bool) -> float:
    """Return the average growth in a run, with or without work."""
    steps = [
        getattr(after, name) - getattr(before, name) for before, after in pairwise(samples) if after.worked == worked
    ]
    return sum(steps) / len(steps) if steps else 0.0


def figures(samples: Sequence[Sample]) -> str:
    """Return the measurements as text."""
    after = samples[WARM_UP - 1 :]
    ends = {f"after {WARM_UP} runs": after[0], f"after {len(samples)}": after[-1]}
    lines = [
        f"{each.descriptors} descriptors, {each.threads} threads, {each.memory / MB:.1f} MB of memory {when}"
        for when, each in ends.items()
    ]
    for name in ("history", "warehouse"):
        with_work, idle = (average(after, name, worked=worked) / 1e3 for worked in (True, False))
        lines.append(f"{name}: {with_work:.0f} kB for a run with work, {idle:.0f} kB for one without")
    return "\n".join(lines)

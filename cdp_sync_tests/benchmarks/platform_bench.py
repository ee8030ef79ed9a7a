"""Runs the product beside a bare requests script that moves the same bytes to or from a platform."""

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cdp_sync_tests.benchmarks.bench import Cost, cost_of, median_of, run


@dataclass
class Bench:
    """What to run, and what it cost."""

    folder: Path
    command: str
    """The product's."""
    script: str
    """The module of the floor script."""
    repeat: int
    costs: list[Cost] = field(default_factory=list)
    by_platform: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds that the platform's jobs took, as the floor saw them, by case."""
    _places: int = 0

    def place(self) -> Path:
        """Return a folder that is not there yet."""
        self._places += 1
        return self.folder / f"place{self._places}"

    def product(self, case: str, place: Path) -> None:
        """Run the product once."""
        summary, life = run([self.command, "run", "bench", "--json"], place)
        if summary["state"] != "success":
            raise SystemExit(f"{case}: {[goal.get('message') for goal in summary['goals']]}")
        self.costs.append(cost_of("product", case, life, summary["seconds"], summary["goals"]))

    def floor(self, case: str, **options: object) -> None:
        """Run the floor script once."""
        module = f"cdp_sync_tests.benchmarks.{self.script}"
        summary, life = run([sys.executable, "-m", module, *(f"--{k}={v}" for k, v in options.items())], self.folder)
        self.costs.append(cost_of("floor", case, life, summary["seconds"], summary["goals"]))
        self.by_platform[case].append(sum(summary["phases"].get(phase, 0.0) for phase in ("prepare", "update")))

    def both(self, case: str, product: Callable[[], None], floor: Callable[[], None], counter: str) -> None:
        """Run both so many times; who goes first alternates."""
        for turn in range(self.repeat):
            for who in (floor, product) if turn % 2 else (product, floor):
                who()
            done = [cost.counters[counter] for cost in self.costs[-2:]]
            if done[0] != done[1]:
                raise SystemExit(f"{case}: they did not do the same work: {done}")


def table(bench: Bench) -> Iterator[str]:
    """Yield the lines that people read; `jobs s` is what the platform's jobs took of the floor's time."""
    yield f"{'case':24}{'product s':>11}{'floor s':>9}{'ratio':>7}{'jobs s':>8}{'CPU s':>7}{'peak MB':>9}"
    for case in dict.fromkeys(cost.case for cost in bench.costs):
        work, cpu, peak = (median_of(bench.costs, "product", case, what) for what in ("seconds", "cpu", "peak_mb"))
        yield f"{case:24}{work:11.2f}{_beside(bench, case, work)}{cpu:7.1f}{peak:9.0f}"
    for who in ("product", "floor"):
        if found := [cost.start_up for cost in bench.costs if cost.who == who]:
            yield f"start-up of the {who}: {statistics.median(found):.2f} s"


def _beside(bench: Bench, case: str, work: float) -> str:
    if not bench.by_platform[case]:
        return f"{'-':>9}{'-':>7}{'-':>8}"
    floor, jobs = median_of(bench.costs, "floor", case, "seconds"), statistics.median(bench.by_platform[case])
    return f"{floor:9.2f}{work / floor:7.2f}{jobs:8.2f}"

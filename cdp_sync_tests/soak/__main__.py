"""Kills 200 runs and does 300, by default: `python -m cdp_sync_tests.soak --kills 200 --runs 300`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from cdp_sync_tests.generated import SEED
from cdp_sync_tests.soak.exercises import exercises
from cdp_sync_tests.soak.killing import soak, summary
from cdp_sync_tests.soak.steady import WARM_UP, WORK_EVERY, figures, growth, run_steadily


def kill_runs(kills: int, seed: int) -> bool:
    """Kill so many runs; return whether an invariant was violated."""
    began, done = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder, exercises(Path(folder)) as three:
        for each in soak(three, Path(folder) / "kills", kills, seed):
            done.append(each)
            print("." if each.hit and not each.problems else "!" if each.problems else "-", end="", flush=True)
    print(f"\nseed {seed}: {len(done)} runs in {time.monotonic() - began:.0f} s\n{summary(done)}")
    return any(each.problems for each in done)


def do_runs(runs: int) -> bool:
    """Do so many runs in one process; return whether a resource grew beyond its limit."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        samples, problems = run_steadily(Path(folder), runs)
    problems += growth(samples)
    print(f"{runs} runs in {time.monotonic() - began:.0f} s\n{figures(samples)}", *problems, sep="\n")
    return bool(problems)


def _runs(text: str) -> int:
    if (runs := int(text)) and runs <= WARM_UP + WORK_EVERY:
        raise argparse.ArgumentTypeError(f"more than {WARM_UP + WORK_EVERY}, or 0")
    return runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Kills runs, runs them again, and checks the promise. Then does runs, and measures what they leave."
    )
    parser.add_argument("--kills", type=int, default=200, help="0 kills none")
    parser.add_argument("--runs", type=_runs, default=300, help="0 does none")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    broken = bool(asked.kills) and kill_runs(asked.kills, asked.seed)
    grown = bool(asked.runs) and do_runs(asked.runs)
    sys.exit(broken or grown)

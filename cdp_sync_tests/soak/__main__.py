"""Kills 200 runs, or as many as asked for: `python -m cdp_sync_tests.soak --kills 200 --seed 1`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from cdp_sync_tests.generated import SEED
from cdp_sync_tests.soak.exercises import exercises
from cdp_sync_tests.soak.killing import soak, summary

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Kills runs at random instants, runs them again, and checks the promise."
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    began, done = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder, exercises(Path(folder)) as three:
        for each in soak(three, Path(folder) / "kills", asked.kills, asked.seed):
            done.append(each)
            print("." if each.hit and not each.problems else "!" if each.problems else "-", end="", flush=True)
    print(f"\nseed {asked.seed}: {len(done)} runs in {time.monotonic() - began:.0f} s\n{summary(done)}")
    sys.exit(any(each.problems for each in done))

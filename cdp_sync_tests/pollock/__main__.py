"""Imports all polluted files and prints the verdicts: `python -m cdp_sync_tests.pollock`."""

import sys
import time

from cdp_sync_tests.pollock.judging import Verdict
from cdp_sync_tests.pollock.polluting import SEEN, judge_in_parallel, table_of, variants

if __name__ == "__main__":
    began = time.monotonic()
    judged = judge_in_parallel(variants())
    print(table_of(judged))
    wrong = [each for each in judged if each.verdict is Verdict.WRONG]
    for each in wrong[: None if "--all" in sys.argv else SEEN]:
        print(f"{each.variant.kind}, {each.variant.name}: {each.why}")
    print(f"{len(judged):,} files in {time.monotonic() - began:.0f} s")
    sys.exit(bool(wrong))

"""The product against the oracle, on generated histories of what rows add to sums and lists."""

import tempfile
from pathlib import Path

from hypothesis import given, note

from cdp_sync_tests.generated import examples
from cdp_sync_tests.importing.ledger_histories import PROFILES, LedgerRun, ledger_histories
from cdp_sync_tests.importing.sides import OracleSide, ProductSide
from cdp_sync_tests.oracle import canonical


@examples(40)
@given(ledger_histories())
def test_ledger_agrees_with_oracle(history: tuple[LedgerRun, ...]) -> None:
    """After every run both have the same profiles, counters, failed files and quarantine."""
    oracle = OracleSide()
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = ProductSide(Path(folder))
        for number, run in enumerate(history, start=1):
            note(f"run {number}: {run.goal}")
            note("".join(f"\n{path}\n{content!r}" for path, content in run.files))
            expected = oracle.deliver(run.goal, PROFILES, run.files)
            found = product.deliver(run.goal, PROFILES, run.files)
            assert found.failed.keys() == expected.failed.keys()
            assert found.counters == expected.counters
            assert all(counters.add_up for counters in found.counters.values())
            assert canonical(product.profiles()) == canonical(oracle.profiles())
            assert found.kinds == expected.kinds

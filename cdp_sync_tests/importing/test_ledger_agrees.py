"""The product agrees with the oracle on generated histories of sums and lists."""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, note

from cdp_sync.importing import scan_directory
from cdp_sync.model import RemoteFile
from cdp_sync_tests.generated import examples
from cdp_sync_tests.importing.ledger_histories import PROFILES, LedgerRun, ledger_histories
from cdp_sync_tests.importing.sides import File, OracleSide, ProductSide
from cdp_sync_tests.oracle import canonical

OLD, LONG_AFTER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC)


@examples(40)
@given(ledger_histories())
def test_ledger_agrees_with_oracle(history: tuple[LedgerRun, ...]) -> None:
    """After every run the oracle and the product have the same profiles, counters, failed files and quarantine."""
    oracle = OracleSide()
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = ProductSide(Path(folder))
        for number, run in enumerate(history, start=1):
            note(f"run {number}: {run.goal}")
            note("".join(f"\n{path}\n{content!r}" for path, content in run.files))
            note("".join(f"\n{path}\n{first!r}\n{second!r}" for path, first, second in run.growing))
            expected = oracle.deliver(run.goal, PROFILES, run.files)
            found = product.deliver(run.goal, PROFILES, arrived(run))
            assert found.failed.keys() == expected.failed.keys()
            assert found.counters == expected.counters
            assert all(counters.add_up for counters in found.counters.values())
            assert canonical(product.profiles()) == canonical(oracle.profiles())
            assert found.kinds == expected.kinds


class Uploading:
    """A directory whose files grow and keep an old modification time."""

    def __init__(self, run: LedgerRun) -> None:
        self.looks = [[*run.files, *((path, look[nth]) for path, *look in run.growing)] for nth in range(2)]

    @property
    def files(self) -> Iterable[File]:
        """The files at this time."""
        return self.looks[0]

    def list_directory(self, directory: str) -> list[RemoteFile]:
        """Return the files at this time."""
        return [RemoteFile(OLD, path, len(content)) for path, content in self.files]

    def wait(self, seconds: float) -> None:
        """Move to the next listing."""
        del self.looks[0]


def arrived(run: LedgerRun) -> list[File]:
    """Return the files that a scan finds complete, with their content after the scan."""
    directory = Uploading(run)
    scan = scan_directory(directory, run.goal, {}, "", now=lambda: LONG_AFTER, wait=directory.wait)
    due = {file.path for file in scan.due}
    return [file for file in directory.files if file[0] in due]

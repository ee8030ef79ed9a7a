"""Delivery of a file records the digest of its content, whatever progress the server reports."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdp_sync.exporting import deliver_file, select_segment, write_file
from cdp_sync.exporting.files import delivering
from cdp_sync_tests.exporting.exporter import Exporter, goal


@dataclass(frozen=True)
class ReportingServer:
    """A server that reports the given progress, in percent."""

    percents: Sequence[int]
    hashing: threading.Event

    def publish(self, local: Path, path: str, *, progress: Callable[[int], None] | None = None, **_: object) -> None:
        """Report the progress.

        At 100 percent, wait until the digest is computed; check that it is not computed earlier.
        """
        assert progress is not None
        complete = False
        for percent in self.percents:
            assert self.hashing.is_set() == complete
            progress(local.stat().st_size * percent // 100)
            complete = complete or percent == 100
            assert not complete or self.hashing.wait(30)


@pytest.mark.parametrize(
    "percents", [(50, 100), (50, 100, 30, 100), ()], ids=["complete", "repeated at the end", "no report"]
)
def test_the_recorded_digest_is_that_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, percents: Sequence[int]
) -> None:
    """The digest is computed once, after the upload; the callback receives each report of the server."""
    exporter = Exporter(tmp_path / "out", goal(file={"name": "out.csv"}))
    exporter.hold([{"email": "ada@b.nl"}])
    run = exporter.next_run()
    select_segment(run)
    file = write_file(run)
    assert file is not None
    seen: list[int] = []
    hashed: list[Path] = []
    hashing = threading.Event()
    digest_of = delivering._sha256

    def recorded_digest(local: Path) -> str:
        hashed.append(local)
        hashing.set()
        return digest_of(local)

    monkeypatch.setattr(delivering, "_sha256", recorded_digest)
    delivered = deliver_file(run, ReportingServer(percents, hashing), file, tmp_path / "uploads", progress=seen.append)
    assert hashed == [file.local]
    assert delivered.sha256 == hashlib.sha256(file.local.read_bytes()).hexdigest()
    assert seen == [file.size * percent // 100 for percent in percents]

"""Delivering: the digest that is recorded is that of the file, whatever the server tells on the way."""

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
class Telling:
    """Takes a file and tells which shares of it have arrived, in percent."""

    percents: Sequence[int]
    hashing: threading.Event

    def publish(self, local: Path, path: str, *, progress: Callable[[int], None] | None = None, **_: object) -> None:
        """Tell; where all has arrived, be done only when the digest is being taken, and not before is it taken."""
        assert progress is not None
        complete = False
        for percent in self.percents:
            assert self.hashing.is_set() == complete
            progress(local.stat().st_size * percent // 100)
            complete = complete or percent == 100
            assert not complete or self.hashing.wait(30)


@pytest.mark.parametrize(
    "percents", [(50, 100), (50, 100, 30, 100), ()], ids=["as usual", "sent again at the very end", "without a word"]
)
def test_the_digest_is_that_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, percents: Sequence[int]
) -> None:
    """It is computed once, when all is sent; the callback gets every report of the server."""
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

    def noted(local: Path) -> str:
        hashed.append(local)
        hashing.set()
        return digest_of(local)

    monkeypatch.setattr(delivering, "_sha256", noted)
    delivered = deliver_file(run, Telling(percents, hashing), file, tmp_path / "uploads", progress=seen.append)
    assert hashed == [file.local]
    assert delivered.sha256 == hashlib.sha256(file.local.read_bytes()).hexdigest()
    assert seen == [file.size * percent // 100 for percent in percents]

"""Files come one by one and leave nothing on disk; files that cannot be fetched are reported."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_sync.errors import (
    CdpSyncError,
    ConnectionLost,
    DiskFull,
    FileChanged,
    RemoteNameRefused,
    RemotePathMissing,
    RemotePermissionDenied,
)
from cdp_sync.importing import fetch_files
from cdp_sync.model import FetchedFile, FileReport, RemoteFile

LATER = datetime(2024, 5, 1, tzinfo=UTC)


class Shelf:
    """A server that has some files and fails on others."""

    def __init__(self, **troubles: CdpSyncError) -> None:
        self.troubles = troubles
        self.asked: list[str] = []

    def download(self, file: RemoteFile, target: Path, *, progress: Callable[[int], None] | None = None) -> FetchedFile:
        """Bring the file, in two pieces, or fail."""
        self.asked.append(file.name)
        for size in (4, 10):
            target.write_bytes(b"x" * size)
            if progress:
                progress(size)
        if trouble := self.troubles.get(file.name.partition(".")[0]):
            raise trouble
        return FetchedFile(file, target, "digest")


def file(name: str) -> RemoteFile:
    """Return a listed file."""
    return RemoteFile(LATER, f"/in/{name}", 10)


def test_files_arrive_lazily_and_one_at_a_time(tmp_path: Path) -> None:
    """The next file is asked for when the one before was dealt with, and takes its place on the disk."""
    shelf = Shelf()
    arrivals = fetch_files(shelf, [file("a.csv"), file("b.csv")], tmp_path / "new" / "folder")
    assert shelf.asked == []
    first = next(arrivals)
    assert isinstance(first, FetchedFile)
    assert (shelf.asked, first.local.read_bytes()) == (["a.csv"], b"x" * 10)
    second = next(arrivals)
    assert isinstance(second, FetchedFile)
    assert not first.local.exists()
    assert second.local.exists()
    assert list(arrivals) == []
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("trouble", "state", "needle"),
    [
        (RemotePathMissing("No such file."), "vanished", "is gone"),
        (FileChanged("It grew."), "changing", "changed while it was read"),
        (RemotePermissionDenied("Not for you."), "failed", "Not for you."),
        (RemoteNameRefused("No name."), "failed", "No name."),
    ],
)
def test_a_file_that_cannot_be_fetched_is_reported_and_the_next_comes(
    trouble: CdpSyncError, state: str, needle: str, tmp_path: Path
) -> None:
    """One file's trouble is a report of that file; the others arrive."""
    report, arrived = fetch_files(Shelf(a=trouble), [file("a.csv"), file("b.csv")], tmp_path)
    assert isinstance(report, FileReport)
    assert (report.path, report.state) == ("/in/a.csv", state)
    assert needle in report.message
    assert isinstance(arrived, FetchedFile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trouble", [ConnectionLost("The line dropped."), DiskFull("No room.")])
def test_trouble_that_concerns_all_files_ends_fetching(trouble: CdpSyncError, tmp_path: Path) -> None:
    """A lost connection or a full disk is no matter of one file."""
    shelf = Shelf(a=trouble)
    with pytest.raises(type(trouble)):
        list(fetch_files(shelf, [file("a.csv"), file("b.csv")], tmp_path))
    assert shelf.asked == ["a.csv"]


def test_stopping_early_leaves_no_file(tmp_path: Path) -> None:
    """A file under way is removed when its reader gives up."""
    arrivals = fetch_files(Shelf(), [file("a.csv"), file("b.csv")], tmp_path)
    next(arrivals)
    arrivals.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.GZ", "a.zip", "..", "x" * 250 + ".gz", "a\\b.zip", "'; rm -rf"])
def test_local_names_are_ours(name: str, tmp_path: Path) -> None:
    """Whatever a file is called on the server, here it has a number for a name, and no suffix that could mislead."""
    (arrived,) = [
        (got.local.parent, got.local.name)
        for got in fetch_files(Shelf(), [file(name)], tmp_path)
        if isinstance(got, FetchedFile)
    ]
    assert arrived == (tmp_path, "0")


def test_progress_is_reported_with_the_file(tmp_path: Path) -> None:
    """Progress names the file and how many bytes have arrived."""
    progress: list[tuple[str, int]] = []
    list(
        fetch_files(
            Shelf(), [file("a"), file("b")], tmp_path, progress=lambda of, size: progress.append((of.name, size))
        )
    )
    assert progress == [("a", 4), ("a", 10), ("b", 4), ("b", 10)]

"""Files are fetched one at a time and leave nothing on disk; files that cannot be fetched are reported."""

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


class FileServer:
    """A server with files, some of which fail."""

    def __init__(self, **problems: CdpSyncError) -> None:
        self.problems = problems
        self.asked: list[str] = []

    def download(self, file: RemoteFile, target: Path, *, progress: Callable[[int], None] | None = None) -> FetchedFile:
        """Write the file in two steps, or raise its error."""
        self.asked.append(file.name)
        for size in (4, 10):
            target.write_bytes(b"x" * size)
            if progress:
                progress(size)
        if problem := self.problems.get(file.name.partition(".")[0]):
            raise problem
        return FetchedFile(file, target, "digest")


def file(name: str) -> RemoteFile:
    """Return a listed file."""
    return RemoteFile(LATER, f"/in/{name}", 10)


def test_files_are_fetched_lazily_one_at_a_time(tmp_path: Path) -> None:
    """A file is fetched after the one before is processed and deleted."""
    server = FileServer()
    arrivals = fetch_files(server, [file("a.csv"), file("b.csv")], tmp_path / "new" / "folder")
    assert server.asked == []
    first = next(arrivals)
    assert isinstance(first, FetchedFile)
    assert (server.asked, first.local.read_bytes()) == (["a.csv"], b"x" * 10)
    second = next(arrivals)
    assert isinstance(second, FetchedFile)
    assert not first.local.exists()
    assert second.local.exists()
    assert list(arrivals) == []
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("problem", "state", "needle"),
    [
        (RemotePathMissing("No such file."), "vanished", "is gone"),
        (FileChanged("It grew."), "changing", "changed while it was read"),
        (RemotePermissionDenied("Not for you."), "failed", "Not for you."),
        (RemoteNameRefused("No name."), "failed", "No name."),
    ],
)
def test_a_file_that_cannot_be_fetched_is_reported(
    problem: CdpSyncError, state: str, needle: str, tmp_path: Path
) -> None:
    """A file that cannot be fetched is reported, and the next one is fetched."""
    report, arrived = fetch_files(FileServer(a=problem), [file("a.csv"), file("b.csv")], tmp_path)
    assert isinstance(report, FileReport)
    assert (report.path, report.state) == ("/in/a.csv", state)
    assert needle in report.message
    assert isinstance(arrived, FetchedFile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("problem", [ConnectionLost("The line dropped."), DiskFull("No room.")])
def test_a_problem_of_all_files_ends_fetching(problem: CdpSyncError, tmp_path: Path) -> None:
    """A lost connection or a full disk ends fetching."""
    server = FileServer(a=problem)
    with pytest.raises(type(problem)):
        list(fetch_files(server, [file("a.csv"), file("b.csv")], tmp_path))
    assert server.asked == ["a.csv"]


def test_stopping_early_leaves_no_file(tmp_path: Path) -> None:
    """A partial file is deleted when the caller stops."""
    arrivals = fetch_files(FileServer(), [file("a.csv"), file("b.csv")], tmp_path)
    next(arrivals)
    arrivals.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.GZ", "a.zip", "..", "x" * 250 + ".gz", "a\\b.zip", "'; rm -rf"])
def test_local_names_are_generated(name: str, tmp_path: Path) -> None:
    """Local files have a number for a name, without suffix, whatever the remote name is."""
    (arrived,) = [
        (got.local.parent, got.local.name)
        for got in fetch_files(FileServer(), [file(name)], tmp_path)
        if isinstance(got, FetchedFile)
    ]
    assert arrived == (tmp_path, "0")


def test_progress_is_reported_with_the_file(tmp_path: Path) -> None:
    """Progress has the file and the number of bytes so far."""
    progress: list[tuple[str, int]] = []
    list(
        fetch_files(
            FileServer(), [file("a"), file("b")], tmp_path, progress=lambda of, size: progress.append((of.name, size))
        )
    )
    assert progress == [("a", 4), ("a", 10), ("b", 4), ("b", 10)]

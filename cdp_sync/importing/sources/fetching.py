"""Downloads files one by one as they are asked for, and reports those that cannot be read."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from cdp_sync.errors import FileChanged, RemoteNameRefused, RemotePathMissing, RemotePermissionDenied
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile
from cdp_sync.private import private_folder

Progress = Callable[[RemoteFile, int], None]
"""Called with a file and the number of its bytes that have arrived so far."""


class Source(Protocol):
    """What fetching needs of a server."""

    def download(self, file: RemoteFile, target: Path, *, progress: Callable[[int], None] | None = None) -> FetchedFile:
        """Bring a file here."""
        ...


def fetch_files(
    server: Source, files: Iterable[RemoteFile], folder: Path, *, progress: Progress | None = None
) -> Iterator[FetchedFile | FileReport]:
    """Yield each file as it arrives in `folder`, and remove it from there when the next is asked for.

    A file that is gone or changes while it is read waits for the next run; one that may not be read fails.
    """
    private_folder(folder)
    for number, file in enumerate(files):
        target = folder / str(number)  # never a remote name: nothing can leave the folder, and no suffix misleads
        try:
            yield server.download(file, target, progress=partial(progress, file) if progress else None)
        except RemotePathMissing:
            yield FileReport(file.path, FileState.VANISHED, message="It was listed and is gone.")
        except FileChanged:
            yield FileReport(file.path, FileState.CHANGING, message="It changed while it was read.")
        except (RemotePermissionDenied, RemoteNameRefused) as error:
            yield FileReport(file.path, FileState.FAILED, message=str(error))
        finally:
            target.unlink(missing_ok=True)

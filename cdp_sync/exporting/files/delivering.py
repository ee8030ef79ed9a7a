"""Writes the staged rows to a local file, complete or not at all, and puts it on the server."""

import codecs
import gzip
import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from cdp_sync.errors import NO_ROOM, DiskFull
from cdp_sync.exporting.files.cells import header_line
from cdp_sync.exporting.files.uploads import noting
from cdp_sync.exporting.run import FileRun, packed_name
from cdp_sync.exporting.select import verify_room
from cdp_sync.model import ExportFile, ExportFormat, UploadJournal
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, quote_identifier, quote_literal

CHUNK = 1 << 20

_LINE_BREAKS = {"windows": r"\r\n", "linux": r"\n"}


@dataclass(frozen=True)
class LocalFile:
    """A complete file to deliver."""

    local: Path
    name: str
    """Its name on the server."""
    size: int
    rows: int


@dataclass(frozen=True)
class Draft:
    """A file to write."""

    folder: Path
    """Where it is written."""
    local: str
    """Its name there: our own, as this machine may not allow the name on the server."""
    name: str
    """Its name on the server before it is packed."""
    header: Sequence[str]
    query: str
    """What yields its lines as one column, in the order of the table that it reads."""
    rows: int
    form: ExportFormat
    file: ExportFile
    made_at: datetime


def write_file(run: FileRun) -> LocalFile | None:
    """Write the staged rows; None where there are none and the goal wants no empty file.

    Raises:
        DiskFull: There is no room for it. Nothing is left on the disk.
    """
    with run.open("none") as session:
        rows = session.value("select count(*) from staging.selected where ending = 'written'")
        if not rows and not run.is_due_without_profiles():
            return None
        header = [column.field for column in run.goal.map]
        query = "select line from staging.selected where ending = 'written'"
        draft = Draft(
            run.folder, "complete", run.text_name, header, query, rows, run.goal.format, run.goal.file, run.now
        )
        return write_draft(session, draft)


def write_draft(session: Session, draft: Draft) -> LocalFile:
    """Write a file, complete or not at all.

    Raises:
        DiskFull: There is no room for it. Nothing is left on the disk.
    """
    private_folder(draft.folder)
    text, packed = draft.folder / "text", draft.folder / "packed"
    try:
        _write_text(session, draft, text)
        _pack(draft, text, packed)
        local = packed.replace(draft.folder / draft.local)
    except (OSError, DiskFull) as error:
        if isinstance(error, OSError) and error.errno not in NO_ROOM:
            raise
        raise DiskFull(
            "There is no room left on the disk for the file to deliver.",
            remedy="Free some space and run again; nothing has been delivered.",
        ) from error
    finally:
        for scratch in (text, packed):
            scratch.unlink(missing_ok=True)
    return LocalFile(local, packed_name(draft.name, draft.file), local.stat().st_size, draft.rows)


def _write_text(session: Session, draft: Draft, target: Path) -> None:
    """Write header and rows in UTF-8, with one `copy` of one column whose name is the header."""
    form = draft.form
    options = f"""format csv, quote '', escape '', delimiter '', header {str(form.header).lower()},
        new_line '{_LINE_BREAKS[form.row_delimiter]}', use_tmp_file false"""
    # Two threads take as long: to keep the order of the table, each gathers its rows first.
    session.set("threads", "1")
    session.execute(
        f"""copy (select line as {quote_identifier(header_line(draft.header, form))} from ({draft.query}))
        to {quote_literal(str(target))} ({options})"""
    )


def _pack(draft: Draft, text: Path, target: Path) -> None:
    if draft.form.encoding == "utf-8" and draft.file.compress == "none":
        text.replace(target)
        return
    with target.open("wb") as file, _packer(draft, file) as packer, text.open("rb") as source:
        if draft.form.encoding == "utf-8":
            shutil.copyfileobj(source, packer, CHUNK)
            return
        encoded = codecs.getwriter("utf-16")(packer)
        encoded.write("")  # the byte order mark, also of an empty file
        shutil.copyfileobj(codecs.getreader("utf-8")(source), encoded, CHUNK)


@contextmanager
def _packer(draft: Draft, file: IO[bytes]) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Yield a writer that packs into a file; in one run, the same bytes make the same archive."""
    match draft.file.compress:
        case "gzip":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=draft.made_at.timestamp()) as packer:
                yield packer
        case "zip":
            member = zipfile.ZipInfo(draft.name, draft.made_at.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(file, "w") as archive, archive.open(member, "w", force_zip64=True) as packer:
                yield packer
        case _:
            yield file


@dataclass(frozen=True)
class DeliveredFile:
    """A file that is on the server, complete."""

    path: str
    size: int
    sha256: str
    rows: int


class Target(Protocol):
    """What delivering needs of a server."""

    def publish(
        self, local: Path, path: str, *, progress: Callable[[int], None] | None = None,
        journal: UploadJournal | None = None,
    ) -> None:  # fmt: skip
        """Put a file there: under its name only when it is complete, and not at all on failure.

        The journal has what an attempt may leave there, if the process dies, before its first byte is sent.
        """


def deliver_file(
    run: FileRun, server: Target, file: LocalFile, uploads: Path, *, progress: Callable[[int], None] | None = None
) -> DeliveredFile:
    """Publish a file in the goal's directory, if the delivery can be recorded.

    The local file stays where it is, for another attempt. `uploads` is the folder where the connection's uploads are
    noted until they are complete, see `clear_uploads`; `progress` receives how many bytes the server has confirmed.

    Raises:
        DiskFull: There is no room to note the upload, or to record the delivery. Nothing was sent.
        CdpSyncError: As the server's client raises it.
    """
    verify_room(run, file.rows)
    return publish(server, file, run.path, uploads, progress=progress)


def publish(
    server: Target, file: LocalFile, path: str, uploads: Path, *, progress: Callable[[int], None] | None = None
) -> DeliveredFile:
    """Publish a file at a path of the server; see `deliver_file`."""
    digests: list[Future[str]] = []
    with ThreadPoolExecutor(1) as executor:

        def confirmed(reached: int) -> None:
            # While the server writes the last bytes to its disk, the digest costs no time.
            if reached == file.size and not digests:
                digests.append(executor.submit(_sha256, file.local))
            if progress:
                progress(reached)

        with noting(uploads) as journal:
            server.publish(file.local, path, progress=confirmed, journal=journal)
    sha256 = digests[0].result() if digests else _sha256(file.local)
    return DeliveredFile(path, file.size, sha256, file.rows)


def _sha256(local: Path) -> str:
    with local.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

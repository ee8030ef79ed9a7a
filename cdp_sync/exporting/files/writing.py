"""Writes the staged rows to a local file: complete, or not at all."""

import codecs
import errno
import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from cdp_sync.errors import DiskFull
from cdp_sync.exporting.files.rows import header_step
from cdp_sync.exporting.run import FileRun
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, quote_identifier, quote_literal

CHUNK = 1 << 20

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LINE_BREAKS = {"windows": r"\r\n", "linux": r"\n"}


@dataclass(frozen=True)
class LocalFile:
    """A complete file that waits to be delivered."""

    local: Path
    name: str
    """As it shall be called on the server."""
    size: int
    rows: int

    def to_handle(self) -> dict[str, Any]:
        """Return plain values that steps can hand on."""
        return {**asdict(self), "local": str(self.local)}

    @classmethod
    def from_handle(cls, handle: dict[str, Any]) -> "LocalFile":
        """Return the file of a handle."""
        return cls(**{**handle, "local": Path(handle["local"])})


def write_file(run: FileRun) -> LocalFile | None:
    """Write what was staged; None where that is nothing and the goal wants no empty file.

    Raises:
        DiskFull: There is no room for it. Nothing is left behind.
    """
    with run.open("none") as session:
        rows = session.value("select count(*) from staging.selected where ending = 'written'")
        if not rows and not run.goal.write_empty:
            return None
        with _scratch(run) as (text, packed):
            _write_text(session, run, text)
            _pack(run, text, packed)
            local = packed.replace(run.folder / "complete")
    return LocalFile(local, run.file_name, local.stat().st_size, rows)


@contextmanager
def _scratch(run: FileRun) -> Iterator[tuple[Path, Path]]:
    """Yield where to write the text and what is made of it; afterwards neither is there.

    Local names are our own: that on the server may be one that this machine cannot have.
    """
    private_folder(run.folder)
    text, packed = run.folder / "text", run.folder / "packed"
    try:
        yield text, packed
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _disk_full() from error
    except DiskFull as error:
        raise _disk_full() from error
    finally:
        for left in (text, packed):
            left.unlink(missing_ok=True)


def _disk_full() -> DiskFull:
    return DiskFull(
        "There is no room left on the disk for the file to deliver.",
        remedy="Free some space and run again; nothing has been delivered.",
    )


def _write_text(session: Session, run: FileRun, target: Path) -> None:
    """Write header and rows in UTF-8. Each is one column that is copied as it is; its name is the header."""
    form = run.goal.format
    header = session.value(header_step(run).sql)
    options = f"""format csv, quote '', escape '', delimiter '', header {str(form.header).lower()},
        new_line '{_LINE_BREAKS[form.row_delimiter]}', use_tmp_file false"""
    # Two threads take as long: to keep the order, DuckDB has each gather its rows first.
    session.set("threads", "1")
    session.execute(
        f"""copy (select line as {quote_identifier(header)} from staging.selected where ending = 'written')
        to {quote_literal(str(target))} ({options})"""
    )


def _pack(run: FileRun, text: Path, target: Path) -> None:
    """Make of the text what is to be delivered: in its encoding, packed as declared."""
    if run.goal.format.encoding == "utf-8" and run.goal.file.compress == "none":
        text.replace(target)
        return
    with target.open("wb") as file, _packer(run, file) as packer:
        for chunk in _encoded(text, run.goal.format.encoding):
            packer.write(chunk)


@contextmanager
def _packer(run: FileRun, file: IO[bytes]) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Yield what packs into a file; the same bytes make the same archive in the same run."""
    match run.goal.file.compress:
        case "gzip":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=run.now.timestamp()) as packer:
                yield packer
        case "zip":
            member = zipfile.ZipInfo(run.text_name, run.now.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(file, "w") as archive, archive.open(member, "w", force_zip64=True) as packer:
                yield packer
        case _:
            yield file


def _encoded(text: Path, encoding: str) -> Iterator[bytes]:
    """Yield a text in an encoding; utf-16 begins with its byte order mark."""
    with text.open("rb") as file:
        if encoding == "utf-8":
            yield from iter(lambda: file.read(CHUNK), b"")
            return
        decoder, encoder = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementalencoder("utf-16")()
        yield encoder.encode("")
        for chunk in iter(lambda: file.read(CHUNK), b""):
            yield encoder.encode(decoder.decode(chunk))

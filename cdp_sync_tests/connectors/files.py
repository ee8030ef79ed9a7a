"""Files to be fetched, and what is left where they went."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import paramiko

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files, OpenFile


def written(file: Path, size: int) -> str:
    """Fill a file with bytes that differ from place to place and return their sha256."""
    data = random.Random(size).randbytes(size)  # no secret
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def names_in(folder: Path) -> list[str]:
    """Return the names of all that is in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


def sandbox_that_reads(read: Callable[[OpenFile, int, int], bytes | int]) -> type[SftpSandbox]:
    """Return a sandbox whose files are read by a function of file, offset and length."""
    opened = type("Opened", (OpenFile,), {"read": read})

    def open_(files: Files, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        handle: paramiko.SFTPHandle = opened(files.local(path), flags)
        return handle

    return type("Sandbox", (SftpSandbox,), {"files": type("Served", (Files,), {"open": open_})})

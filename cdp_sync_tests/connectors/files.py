"""Files on the server, and assertions about local folders."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import paramiko

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files, OpenFile


def written(file: Path, size: int) -> str:
    """Fill a file with bytes that differ at every offset and return their SHA-256."""
    data = random.Random(size).randbytes(size)  # no secret
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def sandbox_that_reads(read: Callable[[OpenFile, int, int], bytes | int]) -> type[SftpSandbox]:
    """Return a sandbox that reads files through a function of file, offset and length."""
    return _sandbox_opening(type("Opened", (OpenFile,), {"read": read}))


def sandbox_that_writes(write: Callable[[OpenFile, int, bytes], int]) -> type[SftpSandbox]:
    """Return a sandbox that writes files through a function of file, offset and data."""
    return _sandbox_opening(type("Opened", (OpenFile,), {"write": write}))


def sandbox_of(files: type[Files]) -> type[SftpSandbox]:
    """Return a sandbox that serves files of a class."""
    return type("Sandbox", (SftpSandbox,), {"files": files})


def _sandbox_opening(opened: type[OpenFile]) -> type[SftpSandbox]:
    def open_(files: Files, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        return opened(files.local(path), flags)

    return sandbox_of(type("Served", (Files,), {"open": open_}))

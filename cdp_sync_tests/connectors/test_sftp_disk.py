"""Downloads onto a full disk."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from cdp_sync.errors import DiskFull, Terminal
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.sftp_files import Files
from cdp_sync_tests.connectors.conftest import PASSWORD, Connect, Declare, StartSandbox
from cdp_sync_tests.connectors.files import names_in, written


class Enormous(Files):
    """Reports files that are larger than any disk."""

    def stat(self, path: str) -> paramiko.SFTPAttributes:
        """Return the attributes with a size of a petabyte."""
        attributes = super().stat(path)
        assert isinstance(attributes, paramiko.SFTPAttributes)
        attributes.st_size = 10**15
        return attributes


def test_a_file_larger_than_the_disk_is_not_downloaded(
    start_sandbox: StartSandbox, root: Path, fetched: Path, connect: Connect
) -> None:
    """DiskFull gives the needed and the free bytes before the download starts."""
    written(root / "inbox/a.csv", 10)
    client = connect(start_sandbox(type("Sandbox", (SftpSandbox,), {"files": Enormous})))
    file = replace(client.list_directory("/inbox")[0], size=10**15)
    with pytest.raises(DiskFull, match=r"1000000000000000 bytes are to come and \d+ are free"):
        client.download(file, fetched)
    assert names_in(fetched.parent) == []


LIMITED = """
import resource, sys
from pathlib import Path
from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import DiskFull
from cdp_sync.model.server import SftpServer
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
with SftpClient(SftpServer.model_validate_json(sys.argv[1])) as client:
    try:
        client.download(client.list_directory("/inbox")[0], Path(sys.argv[2]))
    except DiskFull as full:
        print(full)
"""


def test_a_disk_that_fills_up_keeps_no_part(sandbox: SftpSandbox, root: Path, fetched: Path, declare: Declare) -> None:
    """A write without room is DiskFull, and the partial file is removed."""
    written(root / "inbox/a.csv", 3_000_000)
    server = declare(sandbox).model_dump_json()
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, server, str(fetched)],
        env={**os.environ, "PASSWORD": PASSWORD}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert "a.csv does not fit on the disk" in result.stdout
    assert names_in(fetched.parent) == []


def test_an_unwritable_folder_is_named(sandbox: SftpSandbox, root: Path, tmp_path: Path, connect: Connect) -> None:
    """A target below a file is a Terminal error with its name, not a network error."""
    written(root / "inbox/a.csv", 10)
    (tmp_path / "file").touch()
    client = connect(sandbox)
    with pytest.raises(Terminal, match=r"file/a\.csv cannot be written"):
        client.download(client.list_directory("/inbox")[0], tmp_path / "file/a.csv")

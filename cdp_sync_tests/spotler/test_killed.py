"""A strict import is killed at any point: its rows land once, and the refused ones are handed back."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.spotler.contacts import HEADER, PROPERTIES, RIGHT, declared
from cdp_sync_tests.trail import victim
from cdp_sync_tests.trail.project import Project

ROWS = HEADER + "a@x.nl;Ada;Delft;1;\r\nb@x.nl;;Delft;1;\r\nc@x.nl;Cem;;many;\r\n"
REFUSED = HEADER + "b@x.nl;;Delft;1;\r\nc@x.nl;Cem;;many;\r\n"
KILLS = {
    "before the commit": {"number": 1, "only": "insert into warehouse.run", "after": True},
    "before the faults file is sent": {"method": "fill", "number": 1},
    "before the faults file has its name": {"method": "replace", "number": 1},
    "before the report is shown": {"method": "replace", "number": 1, "after": True},
}


def declare(sandbox: SftpSandbox, folder: Path, **report: str) -> Project:
    """Return a project that has learned a right file."""
    project = Project(folder / "project", {"SHOP_PASSWORD": "correct horse"})
    server = {"host": sandbox.host, "port": sandbox.port, "username": "shop", "password_env": "SHOP_PASSWORD"}
    connection = {
        "name": "spotler",
        "server": {**server, "host_key": sandbox.fingerprint},
        "report": {"emails": ["lists@example.net"], **report},
        "import_profiles": [declared()],
    }
    project.declare(PROPERTIES, connection, kind="SpotlerExchange")
    (folder / "right.csv").write_text(RIGHT, encoding="utf-8")
    project.answer("learn", "spotler", str(folder / "right.csv"))
    return project


def deliver(root: Path) -> None:
    """Deliver a file with two rows that are refused."""
    for name in ("import", "faults"):
        (root / name).mkdir(parents=True)
    file = root / "import" / "contacts.csv"
    file.write_text(ROWS, encoding="utf-8", newline="")
    os.utime(file, (1_600_000_000, 1_600_000_000))


@pytest.mark.parametrize("deadly", KILLS.values(), ids=KILLS)
def test_refused_rows_are_handed_back_after_a_kill(deadly: Mapping[str, Any], tmp_path: Path) -> None:
    """The next run places the faults file of a run that was killed, once; of what never landed none stays."""
    root = tmp_path / "root"
    deliver(root)
    with SftpSandbox(root, accounts={"shop": "correct horse"}) as sandbox:
        project = declare(sandbox, tmp_path, faults_directory="/faults")
        assert victim.exit_code(project.start("run", "spotler", deadly=deadly)) == victim.KILLED
        [goal] = project.answer("run", "spotler")["goals"]
        assert goal["state"] == "success"
        [file] = (root / "faults").iterdir()
        assert goal["faults"] == [f"/faults/{file.name} on the server"]
        assert file.read_bytes().decode() == REFUSED
        assert list((project.folder / "data" / "reports").iterdir()) == []
        assert "faults" not in project.answer("run", "spotler")["goals"][0]
        with project.warehouse.open("read") as session:
            assert session.rows("select email, total::int from warehouse.profile order by email") == [
                ("a@x.nl", 1),
                ("c@x.nl", None),
            ]


def test_refused_rows_stay_here_after_a_kill(tmp_path: Path) -> None:
    """Without a directory for them, what the killed run refused stays in the data folder, and the next run says so."""
    root = tmp_path / "root"
    deliver(root)
    with SftpSandbox(root, accounts={"shop": "correct horse"}) as sandbox:
        project = declare(sandbox, tmp_path)
        deadly = {"number": 1, "only": "insert into warehouse.run", "after": True}
        assert victim.exit_code(project.start("run", "spotler", deadly=deadly)) == victim.KILLED
        [goal] = project.answer("run", "spotler")["goals"]
        [file] = (project.folder / "data" / "reports").glob("*/*")
        assert goal["faults"] == [str(file)]
        assert file.read_bytes().decode() == REFUSED

"""Failures of the machine: each prints one paragraph without SQL or traceback, and exits with status 1."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_sync_tests.disks import Small, fill
from cdp_sync_tests.projects import SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import COMMAND, cdp_sync, history, output_of, ran, shop

__all__ = ["history", "ran", "shop"]

READING = (("quarantine",), ("profile", "ada@example.com"), ("runs",), ("scan", "shop"))
SQL = ("select ", "from warehouse", "insert ", "[SQL")


def paragraph(*arguments: str) -> str:
    """Return the one paragraph in which a command reports a failure."""
    printed = output_of(cdp_sync(*arguments), 1)
    assert "Traceback" not in printed
    assert not any(sign in printed for sign in SQL)
    return printed


@pytest.mark.parametrize(("named", "expected"), [("/there/is/none", "is no folder"), ("home", "is no absolute path")])
@pytest.mark.parametrize("arguments", [("run", "shop"), ("runs",), ("up", "--no-sandbox")], ids=" ".join)
def test_an_invalid_dagster_home_is_reported(
    arguments: tuple[str, ...], named: str, expected: str, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing folder or a relative path in DAGSTER_HOME is reported with a remedy."""
    (shop.folder / "workspace.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", named)
    printed = paragraph(*arguments)
    assert printed.count("\n") == 1
    assert f"DAGSTER_HOME is '{named}', which {expected}." in printed
    assert "unset it" in printed


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("storage: [", "while parsing"),
        ("storag: {}", 'unexpected config entry "storag"'),
        ("storage: {custom: {module: nowhere, class: Nothing, config: {}}}", "Couldn't import module nowhere"),
    ],
)
def test_invalid_dagster_settings_are_reported(settings: str, expected: str, shop: Project) -> None:
    """The message for invalid Dagster settings names the file and the invalid setting only."""
    (shop.folder / "dagster.yaml").write_text(settings)
    printed = paragraph("runs")
    assert printed.count("\n") == 1
    assert expected in printed
    assert "dagster.yaml" in printed
    assert len(printed) < 700


def test_a_damaged_history_is_reported(shop: Project) -> None:
    """A damaged run history is reported with its path."""
    (shop.folder / "dagster" / "history" / "runs.db").write_bytes(b"no database" * 1000)
    printed = paragraph("runs")
    assert "Dagster's history cannot be used: file is not a database." in printed
    assert "dagster.yaml says where" in printed


@pytest.mark.slow
def test_four_concurrent_first_runs_succeed(project: Project) -> None:
    """Four first runs that start at once in an empty folder share one history and succeed."""
    for number in range(4):
        project.connect(f"shop{number}", goal())
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,1\n")
    running = [
        subprocess.Popen(
            [*COMMAND, "run", f"shop{number}"],
            env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    printed = [process.communicate(timeout=200)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, printed
    assert len(output_of(cdp_sync("runs", "--json")).split('"run_id"')) == 5


def test_a_run_on_a_full_data_disk_fails(small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full data disk a run fails with a message and reads continue; a run with free space succeeds."""
    disk = small(6)
    monkeypatch.setenv("CDP_SYNC_DATA", str(disk / "data"))
    fill(disk)
    printed = paragraph("run", "shop")
    assert printed.startswith("✗ customers  There is no room left on the disk")
    assert "There is no room left on the disk" in output_of(cdp_sync("runs"))
    assert "0 of 0 in quarantine" in output_of(cdp_sync("quarantine"))
    output_of(cdp_sync("scan", "shop"))
    (disk / "filling").unlink()
    small(200)
    output_of(cdp_sync("run", "shop"))


@pytest.mark.parametrize("full", ["empty", "used"])
def test_no_run_starts_on_a_full_history_disk(
    full: str, small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the whole project is on a full disk, no run can be recorded, so none starts."""
    disk = small(10)
    (disk / "dagster.yaml").write_text((shop.folder / "dagster.yaml").read_text())
    if full == "used":
        shutil.copytree(shop.folder / "dagster", disk / "dagster")
    monkeypatch.chdir(disk)
    fill(disk)
    for arguments in (("run", "shop"), ("runs",)):
        printed = paragraph(*arguments)
        assert printed.count("\n") == 1
        assert "no room left on the disk that holds Dagster's history. Free some space" in printed


def test_the_sandbox_on_a_full_disk_is_reported(small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox on a full disk reports that its files do not fit."""
    disk = small(1)
    monkeypatch.setenv("CDP_SYNC_DATA", str(disk / "data"))
    fill(disk)
    printed = paragraph("sandbox", "--port", "0", "--mail-port", "0", "--sailthru-port", "0", "--iterable-port", "0")
    assert "No space left on device" in printed


def cut_short(path: Path) -> None:
    """Truncate a file within its first header."""
    os.truncate(path, 100)


def cut_in_half(path: Path) -> None:
    """Truncate a file to half its size."""
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    """Overwrite parts of all blocks."""
    with path.open("r+b") as file:
        for place in range(12_288, path.stat().st_size, 5_000):
            file.seek(place)
            file.write(b"x" * 600)


@pytest.mark.parametrize("damage", [cut_short, cut_in_half, overwrite])
def test_a_damaged_warehouse_is_reported(damage: Callable[[Path], None], ran: Project) -> None:
    """Reading a damaged warehouse reports the damage and the remedy."""
    warehouse = ran.data / "warehouse.duckdb"
    whole = warehouse.read_bytes()
    damage(warehouse)
    try:
        found = [cdp_sync(*arguments) for arguments in READING]
        failed = [result for result in found if result.exit_code]
        assert len(failed) >= 3  # a listing reads few blocks of the file
        for result in failed:
            printed = output_of(result, 1)
            assert "Error: warehouse.duckdb is damaged: it is cut off" in printed
            assert "Put a copy of it back." in printed
            assert printed.count("\n") == 1
            assert not any(sign in printed for sign in SQL)
    finally:
        warehouse.write_bytes(whole)


def test_a_run_on_a_damaged_warehouse_fails(shop: Project) -> None:
    """A goal that writes to a damaged warehouse fails with the same message."""
    output_of(cdp_sync("run", "shop"))
    cut_short(shop.data / "warehouse.duckdb")
    assert paragraph("run", "shop").startswith("✗ customers  warehouse.duckdb is damaged: it is cut off")


EVERY = (
    *READING,
    ("run", "shop"),
    ("check",),
    ("segment", "spenders"),
    ("export", "shop", "--goal", "spenders", "--preview"),
)


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_an_empty_warehouse_file_is_refused(arguments: tuple[str, ...], shop: Project) -> None:
    """Every command reports an empty warehouse file; none treats it as missing."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export()])
    warehouse = shop.data / "warehouse.duckdb"
    warehouse.touch()
    printed = paragraph(*arguments)
    assert "warehouse.duckdb is damaged: it is empty." in printed
    assert "Put a copy of it back." in printed
    saying = 2 if arguments[0] == "run" else 1  # the goal and the segment of a run both failed
    assert printed.count("damaged") == saying
    assert warehouse.stat().st_size == 0
    warehouse.unlink()
    assert "damaged" not in cdp_sync(*arguments).output


def test_a_folder_in_place_of_the_warehouse_is_reported(shop: Project) -> None:
    """A folder under the warehouse's name is reported."""
    (shop.data / "warehouse.duckdb").mkdir(parents=True)
    assert "warehouse.duckdb cannot be opened: Is a directory. Check" in paragraph("quarantine")


VARIABLES = {"SFTP": "PORT", "mail": "MAIL_PORT", "Sailthru": "SAILTHRU_PORT", "Iterable": "ITERABLE_PORT"}


@pytest.mark.parametrize("server", VARIABLES)
def test_up_names_the_variable_of_a_port_that_is_taken(
    server: str, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` names the variable of a sandbox port that is in use; its option sets the port of the UI only."""
    (shop.folder / "workspace.yaml").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for other, variable in VARIABLES.items():
            port = taken.getsockname()[1] if other == server else 0
            monkeypatch.setenv(f"CDP_SYNC_SANDBOX_{variable}", str(port))
        printed = paragraph("up", "--port", "0")
    assert f"which the sandbox's {server} server needs, cannot be opened: Address already in use." in printed
    assert printed.endswith(f"choose another with CDP_SYNC_SANDBOX_{VARIABLES[server]}.\n")


def test_up_names_the_option_of_the_uis_port(shop: Project) -> None:
    """`up` names the option for the UI's port if that is in use, before any server starts."""
    (shop.folder / "workspace.yaml").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        printed = paragraph("up", "--port", str(taken.getsockname()[1]))
    assert "which the UI needs, cannot be opened: Address already in use." in printed
    assert printed.endswith("choose another with --port.\n")
    assert not (shop.data / "sandbox").exists()


@pytest.mark.parametrize("text", ["http", "70000", "-1"])
def test_an_invalid_port_is_reported(text: str, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid port in a variable is reported with the variable's name."""
    (shop.folder / "workspace.yaml").touch()
    monkeypatch.setenv("CDP_SYNC_SANDBOX_MAIL_PORT", text)
    assert f"CDP_SYNC_SANDBOX_MAIL_PORT is '{text}'. It must be the number of a port, 0 to 65535." in paragraph(
        "up", "--port", "0"
    )


@pytest.mark.parametrize("command", ["demo", "sandbox", "up"])
def test_the_sandbox_names_its_missing_extra(command: str, shop: Project, tmp_path: Path) -> None:
    """Without the extra `sandbox`, as after a plain install, the sandbox names the missing extra."""
    (shop.folder / "workspace.yaml").touch()
    code = f"""
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
missing = ("faker", "aiosmtpd", "python_multipart", "multipart")
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in missing else find(name, *rest)
from cdp_sync.cli import main
main([{command!r}])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=shop.environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "packages that are not installed: aiosmtpd, faker, python-multipart." in done.stderr
    assert 'pip install "cdp-sync[sandbox]"' in done.stderr
    assert ("--no-sandbox" in done.stderr) == (command == "up")


def test_hints_can_be_typed_where_the_command_is_not_on_the_path(shop: Project) -> None:
    """Hints name the command by its path beside Python if it is not on the PATH."""
    code = "from cdp_sync.calling import call; print(call('--version'))"
    without = {**shop.environment, "PATH": "/usr/bin:/bin"}
    line = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True).stdout
    assert line.strip() != "cdp-sync --version"
    called = subprocess.run(line, shell=True, env=without, capture_output=True, text=True, check=True)
    assert "version" in called.stdout
    printed = subprocess.run(
        [*COMMAND, "runs", "--run", "none"], env=without, capture_output=True, text=True, check=False
    )
    assert line.strip().replace("--version", "runs") in printed.stderr


def test_the_data_folder_does_not_move_the_history(
    ran: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run history stays where `dagster.yaml` puts it, whatever the data folder."""
    monkeypatch.setenv("CDP_SYNC_DATA", str(tmp_path / "elsewhere"))
    assert '"state": "finished"' in output_of(cdp_sync("runs", "--json"))
    assert "0 of 0 in quarantine" in output_of(cdp_sync("quarantine"))
    assert not (tmp_path / "elsewhere" / "dagster").exists()

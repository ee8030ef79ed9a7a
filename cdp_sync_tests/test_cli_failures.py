"""What the machine refuses: each is one paragraph on the terminal, without SQL or traceback, and status 1."""

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
    """Return the one paragraph in which a command says what is wrong."""
    printed = output_of(cdp_sync(*arguments), 1)
    assert "Traceback" not in printed
    assert not any(sign in printed for sign in SQL)
    return printed


@pytest.mark.parametrize(("named", "expected"), [("/there/is/none", "is no folder"), ("home", "is no absolute path")])
@pytest.mark.parametrize("arguments", [("run", "shop"), ("runs",), ("up", "--no-sandbox")], ids=" ".join)
def test_a_dagster_home_that_is_none(
    arguments: tuple[str, ...], named: str, expected: str, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is missing, or whose path is relative: the message says so and how to go on."""
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
def test_settings_that_dagster_does_not_take(settings: str, expected: str, shop: Project) -> None:
    """The message names the file and what is wrong with it, not all that would be allowed."""
    (shop.folder / "dagster.yaml").write_text(settings)
    printed = paragraph("runs")
    assert printed.count("\n") == 1
    assert expected in printed
    assert "dagster.yaml" in printed
    assert len(printed) < 700


def test_a_history_that_is_damaged(shop: Project) -> None:
    """The message says where it lies."""
    (shop.folder / "dagster" / "history" / "runs.db").write_bytes(b"no database" * 1000)
    printed = paragraph("runs")
    assert "Dagster's history cannot be used: file is not a database." in printed
    assert "dagster.yaml says where" in printed


@pytest.mark.slow
def test_four_first_runs_at_once(project: Project) -> None:
    """In an empty folder each makes the same history; all of them succeed."""
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


def test_a_data_disk_without_a_byte_left(small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run fails and says so, its history too; what only reads goes on, and a run with room succeeds."""
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
def test_a_history_on_a_disk_without_a_byte_left(
    full: str, small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the whole project lies on it, no run can be noted, so none starts."""
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


def test_the_sandbox_on_a_disk_without_a_byte_left(
    small: Small, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files do not fit, and it says so."""
    disk = small(1)
    monkeypatch.setenv("CDP_SYNC_DATA", str(disk / "data"))
    fill(disk)
    printed = paragraph("sandbox", "--port", "0", "--mail-port", "0", "--sailthru-port", "0")
    assert "No space left on device" in printed


def cut_short(path: Path) -> None:
    """Cut a file in its first header."""
    os.truncate(path, 100)


def cut_in_half(path: Path) -> None:
    """Cut off half of a file."""
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    """Overwrite parts of all blocks."""
    with path.open("r+b") as file:
        for place in range(12_288, path.stat().st_size, 5_000):
            file.seek(place)
            file.write(b"x" * 600)


@pytest.mark.parametrize("damage", [cut_short, cut_in_half, overwrite])
def test_a_damaged_warehouse(damage: Callable[[Path], None], ran: Project) -> None:
    """Reading what is not there any more says that the file is damaged, and what to do."""
    warehouse = ran.data / "warehouse.duckdb"
    whole = warehouse.read_bytes()
    damage(warehouse)
    try:
        found = [cdp_sync(*arguments) for arguments in READING]
        failed = [result for result in found if result.exit_code]
        assert len(failed) >= 3  # a listing needs little of the file
        for result in failed:
            printed = output_of(result, 1)
            assert "Error: warehouse.duckdb is damaged: it is cut off" in printed
            assert "Put a copy of it back." in printed
            assert printed.count("\n") == 1
            assert not any(sign in printed for sign in SQL)
    finally:
        warehouse.write_bytes(whole)


def test_a_run_into_a_damaged_warehouse(shop: Project) -> None:
    """The goal fails with the same words."""
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
def test_an_empty_warehouse_file(arguments: tuple[str, ...], shop: Project) -> None:
    """It holds nothing, not even what makes a database: all say so, and none takes it for a file that is not there."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export()])
    warehouse = shop.data / "warehouse.duckdb"
    warehouse.touch()
    printed = paragraph(*arguments)
    assert "warehouse.duckdb is damaged: it is empty." in printed
    assert "Put a copy of it back." in printed
    saying = 2 if arguments[0] == "run" else 1  # of a run the goal and the segment, each of which failed
    assert printed.count("damaged") == saying
    assert warehouse.stat().st_size == 0
    warehouse.unlink()
    assert "damaged" not in cdp_sync(*arguments).output


def test_something_else_in_place_of_the_warehouse(shop: Project) -> None:
    """A folder under its name."""
    (shop.data / "warehouse.duckdb").mkdir(parents=True)
    assert "warehouse.duckdb cannot be opened: Is a directory. Check" in paragraph("quarantine")


VARIABLES = {"SFTP": "PORT", "mail": "MAIL_PORT", "Sailthru": "SAILTHRU_PORT"}


@pytest.mark.parametrize("server", VARIABLES)
def test_up_names_the_variable_of_a_port_that_is_taken(
    server: str, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` has an option for the port of the UI alone: those of the sandbox's servers are chosen by variables."""
    (shop.folder / "workspace.yaml").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for other, variable in VARIABLES.items():
            port = taken.getsockname()[1] if other == server else 0
            monkeypatch.setenv(f"CDP_SYNC_SANDBOX_{variable}", str(port))
        printed = paragraph("up", "--port", "0")
    assert f"which the sandbox's {server} server needs, cannot be opened: Address already in use." in printed
    assert printed.endswith(f"choose another with CDP_SYNC_SANDBOX_{VARIABLES[server]}.\n")


def test_up_names_the_option_of_the_uis_port(shop: Project) -> None:
    """Before any server is started."""
    (shop.folder / "workspace.yaml").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        printed = paragraph("up", "--port", str(taken.getsockname()[1]))
    assert "which the UI needs, cannot be opened: Address already in use." in printed
    assert printed.endswith("choose another with --port.\n")
    assert not (shop.data / "sandbox").exists()


@pytest.mark.parametrize("text", ["http", "70000", "-1"])
def test_a_variable_that_names_no_port(text: str, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it."""
    (shop.folder / "workspace.yaml").touch()
    monkeypatch.setenv("CDP_SYNC_SANDBOX_MAIL_PORT", text)
    assert f"CDP_SYNC_SANDBOX_MAIL_PORT is '{text}'. It must be the number of a port, 0 to 65535." in paragraph(
        "up", "--port", "0"
    )


@pytest.mark.parametrize("command", ["demo", "sandbox", "up"])
def test_without_the_extra_the_sandbox_says_what_is_missing(command: str, shop: Project, tmp_path: Path) -> None:
    """As from a plain wheel: a process that finds all packages but those of the extra."""
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
    """They name the command beside Python."""
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
    """Runs are those that `dagster.yaml` has, whatever the data folder: what is documented."""
    monkeypatch.setenv("CDP_SYNC_DATA", str(tmp_path / "elsewhere"))
    assert '"state": "finished"' in output_of(cdp_sync("runs", "--json"))
    assert "0 of 0 in quarantine" in output_of(cdp_sync("quarantine"))
    assert not (tmp_path / "elsewhere" / "dagster").exists()

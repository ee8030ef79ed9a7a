"""Output to a terminal: control characters in names and values, terminals without UTF-8, closed pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cdp_sync import printing
from cdp_sync.cli import main
from cdp_sync.exporting.preview import ExportPreview
from cdp_sync.model import Counters, ExportCounters, FileReport, FileState, ImportReport
from cdp_sync.terminal import print_export_preview, print_goal
from cdp_sync_tests.projects import SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import COMMAND, history, output_of, shop

__all__ = ["history", "shop"]

COLUMN = "Price [/kg]"
COMMANDING = "\x1b[2J\x1b]0;x\x07\u202e\x9b1m[red]:smile:"
SHOWN = r"\x1b[2J\x1b]0;x\x07\u202e\x9b1m[red]:smile:"


def process(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process with further variables."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project.folder,
        env={**project.environment, **environment},
        capture_output=True,
        check=False,
    )


def printed(*arguments: str, encoding: str = "utf-8", status: int = 0) -> str:
    """Return the output in this process on a terminal of this encoding, after checking the exit status."""
    result = CliRunner(charset=encoding).invoke(main, arguments)
    output_of(result, status)
    return result.output


@pytest.fixture
def hostile(shop: Project) -> Project:
    """A project whose file names, columns, cells and declarations hold markup and control characters."""
    declared = goal(map=[{"field": COLUMN, "property": "total"}, {"field": COMMANDING, "property": "first_name"}])
    columns = [{"field": "Mail", "property": "email"}, {"field": COMMANDING, "property": "first_name"}]
    named = {"name": "named", "when": {"property": "first_name", "equals": COMMANDING}}
    shop.describe(segments=[SPENDERS, named])
    shop.connect("shop", declared, export_profiles=[export(map=columns)])
    rows = [f"Email,{COLUMN},{COMMANDING}", f"ada@example.com,5,{COMMANDING}", f"bob@example.com,{COMMANDING},Bob\x1b"]
    shop.deliver("/inbox/customers_1.csv", "\n".join(rows) + "\n")
    shop.deliver("/inbox/customers_\x1b[31m[red]2.csv", "Email\neve@example.com\n", minutes=1)
    return shop


LOOKS = (
    ("scan", "shop"),
    ("run", "shop", "--goal", "customers"),
    ("runs", "--profiles"),
    ("quarantine",),
    ("profile", "ada@example.com"),
    ("segment", "spenders"),
    ("export", "shop", "--goal", "spenders", "--preview"),
)
"""Commands that print names and values."""


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_control_characters_are_escaped(as_json: list[str], hostile: Project) -> None:
    """Every command prints markup unchanged and control characters as escapes."""
    for arguments in (*LOOKS, ("segment", "named"), ("scan", "shop")):
        text = printed(*arguments, *as_json)
        assert [each for each in set(text) - {"\n"} if not each.isprintable()] == [], arguments
        assert "[red]" in text or arguments[-1] == "spenders", arguments
        assert not as_json or json.loads(text)


def test_a_column_with_brackets_is_scanned(hostile: Project) -> None:
    """A column called `Price [/kg]` is scanned like any other."""
    done = process(hostile, "scan", "shop")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"fields: Email, {COLUMN}, {SHOWN}" in done.stdout.decode()


def test_errors_escape_control_characters(hostile: Project) -> None:
    """Error messages print control characters of declarations and arguments as escapes."""
    hostile.connect("other", goal(map=[{"field": "A", "property": COMMANDING}]))
    for arguments, status in ((("check",), 1), (("run", COMMANDING), 2), (("runs", "--run", COMMANDING), 2)):
        text = printed(*arguments, status=status)
        assert [each for each in set(text) - {"\n"} if not each.isprintable()] == [], arguments
        assert "[red]" in text


@pytest.fixture
def foreign(shop: Project) -> Project:
    """A project whose file names, cells and declarations hold text in many scripts."""
    shop.describe(segments=[SPENDERS])
    shop.connect("shop", goal(), export_profiles=[export(map=[{"field": "Näme→", "property": "first_name"}])])
    shop.deliver("/inbox/customers_ł.csv", "Email,FirstName,Total\nada@example.com,Łucja 😀,x😀\nb@x.io,Ñ,9\n")
    return shop


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_is_not_utf_8_shows_escapes(encoding: str, as_json: list[str], foreign: Project) -> None:
    """Characters outside the terminal's encoding become escapes; JSON is ASCII there with the same content."""
    for arguments in LOOKS:
        text = printed(*arguments, *as_json, encoding=encoding)
        assert text.isascii() or not as_json, arguments
    assert r"\u0141ucja \U0001f600" in printed("profile", "ada@example.com", encoding=encoding)
    answered = json.loads(printed("profile", "ada@example.com", "--json", encoding=encoding))
    assert answered[0]["first_name"] == "Łucja 😀"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_run_whose_terminal_is_not_utf_8_does_not_fail(as_json: list[str], foreign: Project) -> None:
    """A run on a terminal without UTF-8 lands its data and exits with status 0."""
    done = process(foreign, "run", "shop", *as_json, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert not as_json or json.loads(done.stdout)["goals"][0]["files"][1]["path"] == "/inbox/customers_ł.csv"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_pipe_that_closes_is_no_error(as_json: list[str], shop: Project) -> None:
    """A closed pipe, as by `| head`, ends the output only; work and status are unchanged, no message is printed."""
    for arguments in (("run", "shop"), ("quarantine",)):
        reader, writer = os.pipe()
        os.close(reader)
        command = [*COMMAND, *arguments, *as_json]
        try:
            done = subprocess.run(
                command, cwd=shop.folder, env=shop.environment, stdout=writer, stderr=subprocess.PIPE, check=False
            )
        finally:
            os.close(writer)
        assert (done.returncode, done.stderr) == (0, b""), arguments
    with shop.warehouse.open("read") as session:
        assert session.value("select count(*) from warehouse.profile") == 2


def test_a_stream_that_is_closed_is_no_error(shop: Project) -> None:
    """A command works without standard output."""
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "run", "shop"]
    done = subprocess.run(command, cwd=shop.folder, env=shop.environment, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [("run", "shop"), ("runs", "--json"), ("run", "shop", "--json")])
def test_a_stream_on_a_full_disk_is_no_error(arguments: tuple[str, ...], shop: Project) -> None:
    """If standard output is on a full disk, the run keeps its status, and one line reports the lost output."""
    command = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *COMMAND, *arguments]
    done = subprocess.run(command, cwd=shop.folder, env=shop.environment, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"The rest of the output is lost: No space left on device.\n")


def test_the_sql_of_a_segment_can_be_pasted(shop: Project) -> None:
    """The SQL that `segment` prints, also in a narrow terminal, runs in DuckDB's shell on the warehouse file."""
    name = "it's [/b] a long name, with\ttab and 'quotes' " + "x" * 200
    shop.describe(segments=[{"name": "named", "when": {"property": "first_name", "equals": name}}])
    shop.deliver("/inbox/customers_1.csv", f'Email,FirstName,Total\nada@example.com,"{name}",1\nb@x.io,Bob,2\n')
    printed("run", "shop")
    text = process(shop, "segment", "named", COLUMNS="40").stdout.decode()
    sql = text[text.index("SELECT") :]
    script = "import duckdb, sys; print(len(duckdb.connect(sys.argv[1]).execute(sys.stdin.read()).fetchall()))"
    file = Path(shop.data, "warehouse.duckdb")
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], input=sql, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_preview_says_how_many_profiles_are_delivered(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an export of profiles it is the profiles that are written, whatever else is counted."""
    counters = ExportCounters(profiles_in_segment=3, profiles_same=1, profiles_written=2)
    print_export_preview(ExportPreview("crm", None, counters, (), (), ()))
    assert "2 of 3 to deliver" in capsys.readouterr().out


@pytest.mark.parametrize(("width", "expected"), [
    (60, ["  orders_2026-01-06.csv  imported: 58 read, 52 applied, 6 rejected, 1,052 events created"]),
    (100, ["  file                   state     read  applied  rejected  events created",
           "  orders_2026-01-06.csv  imported    58       52         6           1,052"]),
])  # fmt: skip
def test_the_counts_of_files_fit_a_narrow_terminal(
    width: int, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are a table where no word of it is broken, and a sentence for each file where one would be."""
    monkeypatch.setattr(printing.Output, "width", width)
    counters = Counters(rows_read=58, rows_applied=52, rows_rejected=6, events_created=1052)
    print_goal(ImportReport("orders", (FileReport("/inbox/orders_2026-01-06.csv", FileState.IMPORTED, counters),)))
    assert capsys.readouterr().out.rstrip().splitlines()[1:] == expected

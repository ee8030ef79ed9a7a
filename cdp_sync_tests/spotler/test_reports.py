"""Each import is reported by mail, without personal data; refused rows are placed as files, by runs of Dagster."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cdp_sync.cli import main
from cdp_sync_tests.importing.workbooks import xlsx
from cdp_sync_tests.orchestration.mail_project import MailProject, header_and_text, text_of
from cdp_sync_tests.spotler.contacts import HEADER, PROPERTIES, RIGHT, declared

LISTS = "lists@example.net"
ROWS = HEADER + "a@x.nl;Ada;Delft;1;\r\na@x.nl;Ann;Delft;2;\r\nb@x.nl;;Delft;1;\r\nc@x.nl;Cem;;many;\r\n;Dora;;1;\r\n"


def declare(
    mail_project: MailProject,
    *goals: dict[str, Any],
    export_profiles: Sequence[Any] = (),
    segments: Sequence[Any] = (),
    **report: Any,
) -> None:
    """Declare the exchange, with the profile model of its contacts."""
    project = mail_project.project
    project.describe(properties=PROPERTIES, segments=list(segments))
    attributes = {
        "name": "spotler",
        "server": project.server(),
        "report": {"emails": [LISTS]} | report,
        "import_profiles": list(goals or [declared()]),
        "export_profiles": list(export_profiles),
    }
    project.declare("spotler", attributes, kind="SpotlerExchange")


def learn(mail_project: MailProject, content: str | bytes = RIGHT, name: str = "right.csv", *options: str) -> Any:
    """Learn a file by the command line, and return what it answers for programs."""
    file = mail_project.project.folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = CliRunner().invoke(main, ["learn", "spotler", str(file), "--json", *options])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def run(mail_project: MailProject, name: str = "contacts.csv", content: str | bytes = ROWS) -> str:
    """Deliver a file, run the connection and return the text of the mail about it, or nothing."""
    known = len(mail_project.mails)
    mail_project.project.deliver(f"/import/{name}", content)
    mail_project.project.run("spotler_sync", mail_project.instance)
    mail_project.tick()
    mails = mail_project.mails[known:]
    assert {mail["To"] for mail in mails} <= {LISTS}
    return "".join(map(text_of, mails))


def test_the_report_counts_what_became_of_the_rows(mail_project: MailProject) -> None:
    """Read, new, changed, unchanged, duplicates, refused by reason; no value of any row is in the mail."""
    declare(mail_project)
    assert learn(mail_project)["may_be_empty"] == ["City", "Note"]
    text = run(mail_project)
    numbers = "read 5, new 2, changed 0, unchanged 0, duplicates 1, refused 2, values refused 1."
    assert f"contacts.csv: {numbers}" in text
    assert "- FirstName is empty, which is not allowed: 1" in text
    assert "- Email is empty, which is not allowed: 1" in text
    assert "3 refused rows to correct: " in text
    content = "\n".join(map(header_and_text, mail_project.mails))
    assert [word for word in ("x.nl", "Ada", "Cem", "Dora", "many") if word in content] == []


def test_refused_rows_stay_in_the_data_folder(mail_project: MailProject) -> None:
    """Without a directory of its own the faults file is in `reports`, for its owner alone."""
    declare(mail_project)
    learn(mail_project)
    run(mail_project)
    [file] = (mail_project.project.data / "reports").glob("*/*")
    assert file.name == "contacts.csv.faults.csv"
    assert file.read_text().splitlines()[1:] == ["b@x.nl;;Delft;1;", "c@x.nl;Cem;;many;", ";Dora;;1;"]
    assert (file.stat().st_mode & 0o77, file.parent.stat().st_mode & 0o77) == (0, 0)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_faults_file_on_the_server_is_corrected_and_imported(kind: str, mail_project: MailProject) -> None:
    """It is put into the declared directory; corrected and handed in again, its rows land. Nothing stays here."""
    rows = [line.split(";") for line in ROWS.splitlines()]
    right = [line.split(";") for line in RIGHT.splitlines()]
    form: dict[str, Any] = {"separator": ";"} if kind == "csv" else {"type": "xlsx"}
    declare(mail_project, declared(format=form), faults_directory="/faults")
    learn(mail_project, RIGHT if kind == "csv" else xlsx(right), f"right.{kind}")
    root: Path = mail_project.project.root
    (root / "faults").mkdir()
    text = run(mail_project, f"contacts.{kind}", ROWS if kind == "csv" else xlsx(rows))
    [file] = (root / "faults").iterdir()
    assert f"/faults/{file.name} on the server" in text
    assert not list((mail_project.project.data / "reports").glob("*"))
    separator = ";" if kind == "csv" else ","
    corrected = file.read_text().replace("many", "3").replace(f"{separator}{separator}Delft", f"{separator}Bob"
                                                              f"{separator}Delft")  # fmt: skip
    corrected = corrected.replace(f"\n{separator}Dora", f"\nd@x.nl{separator}Dora")
    again = run(mail_project, f"contacts.{kind}.faults.csv", corrected)
    assert "read 3, new 2, changed 1, unchanged 0, duplicates 0, refused 0, values refused 0." in again
    with mail_project.project.warehouse.open("read") as session:
        found = session.rows("select first_name, total::int from warehouse.profile order by email")
    assert found == [("Ann", 2), ("Bob", 1), ("Cem", 3), ("Dora", 1)]


def test_a_file_that_differs_is_mailed_about(mail_project: MailProject) -> None:
    """The mail and the run's history name the differences, column by column."""
    declare(mail_project)
    learn(mail_project)
    text = run(mail_project, content=ROWS.replace("City", "Town"))
    difference = "column 'City' is missing; one column is new: 'Town'"
    assert "contacts failed" in text
    assert difference in text
    with mail_project.project.warehouse.open("read") as session:
        assert difference in session.value("select message from warehouse.run")


def test_a_run_without_files_is_not_mailed_about(mail_project: MailProject) -> None:
    """The report is about imports: a run that finds nothing new sends none, and a failure is no secret to the team."""
    declare(mail_project)
    learn(mail_project)
    assert run(mail_project)
    run_id = mail_project.project.run("spotler_sync", mail_project.instance).run_id
    mail_project.tick()
    assert (len(mail_project.mails), mail_project.state(run_id)) == (1, "not needed")


def test_a_directory_that_is_not_there_loses_no_faults(mail_project: MailProject) -> None:
    """Where the directory is missing the faults file stays here, and the report says where; `check` says so, too."""
    declare(mail_project, faults_directory="/nowhere")
    checked = CliRunner().invoke(main, ["check", "spotler"])
    assert (checked.exit_code, "/nowhere: " in checked.output) == (1, True)
    learn(mail_project)
    text = run(mail_project)
    [file] = (mail_project.project.data / "reports").glob("*/*")
    assert str(file) in text


def test_contacts_are_exported_like_those_of_any_server(mail_project: MailProject) -> None:
    """An export goal of the exchange writes a file after the imports."""
    segment = {"name": "fair", "when": {"property": "static_lists", "contains_any": ["Spring fair"]}}
    columns = [{"field": "Email", "property": "email"}]
    exported = {"name": "out", "segment": "fair", "directory": "/outbox", "file": {"name": "o.csv"}, "map": columns}
    declare(mail_project, declared(destination={"list": "Spring fair"}), export_profiles=[exported], segments=[segment])
    learn(mail_project)
    (mail_project.project.root / "outbox").mkdir(exist_ok=True)
    run(mail_project, content=RIGHT)
    text = (mail_project.project.root / "outbox" / "o.csv").read_text()
    assert sorted(text.split()) == ["Email", "a@x.nl", "b@x.nl"]


def test_the_command_says_what_was_learned(mail_project: MailProject) -> None:
    """`learn` shows the columns; a goal that is not there is named with those that are."""
    declare(mail_project, declared(), declared(name="off", destination="suppression"))
    file = mail_project.project.folder / "right.csv"
    file.write_text(RIGHT)
    asked = CliRunner().invoke(main, ["learn", "spotler", str(file)])
    assert (asked.exit_code, "2 strict imports" in asked.output + asked.stderr) == (2, True)
    found = learn(mail_project, RIGHT, "right.csv", "--goal", "off", "--empty", "Total")
    assert found["may_be_empty"] == ["City", "Total", "Note"]
    shown = CliRunner().invoke(main, ["learn", "spotler", str(file), "--goal", "contacts"])
    assert "spotler/contacts  csv, separator ';'" in shown.output
    preview = CliRunner().invoke(main, ["run", "spotler", "--goal", "contacts", "--preview", "--local", str(file)])
    assert preview.exit_code == 0, preview.output

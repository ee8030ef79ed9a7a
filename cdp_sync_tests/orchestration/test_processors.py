"""Goals with processors through Dagster: what the catalog, mails and the history show, and functions that hang."""

import threading
from typing import Any

import dagster as dg

from cdp_sync_tests.orchestration.mail_project import MailProject, text_of
from cdp_sync_tests.projects import SPENDERS, Project, export, goal, shown

ROWS = "Email,FirstName,Total\nada@example.com,Ada,1.5\nbob@example.com,Bob,2\n,Nobody,3\nzoe@example.com,Zoe,x,more\n"
NO_BOB = {"filter": {"field": "FirstName", "drop": "^Bob"}}
FUNCTIONS = "cdp_sync_tests.processing.functions"
HANGS = {"python": {"function": f"{FUNCTIONS}:hang", "deadline_seconds": 0.2}}


def counted(values: dict[str, Any]) -> tuple[int, ...]:
    """Return the counters of rows that matter here."""
    return tuple(values[f"rows_{name}"] for name in ("read", "applied", "filtered", "rejected"))


def test_the_catalog_shows_filtered_rows(project: Project, instance: dg.DagsterInstance) -> None:
    """Metadata has the counter, by file in words; a goal whose processors drop every row says so."""
    project.connect("shop", goal(processors=[NO_BOB]))
    project.deliver("/inbox/customers_1.csv", ROWS)
    found = shown(project.run("shop_sync", instance), "shop", "customers")
    assert counted(found) == (4, 1, 1, 1)
    assert "1 filtered" in found["summary"]
    assert "1 filtered" in str(found["files"])
    project.connect("shop", goal(processors=[{"filter": {"field": "Email", "drop": ""}}]))
    found = shown(project.run("shop_sync", instance), "shop", "customers")
    assert counted(found) == (4, 0, 3, 1)
    assert "The processors dropped every row." in str(found)


def test_mails_say_how_many_rows_were_filtered(mail_project: MailProject) -> None:
    """The sentence of a goal in a mail has the number, and no value."""
    mail_project.connect("shop", goal(processors=[NO_BOB]), on="every_run")
    mail_project.run(ROWS)
    mail_project.tick()
    (mail,) = mail_project.mails
    assert "1 filtered" in text_of(mail)
    assert "Bob" not in text_of(mail)


def test_a_function_that_hangs_ends_its_goal_alone(project: Project, instance: dg.DagsterInstance) -> None:
    """The deadline fails the file by name; the other goal lands, and neither threads nor files are left."""
    project.connect("shop", goal(processors=[HANGS]), goal("others"))
    project.deliver("/inbox/customers_1.csv", ROWS)
    project.deliver("/inbox/others_1.csv", ROWS)
    result = project.run("shop_sync", instance)
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    message = str(failure.user_failure_data.description if failure.user_failure_data else failure.error)
    assert f"Processor 1 (python: {FUNCTIONS}:hang) did not end within 0.2 s" in message
    assert counted(shown(result, "shop", "others")) == (4, 2, 0, 1)
    assert [thread for thread in threading.enumerate() if thread.name == "processor"] == []
    assert [path for folder in ("staging", "downloads") for path in (project.data / folder).glob("*")] == []
    project.connect("shop", goal(processors=[NO_BOB]), goal("others"))
    again = project.run("shop_sync", instance)
    assert again.success
    assert counted(shown(again, "shop", "customers")) == (4, 1, 1, 1)


def test_a_function_that_hangs_delivers_nothing(project: Project, instance: dg.DagsterInstance) -> None:
    """An export ends by the deadline as well, and leaves nothing on the server."""
    project.describe(segments=[SPENDERS])
    project.connect("shop", goal(), export_profiles=[export(processors=[HANGS])])
    project.deliver("/inbox/customers_1.csv", ROWS)
    result = project.run("shop_sync", instance)
    assert not result.success
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "did not end within 0.2 s" in str(failures)
    assert list((project.root / "outbox").iterdir()) == []
    assert [path for folder in ("staging", "downloads") for path in (project.data / folder).glob("*")] == []

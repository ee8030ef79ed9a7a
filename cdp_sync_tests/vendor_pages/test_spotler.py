"""What Spotler's page says of its SFTP connection, where no other test says it by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_sync_tests.orchestration.conftest import instance, no_pauses
from cdp_sync_tests.orchestration.mail_project import MailProject, mail_project
from cdp_sync_tests.projects import goal, shown
from cdp_sync_tests.spotler.contacts import RIGHT, declared
from cdp_sync_tests.spotler.test_reports import LISTS, declare, learn

__all__ = ["instance", "mail_project", "no_pauses"]

EVENTS = ("email_delivered", "email_opened", "email_link_clicked", "email_bounced")


@pytest.fixture(name="shop")
def _shop(mail_project: MailProject) -> MailProject:
    """A project with an exchange of contacts that has learned a right file."""
    declare(mail_project)
    learn(mail_project)
    return mail_project


def attributes(shop: MailProject, **more: Any) -> dict[str, Any]:
    """Return the declaration of the exchange."""
    server = shop.project.server()
    report = {"report": {"emails": [LISTS]}}
    return {"name": "spotler", "server": server, "import_profiles": [declared()], **report, **more}


def test_a_batch_is_imported_by_itself(shop: MailProject) -> None:
    """Files are imported periodically by a schedule, and when they arrive where that is watched: nobody has to act."""
    schedule = {"schedule": {"times_per_day": 1, "starting_at": "03:00"}, "watch": {"every_seconds": 30}}
    shop.project.declare("spotler", attributes(shop, **schedule), kind="SpotlerExchange")
    definitions = shop.project.load()
    assert [each.name for each in definitions.schedules or ()] == ["spotler_schedule"]
    assert "spotler_new_files" in {each.name for each in definitions.sensors or ()}


def test_an_external_system_places_a_file_that_the_right_account_imports(shop: MailProject) -> None:
    """Each exchange imports the files of its own directory, and reports them to its own address."""
    other = attributes(shop, name="other", import_profiles=[declared(directory="/other")])
    shop.project.declare("other", other | {"report": {"emails": ["other@example.net"]}}, kind="SpotlerExchange")
    shop.project.deliver("/import/contacts.csv", RIGHT)
    shop.project.deliver("/other/contacts.csv", RIGHT.replace("x.nl", "y.nl"))
    result = shop.project.run("spotler_sync", shop.instance)
    shop.tick()
    assert "2 rows" in shown(result, "spotler", "contacts")["summary"]
    assert {mail["To"] for mail in shop.mails} == {LISTS}
    with shop.project.warehouse.open("read") as session:
        found = session.rows("select email from warehouse.profile order by email")
    assert found == [("a@x.nl",), ("b@x.nl",)]


def test_response_data_is_on_the_server_after_a_mailing(mail_project: MailProject) -> None:
    """Opens, clicks and bounces of each contact, in a file that another system retrieves and imports."""
    project = mail_project.project
    project.describe(event_types=list(EVENTS))
    sent = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    events = [
        {"type": kind, "id": "Id", "time": kind, "map": [{"field": "Mailing", "property": "campaign_id"}]}
        for kind in EVENTS
    ]
    events[-1]["map"].append({"field": "Kind", "property": "kind"})
    project.connect("shop", goal("mails", map=[], events=events))
    times = {"ada": (sent, sent, sent, ""), "bob": (sent, sent, "", ""), "cem": ("", "", "", sent)}
    lines = "".join(
        f"{name}@example.com,{name},spring,soft,{','.join(f'{at:%Y-%m-%d %H:%M:%S}' if at else '' for at in found)}\n"
        for name, found in times.items()
    )
    project.deliver("/inbox/mails_1.csv", f"Email,Id,Mailing,Kind,{','.join(EVENTS)}\n{lines}")
    responses = {
        "name": "responses",
        "directory": "/outbox",
        "contact": ["email"],
        "format": {"row_delimiter": "linux"},
    }
    exchange = attributes(mail_project, import_profiles=[], export_responses=[responses])
    project.declare("spotler", exchange, kind="SpotlerExchange")
    for job in ("shop_sync", "spotler_sync"):
        assert project.run(job, mail_project.instance).success
    (file,) = (project.root / "outbox").iterdir()
    assert file.name == "responses_spring.csv"
    header, *rows = (line.split(",") for line in file.read_text().splitlines())
    found = {
        row[header.index("email")]: [row[header.index(name)] for name in ("opened", "clicked", "bounced")]
        for row in rows
    }
    assert found == {
        "ada@example.com": ["1", "1", ""],
        "bob@example.com": ["1", "0", ""],
        "cem@example.com": ["0", "0", "soft"],
    }

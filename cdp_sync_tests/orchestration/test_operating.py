"""A connection over many simulated days, with the daemon."""

from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync.sandbox.smtp import SmtpSandbox
from cdp_sync_tests.orchestration.daemon import Ui, dagster_dev
from cdp_sync_tests.projects import PASSWORD, PASSWORD_ENV, SPENDERS, Project, export, goal

FILES = ("shop", "customers", "files")
SUM = goal(map=[{"field": "Total", "property": "total", "mode": "sum"}], complete={"settle_seconds": 1})


class Server:
    """The connection's server, which can stop and restart."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        (folder / "inbox").mkdir(parents=True)
        self.sandbox = SftpSandbox(folder, accounts={"shop": PASSWORD}, host_key_file=folder.parent / "host_key")
        self._up = ExitStack()
        self.start()

    def start(self) -> None:
        """Start the server on its former port."""
        self._up.enter_context(self.sandbox)

    def stop(self) -> None:
        """Stop the server and drop all connections."""
        self._up.close()

    def deliver(self, name: str, *rows: str) -> None:
        """Put a file into the inbox."""
        (self.root / "inbox" / name).write_text("\n".join(("Email,Total", *rows, "")))

    @property
    def declared(self) -> dict[str, object]:
        """The declaration of the server."""
        return {"port": self.sandbox.port, "host_key": self.sandbox.fingerprint, "password_env": PASSWORD_ENV}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is up."""
    made = Server(tmp_path / "away_and_back")
    yield made
    made.stop()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[SmtpSandbox]:
    """A mail server."""
    with SmtpSandbox(tmp_path / "mail") as made:
        yield made


def subjects(mail: SmtpSandbox) -> list[str]:
    """Return the subjects of the received mails, in order."""
    files = sorted(mail.folder.glob("*.eml"))
    return [str(message_from_bytes(file.read_bytes(), policy=policy.default)["Subject"]) for file in files]


def totals(project: Project) -> dict[str, float]:
    """Return the total of each profile."""
    with project.warehouse.open("read") as session:
        found = session.rows("select email, total from warehouse.profile order by email")
    return {email: float(total) for email, total in found}


@pytest.mark.timeout(900)
def test_a_connection_from_its_first_run_to_a_backfill(project: Project, server: Server, mail: SmtpSandbox) -> None:
    """A file is imported and corrected, the server stops and restarts, a file is backfilled, a schedule fires.

    Profiles, catalog, history and mails agree.
    """
    notified = {"emails": ["ops@example.com"], "on": "failure"}
    own = project.server(**server.declared)
    project.connect("shop", SUM, server=own, watch={"every_seconds": 5}, notifications=notified)
    project.connect("nightly", goal("orders"), schedule={"every_minutes": 1})
    project.deliver("/inbox/orders_1.csv", "Email,Total\nnia@example.com,7\n")
    smtp = {"HOST": mail.host, "PORT": str(mail.port), "TLS": "none", "SENDER": "cdp@example.com"}
    with dagster_dev(project, **{f"CDP_SYNC_SMTP_{name}": value for name, value in smtp.items()}) as ui:
        _files_arrive(project, server, ui)
        _the_server_goes_and_comes_back(project, server, mail, ui)
        _a_file_is_backfilled(project, ui)
        run = ui.next_run([], connection="nightly", reason="schedule")
        assert run["jobName"] == "nightly_sync"
        assert "nia@example.com" in totals(project)
        assert len(subjects(mail)) == 1
    _history_agrees(project)


def _files_arrive(project: Project, server: Server, ui: Ui) -> None:
    server.deliver("customers_1.csv", "ada@example.com,1.5")
    first = ui.next_run([], connection="shop", reason="new files")
    assert totals(project)["ada@example.com"] == 1.5
    server.deliver("customers_1.csv", "ada@example.com,1.5", "bob@example.com,2")
    ui.next_run([first], connection="shop", reason="new files")
    assert totals(project)["ada@example.com"] == 1.5
    assert totals(project)["bob@example.com"] == 2


def _the_server_goes_and_comes_back(project: Project, server: Server, mail: SmtpSandbox, ui: Ui) -> None:
    known = ui.runs(connection="shop")
    server.stop()
    failed = ui.launch("shop_sync")
    ui.ended(failed, "FAILURE")
    ui.wait(lambda: subjects(mail), "mail about the failed run")
    assert "shop" in subjects(mail)[0]
    server.deliver("customers_2.csv", "bob@example.com,3")
    server.start()
    ui.next_run([*known, *ui.runs(reason="by hand")], connection="shop", reason="new files")
    assert totals(project)["bob@example.com"] == 5


def _a_file_is_backfilled(project: Project, ui: Ui) -> None:
    both = {"imported": {"customers_1.csv", "customers_2.csv"}, "failed": set(), "missing": set()}
    assert ui.partitions(FILES) == both
    backfill = ui.backfill(FILES, ["customers_2.csv"])
    ui.wait(lambda: ui.backfill_status(backfill) == "COMPLETED_SUCCESS", "the backfill")
    (run,) = ui.runs(**{"dagster/backfill": backfill})
    assert (run["status"], run["tags"]["connection"], run["tags"]["reason"]) == ("SUCCESS", "shop", "backfill")
    assert totals(project)["bob@example.com"] == 5
    assert ui.partitions(FILES) == both


def _history_agrees(project: Project) -> None:
    with project.warehouse.open("read") as session:
        imports = session.rows("""
            select path, count(*), sum(rows_applied) from warehouse.imported_file
            where connection = 'shop' group by all order by all""")
        runs = session.rows("""
            select state, count(*), sum(profiles_created) from warehouse.run
            where connection = 'shop' group by all order by all""")
        exchange = session.rows("select connection, direction, profiles from warehouse.data_exchange order by all")
    assert imports == [("/inbox/customers_1.csv", 2, 2), ("/inbox/customers_2.csv", 2, 2)]
    assert runs == [("failed", 1, 0), ("success", 4, 2)]
    assert exchange == [("nightly", "import", 1), ("shop", "import", 2)]


@pytest.mark.timeout(600)
def test_a_failed_delivery_is_retried_from_its_step(project: Project) -> None:
    """A retry delivers the selected rows once the directory exists, without a new selection."""
    project.describe(segments=[SPENDERS])
    notified = {"emails": ["ops@example.com"]}
    project.connect("shop", goal(), export_profiles=[export()], notifications=notified)
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,5\n")
    outbox = project.root / "outbox"
    outbox.rmdir()
    with dagster_dev(project) as ui:
        failed = ui.launch("shop_sync")
        ui.ended(failed, "FAILURE")
        ui.wait(lambda: ui.runs(**{"cdp_sync/mailed": "waiting"}), "the mail sensor to find no server")
        outbox.mkdir()
        again = ui.again_from_failure(failed)
        tags = ui.ended(again)["tags"]
        steps = {step.rpartition(".")[2] for step in ui.steps(again) if step.startswith("shop__spenders.")}
    assert steps == {"deliver_file", "record_delivery"}
    assert (tags["connection"], tags["reason"], tags["cdp_sync/mailed"]) == ("shop", "by hand", "")
    assert (outbox / "spenders.csv").read_text() == "Email,Total\nada@example.com,5.0000\n"

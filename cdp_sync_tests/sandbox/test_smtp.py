"""The sandbox's mail server stores and lists mails, and other processes find it."""

import smtplib
import socket
from pathlib import Path

import pytest

from cdp_sync.connectors.smtp import Mail, SmtpServer, send
from cdp_sync.errors import ServerUnreachable
from cdp_sync.sandbox.servers import SandboxServers
from cdp_sync.sandbox.smtp import SmtpSandbox


def mail(number: int, *recipients: str) -> Mail:
    """Return a mail."""
    return Mail(f"Mail {number}", "Text.\n", recipients or ("ann@example.net",), str(number))


def server(port: int) -> SmtpServer:
    """Return the settings of the sandbox's mail server."""
    return SmtpServer("127.0.0.1", "cdp@example.com", "none", port)


def test_mails_are_stored_in_order_of_arrival(tmp_path: Path) -> None:
    """Each mail has a file, numbered in order of arrival, also after a restart."""
    for start in (1, 3):
        with SmtpSandbox(tmp_path / "mail") as sandbox:
            send(server(sandbox.port), mail(start))
            send(server(sandbox.port), mail(start + 1))
    assert [file.name for file in sandbox.files] == [f"00000{number}.eml" for number in (1, 2, 3, 4)]
    assert [kept["Subject"] for kept in sandbox.mails] == ["Mail 1", "Mail 2", "Mail 3", "Mail 4"]


def test_each_mail_is_reported_in_one_line(tmp_path: Path) -> None:
    """Each mail is logged in one line with subject, number of recipients and file, without an address."""
    lines: list[str] = []
    with SmtpSandbox(tmp_path / "mail", arrived=lines.append) as sandbox:
        send(server(sandbox.port), mail(1, "ann@example.net", "bob@example.net"))
        send(server(sandbox.port), mail(2))
    folder = tmp_path / "mail"
    assert lines == [
        f"Mail: Mail 1 (2 recipients, {folder / '000001.eml'})",
        f"Mail: Mail 2 (1 recipient, {folder / '000002.eml'})",
    ]


def test_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    """The server listens on loopback only, until the block ends."""
    with SmtpSandbox(tmp_path / "mail") as sandbox:
        assert sandbox.host == "127.0.0.1"
        smtplib.SMTP(sandbox.host, sandbox.port, timeout=20).close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((sandbox.host, sandbox.port), timeout=20)


def test_processes_send_mail_to_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with the servers' environment sends its mail to the sandbox."""
    monkeypatch.setenv("CDP_SYNC_SANDBOX_PORT", "0")
    monkeypatch.delenv("CDP_SYNC_SMTP_HOST", raising=False)
    with SandboxServers(mail_port=0, folder=tmp_path) as servers:
        send(SmtpServer.from_environment(servers.environment), mail(1))
        assert f"Mail on 127.0.0.1:{servers.mail_port}" in servers.summary
    assert [file.name for file in (tmp_path / "mail").iterdir()] == ["000001.eml"]


def test_existing_mail_settings_are_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing mail settings are unchanged."""
    monkeypatch.setenv("CDP_SYNC_SANDBOX_PORT", "0")
    monkeypatch.setenv("CDP_SYNC_SMTP_HOST", "mail.example.com")
    with SandboxServers(mail_port=0, folder=tmp_path) as servers:
        found = {name: value for name, value in servers.environment.items() if name.startswith("CDP_SYNC_SMTP_")}
    assert found == {"CDP_SYNC_SMTP_HOST": "mail.example.com"}


def test_a_port_in_use_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use is an error that names the option to change it."""
    monkeypatch.setenv("CDP_SYNC_SANDBOX_PORT", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerUnreachable, match="--mail-port"), SandboxServers(mail_port=port, folder=tmp_path):
            pass

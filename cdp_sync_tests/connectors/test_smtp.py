"""Sending mail to real servers on loopback: TLS, login, and the outcome of failures."""

import time
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.smtp import Mail, SmtpServer, send
from cdp_sync.errors import (
    AuthenticationFailed,
    CdpSyncError,
    CertificateRejected,
    ConnectionLost,
    MailPutOff,
    MailRefused,
    ServerRefused,
    ServerUnreachable,
    SettingUnusable,
    Transient,
)
from cdp_sync.sandbox.smtp import SmtpSandbox
from cdp_sync_tests.connectors.certificates import Authority
from cdp_sync_tests.connectors.scripted_mail_server import GO_ON, GREETING, HELLO, STALL, YES, ScriptedMailServer

USER, PASSWORD = "robot", "otter-lamp-93"
TO = ("ann@example.net", "bob@example.net")
SENDER = "cdp@example.com"
MAIL = Mail("[cdp_sync] shop failed: customers", "One line.\n.A line with a dot.\nÄrger\n", TO, "run-1")
SETTINGS = {"HOST": "mail.example.com", "SENDER": SENDER}


def server(port: int, *, login: bool = False, **fields: Any) -> SmtpServer:
    """Return the settings of a server on this machine."""
    usual = {"host": "127.0.0.1", "sender": SENDER, "tls": "none", "port": port}
    credentials = {"user": USER, "password": PASSWORD} if login else {}
    return SmtpServer(**{**usual, **credentials, **fields})


def failing_delivery(port: int, *, mail: Mail = MAIL, seconds: float = 20, **fields: Any) -> CdpSyncError:
    """Return the error of a failing delivery. It holds no personal address and no password."""
    with pytest.raises(CdpSyncError) as raised:
        send(server(port, **fields), mail, seconds=seconds)
    shown = f"{raised.value!r} {raised.value}"
    assert [secret for secret in (PASSWORD, *TO) if secret in shown] == []
    return raised.value


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A private certificate authority that this process trusts."""
    made = Authority.make(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def test_a_mail_arrives_unchanged(tmp_path: Path) -> None:
    """Without TLS and login, header and text arrive unchanged, including leading dots and non-ASCII letters."""
    with SmtpSandbox(tmp_path / "mail") as sandbox:
        assert send(server(sandbox.port), MAIL) == 0
        (mail,) = sandbox.mails
    assert (mail["Subject"], mail["From"], mail["To"]) == (MAIL.subject, SENDER, ", ".join(TO))
    assert mail["Message-ID"] == "<run-1.cdp-sync@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == MAIL.text


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_tls_and_a_login(tls: str, tmp_path: Path, authority: Authority) -> None:
    """STARTTLS and implicit TLS work with a private authority and a login."""
    options = {"tls": authority.serving(), "from_the_start": tls == "tls", "login": (USER, PASSWORD)}
    with SmtpSandbox(tmp_path / "mail", **options) as sandbox:
        send(server(sandbox.port, tls=tls, login=True), MAIL)
        assert len(sandbox.mails) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_wrong_password_is_final(tls: str, tmp_path: Path, authority: Authority) -> None:
    """A wrong password is a final error whose message names the variables, not their values."""
    options = {"tls": authority.serving(), "from_the_start": tls == "tls", "login": (USER, "another")}
    with SmtpSandbox(tmp_path / "mail", **options) as sandbox:
        error = failing_delivery(sandbox.port, tls=tls, login=True)
        assert sandbox.mails == []
    assert isinstance(error, AuthenticationFailed)
    assert "535" in str(error)
    assert "CDP_SYNC_SMTP_PASSWORD" in str(error)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_an_unknown_authority_is_refused(tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of an unknown authority is refused before any mail or password is sent."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = Authority.make(tmp_path / "unknown").serving()
    options = {"tls": context, "from_the_start": tls == "tls", "login": (USER, PASSWORD)}
    with SmtpSandbox(tmp_path / "mail", **options) as sandbox:
        error = failing_delivery(sandbox.port, tls=tls, login=True)
        assert sandbox.mails == []
    assert isinstance(error, CertificateRejected)
    assert "SSL_CERT_FILE" in str(error)


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, authority: Authority) -> None:
    """A certificate must be the host's own."""
    with SmtpSandbox(tmp_path / "mail", tls=authority.serving(address="127.0.0.9")) as sandbox:
        assert isinstance(failing_delivery(sandbox.port, tls="starttls"), CertificateRejected)


def test_a_server_without_starttls_gets_no_mail(tmp_path: Path) -> None:
    """Declared TLS is never skipped."""
    with SmtpSandbox(tmp_path / "mail") as sandbox:
        assert isinstance(failing_delivery(sandbox.port, tls="starttls", login=True), ServerRefused)
        assert sandbox.mails == []


def test_a_server_without_tls_is_reported(tmp_path: Path) -> None:
    """Implicit TLS against a plain-text server is reported."""
    with SmtpSandbox(tmp_path / "mail") as sandbox:
        error = failing_delivery(sandbox.port, tls="tls")
    assert isinstance(error, ServerRefused)
    assert "CDP_SYNC_SMTP_TLS" in str(error)


def test_an_unreachable_mail_server_is_transient(tmp_path: Path) -> None:
    """An unreachable server is a transient error; the next attempt succeeds when it is up."""
    with SmtpSandbox(tmp_path / "before") as sandbox:
        port = sandbox.port
    error = failing_delivery(port)
    assert isinstance(error, ServerUnreachable)
    with SmtpSandbox(tmp_path / "mail", port=port) as sandbox:
        send(server(port), MAIL)
        assert len(sandbox.mails) == 1


@pytest.mark.parametrize(
    ("lines", "kind", "expected"),
    [
        ((b"554 5.7.1 go away",), ServerRefused, "554 5.7.1"),
        ((b"421 4.3.2 later",), ServerUnreachable, "421 4.3.2"),
        ((GREETING, HELLO, b"550 5.1.8 ann@example.net"), ServerRefused, "550 5.1.8"),
        ((GREETING, HELLO, YES, b"550 5.1.1 <ann@example.net>", b"550 5.1.1 <bob@example.net>"), MailRefused, "5.1.1"),
        ((GREETING, HELLO, YES, b"550 5.1.1 ann", b"450 4.2.1 bob@example.net"), MailPutOff, "450 4.2.1"),
        ((GREETING, HELLO, YES, YES, YES, b"451 4.3.0 later"), MailPutOff, "451 4.3.0"),
        ((GREETING, HELLO, YES, YES, YES, b"421 4.3.2 closing"), ServerUnreachable, "421"),
        ((GREETING, HELLO, YES, YES, YES, GO_ON, b"552 5.3.4 too big for ann@example.net"), MailRefused, "552 5.3.4"),
        ((GREETING, HELLO, YES, YES, YES, GO_ON, b"452 4.3.1 full"), MailPutOff, "452 4.3.1"),
        ((GREETING, HELLO, YES, YES, YES, GO_ON, b"what?"), ConnectionLost, "no answer that can be understood"),
    ],
)
def test_the_reply_code_decides(lines: tuple[bytes, ...], kind: type[CdpSyncError], expected: str) -> None:
    """A 4xx answer is transient, a 5xx is final. Only the codes are shown, as the text may quote addresses."""
    with ScriptedMailServer(*lines) as mail_server:
        error = failing_delivery(mail_server.port)
    assert type(error) is kind
    assert expected in str(error)
    assert isinstance(error, Transient) == (lines[-1][:1] in b"4w")


@pytest.mark.parametrize(
    "lines", [(), (GREETING,), (GREETING, HELLO, YES), (GREETING, HELLO, YES, YES, YES), (GREETING, HELLO, YES, YES)]
)
def test_a_connection_lost_before_the_mail_is_transient(lines: tuple[bytes, ...]) -> None:
    """A connection lost before the mail is a transient error."""
    with ScriptedMailServer(*lines) as mail_server:
        if not lines:
            mail_server.__exit__(None, None, None)
        error = failing_delivery(mail_server.port)
    assert isinstance(error, ConnectionLost if lines else ServerUnreachable)


def test_a_connection_lost_after_the_mail_is_transient() -> None:
    """A connection lost after the mail is transient: a second copy is possible, a lost mail is not."""
    with ScriptedMailServer(GREETING, HELLO, YES, YES, YES, GO_ON) as mail_server:
        error = failing_delivery(mail_server.port)
        assert mail_server.received.endswith(b"\r\n.\r\n")
    assert isinstance(error, ConnectionLost)


@pytest.mark.parametrize(
    "lines",
    [
        (STALL,),
        (GREETING, STALL),
        (GREETING, HELLO, YES, STALL),
        (GREETING, HELLO, YES, YES, YES, GO_ON, STALL),
    ],
)
def test_a_stalled_mail_server_times_out(lines: tuple[bytes, ...]) -> None:
    """A server that stalls is abandoned at the time limit."""
    began = time.monotonic()
    with ScriptedMailServer(*lines) as mail_server:
        assert isinstance(failing_delivery(mail_server.port, seconds=1), ConnectionLost)
    assert time.monotonic() - began < 10


def test_an_endless_greeting_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends without end is abandoned at the time limit as well."""
    monkeypatch.setattr(ScriptedMailServer, "_talk", _greet_without_end)
    began = time.monotonic()
    with ScriptedMailServer() as mail_server:
        assert isinstance(failing_delivery(mail_server.port, seconds=1), ConnectionLost)
    assert time.monotonic() - began < 10


def _greet_without_end(_scene: ScriptedMailServer, line: Any, _lines: object) -> None:
    line.settimeout(0.1)  # it waits for input for this long, then continues its greeting
    while True:
        line.sendall(b"220-wait\r\n")
        try:
            if not line.recv(1):
                return
        except TimeoutError:
            continue


def test_one_refused_address_does_not_stop_the_mail() -> None:
    """Other recipients still get the mail, and the number of refused ones is returned."""
    with ScriptedMailServer(GREETING, HELLO, YES, b"550 5.1.1 unknown", YES, GO_ON, YES) as mail_server:
        assert send(server(mail_server.port), MAIL) == 1


def test_headers_cannot_be_injected(tmp_path: Path) -> None:
    """A line break in a subject is an error, not a second header."""
    with SmtpSandbox(tmp_path / "mail") as sandbox:
        with pytest.raises(ValueError, match=r"newline|linefeed"):
            send(server(sandbox.port), Mail("Hello\nBcc: eve@example.org", "", TO, "run-1"))
        assert sandbox.mails == []


@pytest.mark.parametrize(("tls", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_each_kind_of_tls_has_its_port(tls: str, port: int) -> None:
    """Each TLS mode has its default port."""
    settings = _environment(TLS=tls)
    assert SmtpServer.from_environment(settings).port == port
    assert SmtpServer.from_environment({**settings, "CDP_SYNC_SMTP_PORT": "2525"}).port == 2525


def test_starttls_is_the_default() -> None:
    """Host and sender suffice; the default is STARTTLS."""
    assert SmtpServer.from_environment(_environment()) == SmtpServer("mail.example.com", SENDER, "starttls", 587)


def test_a_password_is_not_shown() -> None:
    """A printed setting does not show the password."""
    assert PASSWORD not in repr(SmtpServer.from_environment(_environment(USER=USER, PASSWORD=PASSWORD)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"HOST": ""}, "CDP_SYNC_SMTP_HOST is not set"),
        ({"SENDER": ""}, "CDP_SYNC_SMTP_SENDER is not set"),
        ({"SENDER": "The robot <robot@example.com>"}, "CDP_SYNC_SMTP_SENDER"),
        ({"SENDER": "a@example.com\r\nBcc: eve@example.org"}, "CDP_SYNC_SMTP_SENDER"),
        ({"TLS": "ssl"}, "One of these is needed: none, starttls, tls"),
        ({"PORT": "smtp"}, "from 1 to 65535"),
        ({"PORT": "0"}, "from 1 to 65535"),
        ({"USER": USER}, "one is not set"),
        ({"PASSWORD": PASSWORD}, "one is not set"),
        ({"USER": USER, "PASSWORD": "pässword"}, "not ASCII"),
        ({"USER": USER, "PASSWORD": PASSWORD, "TLS": "none"}, "is never sent unencrypted"),
    ],
)
def test_an_invalid_setting_is_named(settings: dict[str, str], expected: str) -> None:
    """An invalid setting is named in one message, without the password."""
    with pytest.raises(SettingUnusable) as raised:
        SmtpServer.from_environment(_environment(**settings))
    assert expected in str(raised.value)
    assert PASSWORD not in str(raised.value)


def _environment(**settings: str) -> dict[str, str]:
    return {f"CDP_SYNC_SMTP_{name}": value for name, value in (SETTINGS | settings).items()}

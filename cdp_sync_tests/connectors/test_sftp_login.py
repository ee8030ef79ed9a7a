"""Logins by password, by key and by both, and refused logins."""

import logging
from pathlib import Path

import paramiko
import pytest
from paramiko import common
from paramiko.server import InteractiveQuery

from cdp_sync.errors import AuthenticationFailed, SecretMissing
from cdp_sync.sandbox.sftp import Login, SftpSandbox
from cdp_sync_tests.connectors.conftest import PASSWORD, Connect, StartSandbox
from cdp_sync_tests.openssh import OpenSshServer


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A private key in a file."""
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "id"))
    return str(tmp_path / "id")


def test_a_wrong_password_is_tried_once(sandbox: SftpSandbox, connect: Connect) -> None:
    """A refused password is AuthenticationFailed, is never retried and never shown."""
    lines: list[str] = []
    with pytest.raises(AuthenticationFailed, match="'webshop'") as raised:
        connect(sandbox, environ={"PASSWORD": "battery staple"}, log=lines.append).list_directory("/inbox")
    assert (sandbox.refused_logins, sandbox.connections, lines) == (1, 1, [])
    assert "battery" not in str(raised.value) + repr(raised.value)


def test_an_unknown_key_is_refused(openssh: OpenSshServer, connect: Connect, key_file: str) -> None:
    """An unknown key is AuthenticationFailed."""
    with pytest.raises(AuthenticationFailed):
        connect(openssh, private_key_file=key_file).exists("/")


@pytest.mark.parametrize(("environ", "word"), [({}, "not set"), ({"PASSWORD": ""}, "empty")])
def test_a_missing_variable_is_named(
    sandbox: SftpSandbox, connect: Connect, environ: dict[str, str], word: str
) -> None:
    """An unset or empty variable is SecretMissing with its name, before any connection."""
    with pytest.raises(SecretMissing, match=f"PASSWORD is {word}"):
        connect(sandbox, environ=environ).exists("/")
    assert sandbox.refused_logins == 0


@pytest.mark.parametrize("text", [PASSWORD, PASSWORD + "\n", "\ufeff" + PASSWORD + "\r\nsecond line\n"])
def test_a_password_file_counts_to_the_end_of_its_first_line(
    sandbox: SftpSandbox, connect: Connect, tmp_path: Path, text: str
) -> None:
    """`password_file` holds the password on its first line, with or without a newline."""
    (tmp_path / "password").write_bytes(text.encode())
    assert connect(sandbox, password_env=None, password_file=str(tmp_path / "password")).exists("/")


def test_an_empty_password_file_is_named(sandbox: SftpSandbox, connect: Connect, tmp_path: Path) -> None:
    """A file whose first line is empty is SecretMissing, and no empty password is sent."""
    (tmp_path / "password").write_text("\nsecond line")
    with pytest.raises(SecretMissing, match="first line is empty"):
        connect(sandbox, password_env=None, password_file=str(tmp_path / "password")).exists("/")
    assert sandbox.connections == 0


def test_secrets_stay_out_of_logs_and_repr(
    sandbox: SftpSandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """The password is not logged even at the most verbose level."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "paramiko")
    client = connect(sandbox)
    assert client.exists("/inbox")
    assert "userauth is OK" in caplog.text
    assert PASSWORD not in caplog.text + repr(client) + repr(vars(client)["_session"]) + repr(sandbox)


class TwoFactors(Login):
    """Requires key, then password, as `AuthenticationMethods publickey,password` does."""

    order: tuple[str, ...] = ("publickey", "password")

    def __init__(self, sandbox: SftpSandbox) -> None:
        super().__init__(sandbox)
        self.passed: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        """Return the remaining methods."""
        return self.order[len(self.passed)]

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Accept any key; its owner does not matter here."""
        return self._pass("publickey")

    def check_auth_password(self, username: str, password: str) -> int:
        """Accept the right password."""
        right = super().check_auth_password(username, password) == common.AUTH_SUCCESSFUL
        return self._pass("password") if right else common.AUTH_FAILED

    def _pass(self, factor: str) -> int:
        if self.get_allowed_auths("") != factor:
            return common.AUTH_FAILED
        self.passed.append(factor)
        done = len(self.passed) == len(self.order)
        return common.AUTH_SUCCESSFUL if done else common.AUTH_PARTIALLY_SUCCESSFUL


class PasswordFirst(TwoFactors):
    """Requires password, then key."""

    order = ("password", "publickey")


class Prompt(TwoFactors):
    """Requires the key, then prompts for the password, as `publickey,keyboard-interactive` does."""

    order: tuple[str, ...] = ("publickey", "keyboard-interactive")

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        """Ask one question."""
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        """Check the answer."""
        right = list(responses) == [PASSWORD]
        return self._pass("keyboard-interactive") if right else common.AUTH_FAILED


class PromptOnly(Prompt):
    """Prompts for the password and requires nothing else."""

    order = ("keyboard-interactive",)


@pytest.mark.parametrize("login", [TwoFactors, PasswordFirst, Prompt])
def test_key_and_password_are_two_factors(
    start_sandbox: StartSandbox, connect: Connect, key_file: str, login: type[Login]
) -> None:
    """A server that requires key and password gets both in its order, also by a prompt."""
    server = start_sandbox(type("Sandbox", (SftpSandbox,), {"login": login}))
    assert connect(server, private_key_file=key_file).exists("/inbox")


def test_a_password_answers_a_prompt(start_sandbox: StartSandbox, connect: Connect) -> None:
    """A server with only keyboard-interactive gets the password as its answer."""
    assert connect(start_sandbox(type("Sandbox", (SftpSandbox,), {"login": PromptOnly}))).exists("/inbox")


def test_a_missing_factor_is_named(start_sandbox: StartSandbox, connect: Connect, key_file: str) -> None:
    """Where only the key is declared, the message says that the server also requires a password."""
    server = start_sandbox(type("Sandbox", (SftpSandbox,), {"login": TwoFactors}))
    with pytest.raises(AuthenticationFailed, match="also wants password"):
        connect(server, password_env=None, private_key_file=key_file).exists("/")


def test_a_wrong_second_factor_is_tried_once(start_sandbox: StartSandbox, connect: Connect, key_file: str) -> None:
    """The right key with a wrong password is AuthenticationFailed, without a retry."""
    server = start_sandbox(type("Sandbox", (SftpSandbox,), {"login": TwoFactors}))
    with pytest.raises(AuthenticationFailed):
        connect(server, private_key_file=key_file, environ={"PASSWORD": "wrong"}).exists("/")
    assert server.refused_logins == 1

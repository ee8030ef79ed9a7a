"""Verification of the server's host key."""

import base64
import hmac
import os
from pathlib import Path

import pytest

from cdp_sync.errors import HostKeyRejected
from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.connectors.conftest import Connect, StartOpenSsh
from cdp_sync_tests.openssh import OpenSshServer

KINDS = ("ed25519", "ecdsa", "rsa")


def test_the_shown_key_equals_that_of_ssh_keygen(openssh: OpenSshServer, connect: Connect) -> None:
    """The error shows the fingerprint of an unknown server without a login."""
    with pytest.raises(HostKeyRejected) as raised:
        connect(openssh, host_key=None, username="nobody_at_all").connect()
    assert openssh.fingerprint() in raised.value.found


@pytest.mark.parametrize("kind", KINDS)
def test_any_host_key_of_the_server_can_be_pinned(start_openssh: StartOpenSsh, connect: Connect, kind: str) -> None:
    """A pinned fingerprint may be of any of the server's keys."""
    server = start_openssh(host_keys=KINDS)
    assert connect(server, host_key=server.fingerprint(kind)).exists("/")


def test_an_unknown_key_prevents_the_login(sandbox: SftpSandbox, connect: Connect) -> None:
    """Without a declared key the login is refused; the message has kind, fingerprint and the YAML line."""
    with pytest.raises(HostKeyRejected) as raised:
        connect(sandbox, host_key=None, environ={"PASSWORD": "wrong"}).exists("/")
    assert f"ssh-ed25519 {sandbox.fingerprint}" in raised.value.found
    assert f'host_key: "{sandbox.fingerprint}"' in raised.value.remedy
    assert sandbox.refused_logins == 0


def test_a_wrong_pin_is_refused_once(sandbox: SftpSandbox, connect: Connect) -> None:
    """A key other than the pinned one is HostKeyRejected with both fingerprints, without a retry."""
    pinned = "SHA256:" + "A" * 43
    lines: list[str] = []
    with pytest.raises(HostKeyRejected) as raised:
        connect(sandbox, host_key=pinned, log=lines.append).exists("/")
    assert sandbox.fingerprint in str(raised.value)
    assert pinned in str(raised.value)
    assert lines == []


def known_hosts(tmp_path: Path, text: str) -> str:
    """Write a known_hosts file and return its name."""
    (tmp_path / "known_hosts").write_text(text)
    return str(tmp_path / "known_hosts")


def hashed(name: str) -> str:
    """Return a host name hashed as by `ssh-keygen -H`."""
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


NAMES = {
    "bracketed": "[127.0.0.1]:{port}",
    "plain": "127.0.0.1",
    "listed": "example.invalid,[127.0.0.1]:{port}",
    "wildcard": "127.0.0.*",
    "bracketed wildcard": "[127.0.0.?]:{port}",
    "hashed": "#[127.0.0.1]:{port}",
    "hashed plain": "#127.0.0.1",
}


@pytest.mark.parametrize("pattern", NAMES.values(), ids=NAMES.keys())
def test_known_hosts_names_the_server_in_many_ways(
    openssh: OpenSshServer, connect: Connect, tmp_path: Path, pattern: str
) -> None:
    """A known_hosts entry names the server with or without port, in a list, by wildcard or hashed."""
    name = pattern.format(port=openssh.port)
    name = hashed(name[1:]) if name.startswith("#") else name
    file = known_hosts(tmp_path, "# comment\n\nnonsense\n" + openssh.known_hosts_line(name=name))
    assert connect(openssh, host_key=None, known_hosts_file=file).exists("/")


@pytest.mark.parametrize("pattern", ["example.invalid", "[127.0.0.1]:1", "!127.0.0.1,127.0.0.*", "|1|x|y", "|1|"])
def test_known_hosts_lines_of_other_hosts_are_ignored(
    openssh: OpenSshServer, connect: Connect, tmp_path: Path, pattern: str
) -> None:
    """A key under another name, or under a pattern that excludes the server, is not trusted."""
    file = known_hosts(tmp_path, openssh.known_hosts_line(name=pattern))
    with pytest.raises(HostKeyRejected, match=openssh.fingerprint().replace("+", "\\+")):
        connect(openssh, host_key=None, known_hosts_file=file).exists("/")


@pytest.mark.parametrize("kind", KINDS)
def test_the_known_kind_of_key_is_requested_first(
    start_openssh: StartOpenSsh, connect: Connect, tmp_path: Path, kind: str
) -> None:
    """A known_hosts file needs only one of the server's keys."""
    server = start_openssh(host_keys=KINDS)
    file = known_hosts(tmp_path, server.known_hosts_line(kind))
    assert connect(server, host_key=None, known_hosts_file=file).exists("/")


def test_a_certificate_authority_is_logged_and_ignored(
    openssh: OpenSshServer, connect: Connect, tmp_path: Path
) -> None:
    """A @cert-authority line is logged and ignored."""
    lines: list[str] = []
    text = "@cert-authority " + openssh.known_hosts_line(name="*") + openssh.known_hosts_line()
    client = connect(openssh, host_key=None, known_hosts_file=known_hosts(tmp_path, text), log=lines.append)
    assert client.exists("/")
    assert any("line 1 is skipped" in line for line in lines)


def test_a_certificate_authority_is_not_a_host_key(openssh: OpenSshServer, connect: Connect, tmp_path: Path) -> None:
    """A key of a certificate authority is not trusted as a host key."""
    file = known_hosts(tmp_path, "@cert-authority " + openssh.known_hosts_line())
    with pytest.raises(HostKeyRejected):
        connect(openssh, host_key=None, known_hosts_file=file).exists("/")


def test_a_revoked_key_is_fatal(openssh: OpenSshServer, connect: Connect, tmp_path: Path) -> None:
    """A key marked @revoked is refused, even if another line trusts it."""
    text = openssh.known_hosts_line() + "@revoked " + openssh.known_hosts_line(name="*")
    with pytest.raises(HostKeyRejected, match="@revoked"):
        connect(openssh, host_key=None, known_hosts_file=known_hosts(tmp_path, text)).exists("/")


def test_the_sandbox_writes_a_known_hosts_file(sandbox: SftpSandbox, connect: Connect, tmp_path: Path) -> None:
    """The known_hosts file that the sandbox writes is accepted."""
    file = str(sandbox.known_hosts(tmp_path / "known_hosts"))
    assert connect(sandbox, host_key=None, known_hosts_file=file).exists("/inbox")


def test_a_missing_known_hosts_file_is_named(sandbox: SftpSandbox, connect: Connect, tmp_path: Path) -> None:
    """A missing known_hosts file is HostKeyRejected, with its name."""
    with pytest.raises(HostKeyRejected, match="nowhere"):
        connect(sandbox, host_key=None, known_hosts_file=str(tmp_path / "nowhere")).exists("/")

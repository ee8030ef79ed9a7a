"""Errors of paramiko, the server and the operating system, as our errors. All of them are translated here.

Which kinds are transient and which are not: measured against paramiko 5.1, where bare `EOFError`, `OSError('Socket is
closed')` and any plain `SSHException` mean a lost line.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from cdp_sync import errors
from cdp_sync.connectors.sftp.protocol import packets
from cdp_sync.connectors.sftp.protocol.packets import NotSftp, Refusal
from cdp_sync.connectors.sftp.protocol.wire import TooSlow
from cdp_sync.model.server import SftpServer

LINE_PROBLEMS = (OSError, EOFError, paramiko.SSHException)


def address(server: SftpServer) -> str:
    """Name a server in a sentence."""
    return f"{server.host}:{server.port}"


@contextmanager
def while_talking(server: SftpServer, path: str = "", deed: str = "read") -> Iterator[None]:
    """Translate failures of a conversation about a path; `deed` is what is done to it, as in "must not read".

    Raises:
        RemotePathMissing: No such file or directory.
        RemotePermissionDenied: The account must not.
        RemoteFailure: The server says "failure", or something else that has no name here.
        ConnectionLost: The line dropped or fell silent.
        ServerRefused: The other side does not speak SFTP.
        RemoteTooSlow: The server sends, but does not get on.
    """
    try:
        yield
    except Refusal as refusal:
        raise _refusal(refusal, server, path, deed) from refusal
    except TooSlow as slow:
        about = f" with {path!r}" if path else ""
        raise errors.RemoteTooSlow(
            f"{address(server)} is too slow{about}: {slow}.",
            needed=f"Needed are answers within {server.answer_timeout:g} s and {server.least_rate:,} bytes a second.",
            remedy="Ask the server's operator; or declare `answer_timeout` and `least_rate` of `server` for a "
            "slow line.",
        ) from slow
    except (NotSftp, packets.End) as noise:
        raise no_sftp(server, noise) from noise
    except TimeoutError as silence:
        raise errors.ConnectionLost(
            f"{address(server)} fell silent: not a byte for {server.read_timeout:g} s.", remedy=_LOST
        ) from silence
    except LINE_PROBLEMS as problem:
        raise errors.ConnectionLost(
            f"The line to {address(server)} dropped: {words(problem)}.", remedy=_LOST
        ) from problem


def remote_disk_full(server: SftpServer, directory: str, why: str) -> errors.RemoteDiskFull:
    """Return the error: a file does not fit on the server."""
    return errors.RemoteDiskFull(
        f"The file does not fit into {directory!r} on {address(server)}: {why}.",
        needed="Needed is room for the whole file beside the one that it replaces.",
        remedy="Make room there, or ask the server's operator for a larger disk, quota or limit on the size of files.",
    )


_LOST = "The next attempt may succeed. If it keeps happening, check the line and the server's log."


def _refusal(refusal: Refusal, server: SftpServer, path: str, deed: str) -> errors.CdpSyncError:
    where = f"{path!r} on {address(server)}"
    if refusal.code == packets.NO_SUCH_FILE:
        return errors.RemotePathMissing(f"There is no {where}.", remedy="Check the path as the account sees it.")
    if refusal.code == packets.PERMISSION_DENIED:
        return errors.RemotePermissionDenied(
            f"{server.username!r} must not {deed} {where}.",
            remedy=f"Ask the server's operator for {'read' if deed == 'read' else 'write'} permission.",
        )
    if refusal.code in (packets.NO_CONNECTION, packets.CONNECTION_LOST):
        return errors.ConnectionLost(f"{address(server)} says that it lost its own connection.", remedy=_LOST)
    return errors.RemoteFailure(
        f"The server failed on {where} and says no more than {said(refusal)}.",
        remedy="The server's log may say why.",
    )


def said(refusal: Refusal) -> str:
    """Quote a server."""
    return f"{refusal.text or 'failure'!r} (status {refusal.code})"


def no_sftp(server: SftpServer, problem: BaseException) -> errors.ServerRefused:
    """Return the error: the account has no SFTP."""
    return errors.ServerRefused(
        f"{address(server)} lets {server.username!r} log in but gives no SFTP: {words(problem)}.",
        needed="Needed is an account with the sftp subsystem and a login shell that prints nothing.",
        remedy="Ask the server's operator.",
    )


def words(problem: BaseException) -> str:
    """Return what a problem says of itself."""
    text = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return text.rstrip(".") or "it hung up"

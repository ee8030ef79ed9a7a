"""Processes that kill themselves during their work, or hold the warehouse.

The functions here are started by `start`, in processes forked from a server that has loaded the product, so that each
starts in milliseconds. Like a killed process, it flushes and closes nothing and runs no handler.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.session import Session, Values

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["cdp_sync_tests.trail.victim", "cdp_sync.definitions", "cdp_sync.sandbox.sftp"])

KILLED = -signal.SIGKILL
"""Exit code of a process that killed itself."""


ANSWER = "answer.json"
"""File in a project's folder with the output of its command."""


def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start the work in a process of its own."""
    process = PROCESSES.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def exit_code(process: BaseProcess, patience: float = 60) -> int | None:
    """Wait for the end of a process; return None for one that takes too long and is killed."""
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def die() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(number: int, *, only: str = "", after: bool = False) -> None:
    """Make this process kill itself at a future statement.

    Args:
        number: The number of the statement, from 1.
        only: The prefix of the counted statements.
        after: Kill after the statement, not before.
    """
    execute, seen = Session.execute, 0

    def dying(session: Session, sql: str, values: Values = None) -> Session:
        nonlocal seen
        seen += sql.strip().startswith(only)
        is_it = seen == number and sql.strip().startswith(only)
        if is_it and not after:
            die()
        done = execute(session, sql, values)
        if is_it:
            die()
        return done

    Session.execute = dying  # type: ignore[assignment,method-assign]  # in this process only


def die_at_request(method: str, number: int, *, after: bool = False) -> None:
    """Make this process kill itself at one of its requests to an SFTP server.

    Args:
        method: The method of the session, such as `rename`.
        number: The number of the request, from 1.
        after: Kill after the answer, not before; for an upload, after all of it is answered.
    """
    from cdp_sync.connectors.sftp.session import Session as SftpSession

    undisturbed, seen = getattr(SftpSession, method), 0

    def dying(*arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        is_it = seen == number
        if is_it and not after:
            die()
        try:
            done = undisturbed(*arguments)
            if is_it and method == "fill":
                list(done)
            return done
        finally:
            if is_it:
                die()

    setattr(SftpSession, method, dying)


def hold(path: Path, held: Event, let_go: Event) -> None:
    """Keep the warehouse open for reading until `let_go` is set."""
    with Warehouse(path).open("read") as session:
        session.rows("select * from warehouse.profile")
        held.set()
        let_go.wait(60)


def command(arguments: list[str], folder: Path, environ: Mapping[str, str], dying: Mapping[str, Any] | None) -> None:
    """Run the `cdp-sync` command in a project's folder; optionally kill it at a statement or a request."""
    from cdp_sync.cli import main

    os.umask(0)  # private files must set their mode themselves
    os.chdir(folder)
    os.environ.update(environ)
    if dying:
        die_at_request(**dying) if "method" in dying else die_at(**dying)
    with Path(ANSWER).open("w", encoding="utf-8") as answer, redirect_stdout(answer):
        main(arguments)

"""DuckDB instances, one for each session, so that none inherits what another has set or left behind.

An instance takes 25 ms to start and up to 80 ms to free what it held; both are done beside the work between sessions.
Where one step of a run reads what the step before has staged, that is still in the memory of its instance: such a
session is kept for the next step.
"""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import duckdb

from cdp_sync.errors import CdpSyncError
from cdp_sync.warehouse.session import Session


class Instances:
    """Gives out sessions, each on an instance of its own, and has the next one started when one is given back."""

    def __init__(self) -> None:
        self._parents: list[object] = []
        self._begin()

    def _begin(self) -> None:
        self._beside = ThreadPoolExecutor(1, "duckdb")
        self._lock = threading.Lock()
        self._next: Future[Session] | None = None
        self._kept: tuple[Path, Session] | None = None

    def begin_anew(self) -> None:
        """Forget what was under way: a forked process has none of the threads, and its parent's files stay open."""
        self._parents += [self._next, self._kept]
        self._begin()

    def take(self, staging: Path | None = None) -> Session:
        """Return a session with nothing in it, or the one that is kept with the staging file.

        What the last one held is free by then, so that no two fill memory.
        """
        with self._lock:
            kept, self._kept = self._kept, None
        if kept and kept[0] == staging:
            return kept[1]
        if kept:
            self.give_back(kept[1])
        with self._lock:
            ready, self._next = self._next, None
        return ready.result() if ready else _start()

    def keep(self, session: Session, staging: Path) -> None:
        """Keep a session that is done for who takes its staging file next; it lets go of other files and settings."""
        if not _lets_go(session, but="staging"):
            return
        session.wait_for_disk(wait=False)
        with self._lock:
            former, self._kept = self._kept, (staging, session)
        if former:
            self.give_back(former[1])

    def let_go(self, staging: Path) -> None:
        """Give back the session that is kept with a staging file, if there is one, so that others can have the file.

        Mostly the file is about to be removed, so no checkpoint is made: DuckDB's log may stay beside it.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != staging:
                return
            (_, session), self._kept = self._kept, None
        session.skip_checkpoint()
        self.give_back(session)

    def give_back(self, session: Session) -> None:
        """Have a session let go of its files and its instance freed, and the next one started."""
        if not _lets_go(session):
            return
        with self._lock:
            if self._next is None:
                self._next = self._beside.submit(_replace, session)
                return
        session.close()


def _lets_go(session: Session, but: str = "") -> bool:
    """Have a session let go of its files; one that cannot is closed: what is committed is safe."""
    try:
        session.let_go(but=but)
    except CdpSyncError:
        session.close()
        return False
    return True


def _start() -> Session:
    return Session(duckdb.connect(":memory:"))


def _replace(session: Session) -> Session:
    session.close()
    return _start()


instances = Instances()
os.register_at_fork(after_in_child=instances.begin_anew)

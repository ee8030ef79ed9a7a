"""Writes users to a file and brings them to a platform; a second file has their outcomes, to resume after a crash."""

import csv
import io
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Self

from cdp_sync.errors import CdpSyncError, UserForgotten, UserUnknown
from cdp_sync.exporting.audiences.events import write_events
from cdp_sync.exporting.audiences.port import FORGOTTEN, Audience, EventAudience
from cdp_sync.exporting.run import UserRun
from cdp_sync.model.audience import Delivered, Outcome, Unproved, User
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, quote_literal, statement

USERS, LEAVERS = "users.jsonl", "leavers.jsonl"
"""The users to create or change, and those to take off lists: one JSON object a line. Outcomes stand beside, as CSV."""

_WIDTH = 5
"""Columns of an outcome: the line's number, the outcome, the platform's id, when each list was joined, the reason."""

_BLOCK = 1 << 16

_SENT = """create or replace temp view sent as
select row_number() over (order by rowid) - 1 as place, line from staging.selected where ending = 'written'"""

_DELIVERED = """copy (
    select place, 'sent', platform_id, to_json(joined), '' from ({query})
) to {target} (format csv, header false)"""

_USERS = "select line from staging.selected where ending = 'written' order by rowid"

_LEAVERS = """
select json_object('id', id, 'key', key, 'lists', list(list order by list))::varchar
from staging.leaver
group by key, id
order by key, id"""


def write_users(run: UserRun) -> tuple[int, int]:
    """Write the users to create or change, and the users to take off lists; return how many each.

    Raises:
        DiskFull: There is no room for it.
        WarehouseLocked: Another process held the warehouse for too long.
    """
    private_folder(run.folder)
    with run.open("none") as session:
        users, leavers = (
            _write(session, query, run.folder / name) for name, query in ((USERS, _USERS), (LEAVERS, _LEAVERS))
        )
    if users and run.goal.memberships:
        # Record which profiles the run is about to put on lists, for the next run to know if this one is killed.
        values = {"connection": run.connection, "goal": run.goal.name, "now": run.now}
        with run.open("write") as session:
            session.execute(statement("exporting/audiences/list_intent"), values)
    return users, leavers


def _write(session: Session, query: str, target: Path) -> int:
    """Write a query's one column as it is."""
    count = int(session.value(f"select count(*) from ({query})"))
    if count:
        options = "format csv, header false, quote '', escape '', delimiter ''"
        session.execute(f"copy ({query}) to {quote_literal(str(target))} ({options})")
    return count


def deliver_users(run: UserRun, audience: Audience) -> None:
    """Bring users to the platform, and then their events. The outcomes stand in files of the run's folder.

    Called again after a crash, it resumes with the users that have no outcome yet.

    Raises:
        CdpSyncError: What concerns not one user alone.
    """
    # Removals come first: a user who is back under another profile is put on the list again after that.
    with UserFile(run, run.folder / LEAVERS) as leavers:
        if leavers:
            audience.remove(leavers)
    with UserFile(run, run.folder / USERS) as users:
        if users:
            audience.deliver(users)
    _deliver_events(run, audience)


def _deliver_events(run: UserRun, audience: Audience) -> None:
    """Send the events of users who exist, each target's in the order in which they happened."""
    paths = write_events(run, run.folder / USERS)
    for path, declared in zip(paths, run.goal.sent_events, strict=True):
        with UserFile(run, path) as events:
            if events and isinstance(audience, EventAudience):
                audience.send_events(events, declared)


class UserFile:
    """The users of a file, and the outcomes of those that have one, in another file: `Users`."""

    def __init__(self, run: UserRun, path: Path) -> None:
        self.path, self._run, self._outcomes = path, run, path.with_suffix(".csv")
        self._count = 0
        if path.exists():
            with path.open("rb") as file:
                self._count = sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
        self._known = bytearray(self._count)

    def __enter__(self) -> Self:
        """Read the outcomes that an interrupted run has left."""
        self._outcomes.touch()
        with self._outcomes.open("r+b") as file:  # a crash may have cut its last line short
            if self._outcomes.stat().st_size:
                with mmap(file.fileno(), 0, access=ACCESS_READ) as text:
                    end = text.rfind(b"\n") + 1
                file.truncate(end)
        self._read(self._outcomes)
        self._file = self._outcomes.open("a", encoding="utf-8", newline="")
        return self

    def __exit__(self, *_unused: object) -> None:
        """Write what is left to write."""
        self._file.close()

    def __len__(self) -> int:
        """Return how many users there are in all."""
        return self._count

    @property
    def resumed(self) -> bool:
        """Whether some of them have an outcome already."""
        return any(self._known)

    @property
    def types(self) -> Mapping[str, str]:
        """The type of each mapped field's property."""
        return self._run.field_types

    def __iter__(self) -> Iterator[User]:
        """Yield the users without an outcome, in order."""
        return ((place, json.loads(line)) for place, line in self.lines())

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the users without an outcome, in order, each as its number and the JSON that was written."""
        if all(self._known):
            return
        with self.path.open("rb") as file:
            for place, line in enumerate(file):
                if not self._known[place]:
                    yield place, line.rstrip(b"\n")

    def note(self, place: int, outcome: Outcome) -> None:
        """Write down the outcome of a user."""
        self.note_all((place,), outcome)

    def note_all(self, places: Collection[int], outcome: Outcome) -> None:
        """Write down the same outcome of many users."""
        row = io.StringIO()
        csv.writer(row, lineterminator="\n").writerow(["", *self._row(outcome)])
        for place in places:
            self._known[place] = 1
        rest = row.getvalue()
        self._file.write("".join(f"{place}{rest}" for place in places))

    def places(self, query: str) -> list[int]:
        """Return the numbers that a query over the users' lines yields; see `Users`."""
        with self._run.open("none") as session:
            session.execute(_SENT)
            return [place for (place,) in session.rows(query)]

    def note_delivered(self, query: str, time_zone: str) -> None:
        """Write down the users that a query proves to be delivered; see `Users`."""
        proved = self._outcomes.with_suffix(".proved")
        with self._run.open("none") as session:
            session.set("TimeZone", time_zone)
            session.execute(_SENT)
            count = session.value(_DELIVERED.format(query=query, target=quote_literal(str(proved))))
        with proved.open(encoding="utf-8", newline="") as file:
            shutil.copyfileobj(file, self._file)
        if count == self._count:
            self._known = bytearray(b"\1") * count
        else:
            self._read(proved)
        proved.unlink()

    def _read(self, outcomes: Path) -> None:
        with outcomes.open(encoding="utf-8", newline="\n") as file:
            for row in csv.reader(file):
                if len(row) == _WIDTH and int(row[0]) < self._count:
                    self._known[int(row[0])] = 1

    def _row(self, outcome: Outcome) -> tuple[str, str, str, str]:
        """Return the outcome, the platform's id, when the user joined the goal's lists, and why it was refused."""
        if outcome is None or isinstance(outcome, UserUnknown):
            return "absent", "", "", ""
        if isinstance(outcome, UserForgotten):
            return "forgotten", "", "", FORGOTTEN
        if isinstance(outcome, CdpSyncError):
            return "refused", "", "", _one_line(outcome.found)
        known = outcome.joined if isinstance(outcome, Delivered) else {}
        moments = ((name, known.get(name)) for name in self._run.goal.memberships)
        joined = [
            {"list": name, "moment": at.timestamp() if at else None}
            | ({"before": True} if name in outcome.on_before else {})
            for name, at in moments
        ]
        if isinstance(outcome, Unproved):
            return "refused", "", json.dumps(joined), _one_line(outcome.reason)
        return "sent", outcome.platform_id or "", json.dumps(joined), ""


def _one_line(text: str) -> str:
    """Return what a platform says in one line, as outcomes are read line by line."""
    return " ".join(text.split())

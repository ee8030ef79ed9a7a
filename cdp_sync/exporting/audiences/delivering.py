"""Brings users to a platform, and notes of each what became of them: as one file where that can be, else one by one.

A file of many users is quick, but nobody tells which of its lines were taken. So it is sent only where lists tell
afterwards who has arrived; those who have not are sent one by one, and it is told why they are not taken.
"""

import csv
import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

from cdp_sync.errors import CdpSyncError, JobFailed, JobUnfinished, RequestRefused, UserUnknown
from cdp_sync.exporting.audiences.verify_by_list import note_arrived
from cdp_sync.exporting.run import UserRun

Body = dict[str, Any]
"""What a user is to become: `id`, `key`, and what changes."""

Placed = tuple[int, Body]
"""A user, and the place of the line that tells of them."""

WIDTH = 5
"""Columns of what is noted: place of the line, outcome, sid, the goal's lists and when each was joined, reason."""

_BLOCK = 1 << 16


class Taken(Protocol):
    """A user who is there."""

    @property
    def sid(self) -> str | None:
        """The platform's own id; None where it does not say."""
        ...

    @property
    def joined(self) -> Mapping[str, datetime]:
        """When they joined the lists that they are on, if told."""
        ...


Answer = Taken | CdpSyncError | None
"""What became of a user; nothing: there is nobody."""


class People(Protocol):
    """What delivering needs of a platform."""

    def update_each(self, users: Iterable[Placed]) -> Generator[tuple[Placed, Answer], None, None]:
        """Create or change users one by one, side by side."""
        ...

    def find_each(self, users: Iterable[Placed]) -> Generator[tuple[Placed, Answer], None, None]:
        """Look users up by their keys, side by side."""
        ...

    def update_in_bulk(self, lines: Path) -> None:
        """Create or change the users of a file, and wait until that is done."""
        ...

    def fetch_list(self, name: str, target: Path, variables: Sequence[str]) -> None:
        """Bring a list here with these custom fields, as delimited text."""
        ...


def deliver_users(run: UserRun, platform: People) -> None:
    """Bring users to the platform. What became of each stands in files of the run's folder, for `record_users`.

    Called again after it broke off, it goes on with those of whom nothing is known yet.

    Args:
        run: The run; its users are written.
        platform: Where they go.

    Raises:
        CdpSyncError: What concerns not one user alone.
    """
    # Those who leave go first: who is back under another profile is put on the list again behind that.
    _one_by_one(run, platform, run.leavers, run.left, must_exist=True)
    if _travels_in_bulk(run):
        _in_bulk(run, platform)
    _one_by_one(run, platform, run.lines, run.outcomes, must_exist=not run.goal.create_users)


def _travels_in_bulk(run: UserRun) -> bool:
    may_create = run.goal.create_users or all(link.field == "sid" for link in run.goal.link)
    if not (run.goal.lists and may_create) or run.outcomes.exists():
        return False
    return any(True for _ in islice(_lines(run.lines), run.goal.bulk_from - 1, None))


def _in_bulk(run: UserRun, platform: People) -> None:
    """Send the file, and note who is on the lists then."""
    fields = [column.field for column in run.goal.map]
    lists = {name: run.folder / f"list_{number}.csv" for number, name in enumerate(run.goal.lists)}
    try:
        platform.update_in_bulk(run.lines)
        for name, target in lists.items():
            platform.fetch_list(name, target, fields)
    except (JobFailed, JobUnfinished, RequestRefused):
        return  # they are sent one by one
    note_arrived(run, lists)


def _one_by_one(run: UserRun, platform: People, lines: Path, outcomes: Path, *, must_exist: bool) -> None:
    """Send the users of a file of whom nothing is known yet, and note what becomes of each as it comes."""
    _cut_torn_line(outcomes)
    known = _known(outcomes)
    with outcomes.open("a", encoding="utf-8", newline="") as file:
        noted = _Noted(run, file)
        _update(platform, (user for user in _users(lines, known) if not (must_exist and _is_to_be_found(user))), noted)
        if must_exist:
            found = _there(platform, filter(_is_to_be_found, _users(lines, known)), noted)
            _update(platform, found, noted)


def _users(lines: Path, known: bytearray) -> Iterator[Placed]:
    places = enumerate(_lines(lines))
    return ((place, json.loads(line)) for place, line in places if place >= len(known) or not known[place])


def _is_to_be_found(user: Placed) -> bool:
    """Whether a change could create the user: by a sid it cannot."""
    return bool(user[1]["key"] != "sid")


def _update(platform: People, users: Iterable[Placed], noted: "_Noted") -> None:
    with closing(platform.update_each(users)) as answers:
        for (place, _), answer in answers:
            noted(place, answer)


def _there(platform: People, users: Iterable[Placed], noted: "_Noted") -> Iterator[Placed]:
    """Yield the users who exist, each by their sid, which creates nobody; note who does not."""
    with closing(platform.find_each(users)) as found:
        for (place, body), answer in found:
            if answer is None or isinstance(answer, CdpSyncError):
                noted(place, answer)
            else:
                yield place, {**body, "id": answer.sid, "key": "sid"} if answer.sid else body


class _Noted:
    """Writes down what became of users."""

    def __init__(self, run: UserRun, file: IO[str]) -> None:
        self._lists = run.goal.lists
        self._writer = csv.writer(file, lineterminator="\n")

    def __call__(self, place: int, answer: Answer) -> None:
        """Note a user."""
        self._writer.writerow([place, *self._outcome(answer)])

    def _outcome(self, answer: Answer) -> tuple[str, str, str, str]:
        """Return the outcome, the sid, when the user joined the goal's lists, and why they were refused."""
        if answer is None or isinstance(answer, UserUnknown):
            return "absent", "", "", ""
        if isinstance(answer, CdpSyncError):
            return "refused", "", "", answer.found
        moments = ((name, answer.joined.get(name)) for name in self._lists)
        joined = [{"list": name, "moment": at.timestamp() if at else None} for name, at in moments]
        return "sent", answer.sid or "", json.dumps(joined), ""


def _cut_torn_line(path: Path) -> None:
    """Remove what a crash cut short at the end of a file."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(_end_of_last_line(file))


def _end_of_last_line(file: IO[bytes]) -> int:
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        last = file.read(end - start).rfind(b"\n")
        if last >= 0:
            return start + last + 1
        end = start
    return 0


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from file


def _known(outcomes: Path) -> bytearray:
    """Return a byte for every place up to the last one of which something is known, 0 where nothing is."""
    known = bytearray()
    for place in _places(outcomes):
        known.extend(bytes(max(0, place + 1 - len(known))))
        known[place] = 1
    return known


def _places(path: Path) -> Iterator[int]:
    return (int(row[0]) for row in csv.reader(_lines(path)) if len(row) == WIDTH)

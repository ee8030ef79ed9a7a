"""What jobs do, in steps that let other calls in between."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from cdp_sync.sandbox.sailthru.asking import Parameters, mapping
from cdp_sync.sandbox.sailthru.export_csv import names_of, pieces
from cdp_sync.sandbox.sailthru.jobs import Job
from cdp_sync.sandbox.sailthru.people import MailingList
from cdp_sync.sandbox.sailthru.refusal import Refused, invalid
from cdp_sync.sandbox.sailthru.state import Scene
from cdp_sync.sandbox.sailthru.user_calls import address, write

_LINES = 250
"""In one step: some milliseconds."""

Line = Callable[[], Parameters]
"""What tells one line of an update, or raises what is wrong with it."""


def export(scene: Scene, job: Job, found: MailingList, names: list[str] | None) -> Iterator[None]:
    """Write who is on a list, as it is now; without names, with all their custom fields."""
    users = scene.account.members(found)
    columns = names_of(users) if names is None else names
    job.filename = re.sub(r"[^a-z0-9]+", "_", found.name.lower()) + ".csv"
    csv_pieces = pieces(
        users, list_name=found.name, zone=scene.account.zone, names=columns, clear_emails=scene.clear_emails
    )
    for piece in csv_pieces:
        job.content.append(piece)
        yield


def update(scene: Scene, job: Job, lines: Iterable[Line]) -> Iterator[None]:
    """Change users line by line; a line that cannot be is left out and counted."""
    counts = {"total": 0, "successful": 0, "failed": 0}
    dropped = {email.lower() for email in scene.silent_drops}
    for number, line in enumerate(lines, start=1):
        counts["total"] += 1
        try:
            asked = line()
            if not (dropped and _is_dropped(scene, asked, dropped)):
                write(scene.account, asked)
                counts["successful"] += 1
        except Refused:
            counts["failed"] += 1
        if number % _LINES == 0:
            yield
    if scene.reports_lines:
        job.report = counts


def erase(scene: Scene, names: list[str]) -> Iterator[None]:
    """Delete lists; those that are not there are left out."""
    for name in names:
        found = scene.account.lists.get(name)
        if found is not None:
            scene.account.remove_list(found)
        yield


def of_file(content: bytes, change: Parameters) -> Iterator[Line]:
    """Yield the lines of an update's file, with a change that is made to all."""
    for line in content.splitlines():
        if line.strip():
            yield partial(_file_line, line, change)


def of_emails(emails: Iterable[str], change: Parameters) -> Iterator[Line]:
    """Yield a line for each e-mail address, with a change that is made to all."""
    for email in emails:
        yield partial(_with, {"id": email.strip(), "key": "email"}, change)


def of_csv(content: bytes, list_name: str, *, signup_dates: bool) -> Iterator[Line]:
    """Yield the lines of an import's CSV file: its first column is the address, the others are custom fields."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    header = next(rows, [])
    for row in rows:
        if row:
            given = dict(zip(header[1:], row[1:], strict=False))
            signup = given.pop("signup_date", None) if signup_dates else None
            asked = {
                "id": row[0].strip(),
                "key": "email",
                "vars": given,
                "lists": {list_name: 1},
                "signup_date": signup,
            }
            yield partial(dict, asked)


def _file_line(line: bytes, change: Parameters) -> Parameters:
    return _with(_parsed(line), change)


def _parsed(line: bytes) -> Parameters:
    try:
        found = json.loads(line)
    except ValueError:
        raise invalid("The line is not valid JSON") from None
    asked = mapping(found, "line")
    # Older files name the address so.
    return asked if "id" in asked or "email" not in asked else {**asked, "id": asked["email"], "key": "email"}


def _with(asked: Parameters, change: Parameters) -> Parameters:
    if not change:
        return asked
    both = {name: {**mapping(asked.get(name), name), **mapping(change.get(name), name)} for name in ("vars", "lists")}
    return {**asked, **change, **both}


def _is_dropped(scene: Scene, asked: Parameters, dropped: set[str]) -> bool:
    key, value = address(asked)
    user = scene.account.find(key, value)
    return (user.email if user else value) in dropped

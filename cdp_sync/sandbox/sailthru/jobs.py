"""The endpoint `job`: exports, updates and imports, whose work lets other calls in between."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Call, Job, Refused, State, Work, check, mapping, text
from cdp_sync.sandbox.sailthru.account import MailingList, check_query
from cdp_sync.sandbox.sailthru.export_csv import pieces
from cdp_sync.sandbox.sailthru.lists import find
from cdp_sync.sandbox.sailthru.parameters import needed, parameters
from cdp_sync.sandbox.sailthru.users import address, write

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_LINES = 250
"""In one step: some milliseconds."""
_STATUSES = {State.DONE: "completed", State.FAILED: "error"}
"""By state; a job is `pending` in all others."""

Lines = Callable[[], Iterable[Asked]]
"""Yields the lines of an update."""


def read_job(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return the state of a job."""
    job_id = needed(parameters(call), "job_id")
    check(job_id in box.jobs.by_id, f"Invalid Job ID: {job_id}")
    return describe(box, box.jobs.by_id[job_id])


def start_job(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Start a job."""
    asked = parameters(call)
    kind = needed(asked, "job")
    check(kind in _KINDS, f"The sandbox does not know the job {kind}")
    about, work = _KINDS[kind](box, asked, call.body.file)
    job = box.start_job(box.account.new_id(), kind, about, work)
    box.jobs.settle()
    return {"job_id": job.job_id, **about, "status": "pending"}


def describe(box: "SailthruSandbox", job: Job) -> dict[str, Any]:
    """Return what answers say of a job."""
    times = {"start_time": int(job.started)} | ({} if job.ended is None else {"end_time": int(job.ended)})
    status = _STATUSES.get(job.state, "pending")
    answer: dict[str, Any] = {"job_id": job.job_id, **job.about, "status": status, **box.account.times(times)}
    for file in job.files:
        answer["filename"] = file.filename
        answer |= {"export_url": f"{box.url}/{file.path}"} if box.downloads.offers(file) else {"expired": True}
    return answer | job.report


def _export(box: "SailthruSandbox", asked: Asked, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    found = find(box.account, {"list": needed(asked, "list")})
    chosen = mapping(mapping(asked, "fields"), "vars")
    names = [name for name, want in chosen.items() if want] if chosen else None
    return {"name": f"Export All List Data: {found.name}", "list": found.name}, partial(_write_csv, box, found, names)


def _write_csv(box: "SailthruSandbox", found: MailingList, names: list[str] | None, job: Job) -> Iterator[None]:
    """Write the users of a list; all of their custom fields, or the named ones."""
    content, users = [], box.account.members(found)
    names = sorted(set().union(*(user.vars for user in users))) if names is None else names
    for piece in pieces(users, list_name=found.name, zone=box.zone, names=names, clear_emails=box.clear_emails):
        content.append(piece)
        yield
    filename = re.sub(r"[^a-z0-9]+", "_", found.name.lower()) + ".csv"
    job.files.append(box.downloads.offer(filename, content, box.export_lifetime, "text/csv"))


def _update(box: "SailthruSandbox", asked: Asked, file: bytes | None) -> tuple[dict[str, Any], Work]:
    change, lines = mapping(asked, "update"), _source(box, asked, file)
    return {"name": "Bulk Update", "update": change or []}, partial(_write_users, box, lines, change)


def _import(box: "SailthruSandbox", asked: Asked, file: bytes | None) -> tuple[dict[str, Any], Work]:
    name, lines = needed(asked, "list"), _source(box, asked, file)
    box.account.check_natural(name)
    if file is not None:
        lines = partial(_rows, file, with_dates=bool(asked.get("signup_dates")))
    return {"name": f"List Import: {name}", "list": name}, partial(_write_users, box, lines, {"lists": {name: 1}})


def _erase(box: "SailthruSandbox", asked: Asked, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    needed(asked, "lists")

    def work(_job: Job) -> Iterator[None]:
        for found in [box.account.lists[name] for name in asked["lists"] if name in box.account.lists]:
            box.account.remove_list(found)
            yield

    return {"name": f"Bulk List Erase: {len(asked['lists'])} requested"}, work


_KINDS: dict[str, Callable[["SailthruSandbox", Asked, bytes | None], tuple[dict[str, Any], Work]]] = {
    "export_list_data": _export, "update": _update, "import": _import, "list_erase": _erase,
}  # fmt: skip


def _source(box: "SailthruSandbox", asked: Asked, file: bytes | None) -> Lines:
    """Return what yields the lines of an update when its time has come."""
    # The official client leaves a path in the parameter `file`; the uploaded content is what counts.
    given = [name for name in ("url", "emails", "query") if asked.get(name)] + ([] if file is None else ["file"])
    needed({"file": given}, "file")
    check(len(given) == 1, f"Only one of file, url, emails, query may be given, not {', '.join(given)}")
    check(given != ["url"], "The sandbox fetches no files: url is not supported")
    if file is not None:
        return lambda: map(_parsed, filter(bytes.strip, file.splitlines()))
    if query := mapping(asked, "query"):
        check_query(query)
        return lambda: ({"id": user.sid, "key": "sid"} for user in box.account.matching(query))
    emails = asked["emails"] if isinstance(asked["emails"], list) else text(asked, "emails").split(",")
    return lambda: ({"id": email.strip(), "key": "email"} for email in emails)


def _parsed(line: bytes) -> Asked:
    """Return a line; an empty one, which is refused, where it is no JSON object."""
    try:
        asked = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(asked, dict):
        return {}
    return asked if "id" in asked else {**asked, "id": asked.get("email"), "key": "email"}  # as in older files


def _rows(content: bytes, *, with_dates: bool) -> Iterator[Asked]:
    """Yield the lines of a CSV file: its first column is the address, the others are custom fields."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    header = next(rows, [])
    for row in filter(None, rows):
        given = dict(zip(header[1:], row[1:], strict=False))
        signup = given.pop("signup_date", None) if with_dates else None
        yield {"id": row[0].strip(), "key": "email", "vars": given, "signup_date": signup}


def _write_users(box: "SailthruSandbox", lines: Lines, change: Asked, job: Job) -> Iterator[None]:
    """Change users line by line, and all of them by `change`; a line that is refused is left out and counted."""
    counts = {"total": 0, "successful": 0, "failed": 0}
    dropped = {email.lower() for email in box.silent_drops}
    for asked in lines():
        counts["total"] += 1
        try:
            if not (dropped and _email_of(box, asked) in dropped):
                write(box.account, _merged(asked, change) if change else asked)
                counts["successful"] += 1
        except Refused:
            counts["failed"] += 1
        if counts["total"] % _LINES == 0:
            yield
    job.report = counts if box.reports_lines else {}


def _email_of(box: "SailthruSandbox", asked: Asked) -> str | None:
    user = box.account.find(*address(asked))
    return user.email if user else address(asked)[1]


def _merged(asked: Asked, change: Asked) -> Asked:
    return asked | change | {name: mapping(asked, name) | mapping(change, name) for name in ("vars", "lists")}

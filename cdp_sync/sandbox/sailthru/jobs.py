"""The endpoint `job`: exports, updates and imports, whose work lets other calls in between."""

import csv
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Call, Job, Refused, State, Work
from cdp_sync.sandbox.sailthru.account import MailingList
from cdp_sync.sandbox.sailthru.export_csv import pieces
from cdp_sync.sandbox.sailthru.lists import find
from cdp_sync.sandbox.sailthru.parameters import Asked, as_object, mapping, needed, parameters, text
from cdp_sync.sandbox.sailthru.smart import check_query
from cdp_sync.sandbox.sailthru.times import rfc2822
from cdp_sync.sandbox.sailthru.users import address, write

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_LINES = 250
"""In one step: some milliseconds."""
_STATUSES = {State.DONE: "completed", State.FAILED: "error"}
"""By state; a job is `pending` in all others."""

Line = Callable[[], Asked]
"""Returns one line of an update, or raises Refused."""


def read_job(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return the state of a job."""
    job_id = needed(parameters(call), "job_id")
    if job_id not in box.jobs.by_id:
        raise Refused(400, f"Invalid Job ID: {job_id}")
    return describe(box, box.jobs.by_id[job_id])


def start_job(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Start a job."""
    asked = parameters(call)
    kind = needed(asked, "job")
    if kind not in _KINDS:
        raise Refused(400, f"The sandbox does not know the job {kind}")
    about, work = _KINDS[kind](box, asked, call.body.file)
    job = box.start_job(box.account.new_id(), kind, about, work)
    box.jobs.settle()
    return {"job_id": job.job_id, **about, "status": "pending"}


def describe(box: "SailthruSandbox", job: Job) -> dict[str, Any]:
    """Return what answers say of a job."""
    answer = {"job_id": job.job_id, **job.about, "status": _STATUSES.get(job.state, "pending")}
    answer["start_time"] = rfc2822(int(job.started), box.zone)
    if job.ended is not None:
        answer["end_time"] = rfc2822(int(job.ended), box.zone)
    for file in job.files:
        answer["filename"] = file.filename
        answer |= {"export_url": f"{box.url}/{file.path}"} if box.downloads.offers(file) else {"expired": True}
    return answer | job.report


def _export(box: "SailthruSandbox", asked: Asked, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    found = find(box.account, {"list": needed(asked, "list")})
    chosen = mapping(mapping(asked, "fields"), "vars")
    names = [name for name, want in chosen.items() if want] if chosen else None
    about = {"name": f"Export All List Data: {found.name}", "list": found.name}
    return about, partial(_write_csv, box, found, names)


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
    change, query = mapping(asked, "update"), mapping(asked, "query")
    _check_source(asked, file)
    if query:
        check_query(query)

    def work(job: Job) -> Iterator[None]:
        if file is not None:
            return _write_users(
                box, (partial(_parsed, line, change) for line in file.splitlines() if line.strip()), job
            )
        if query:
            found = box.account.matching(query)
            return _write_users(box, (partial(dict, change, id=user.sid, key="sid") for user in found), job)
        return _write_users(box, _of_emails(asked, change), job)

    return {"name": "Bulk Update", "update": change or []}, work


def _import(box: "SailthruSandbox", asked: Asked, file: bytes | None) -> tuple[dict[str, Any], Work]:
    name = needed(asked, "list")
    box.account.check_natural(name)
    _check_source(asked, file)

    def work(job: Job) -> Iterator[None]:
        if file is None:
            return _write_users(box, _of_emails(asked, {"lists": {name: 1}}), job)
        return _write_users(box, _of_csv(file, name, with_dates=bool(asked.get("signup_dates"))), job)

    return {"name": f"List Import: {name}", "list": name}, work


def _erase(box: "SailthruSandbox", asked: Asked, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    needed(asked, "lists")

    def work(_job: Job) -> Iterator[None]:
        for name in set(asked["lists"]) & box.account.lists.keys():
            box.account.remove_list(box.account.lists[name])
            yield

    return {"name": f"Bulk List Erase: {len(asked['lists'])} requested"}, work


_KINDS: dict[str, Callable[["SailthruSandbox", Asked, bytes | None], tuple[dict[str, Any], Work]]] = {
    "export_list_data": _export, "update": _update, "import": _import, "list_erase": _erase,
}  # fmt: skip


def _check_source(asked: Asked, file: bytes | None) -> None:
    # The official client leaves a path in the parameter `file`; the uploaded content is what counts.
    given = [name for name in ("url", "emails", "query") if asked.get(name)] + ([] if file is None else ["file"])
    if len(given) > 1:
        raise Refused(400, f"Only one of file, url, emails, query may be given, not {', '.join(given)}")
    if given == ["url"]:
        raise Refused(400, "The sandbox fetches no files: url is not supported")
    needed({"file": given}, "file")


def _write_users(box: "SailthruSandbox", lines: Iterator[Line], job: Job) -> Iterator[None]:
    """Change users line by line; a line that is refused is left out and counted."""
    counts = {"total": 0, "successful": 0, "failed": 0}
    dropped = {email.lower() for email in box.silent_drops}
    for line in lines:
        counts["total"] += 1
        try:
            asked = line()
            if not (dropped and _email_of(box, asked) in dropped):
                write(box.account, asked)
                counts["successful"] += 1
        except Refused:
            counts["failed"] += 1
        if counts["total"] % _LINES == 0:
            yield
    job.report = counts if box.reports_lines else {}


def _email_of(box: "SailthruSandbox", asked: Asked) -> str | None:
    user = box.account.find(*address(asked))
    return user.email if user else address(asked)[1]


def _parsed(line: bytes, change: Asked) -> Asked:
    asked = as_object(line, "line")
    if "id" not in asked and "email" in asked:  # as in older files
        asked = {**asked, "id": asked["email"], "key": "email"}
    both = {name: mapping(asked, name) | mapping(change, name) for name in ("vars", "lists")} if change else {}
    return {**asked, **change, **both}


def _of_emails(asked: Asked, change: Asked) -> Iterator[Line]:
    emails = asked["emails"] if isinstance(asked["emails"], list) else text(asked, "emails").split(",")
    return (partial(dict, change, id=email.strip(), key="email") for email in emails)


def _of_csv(content: bytes, name: str, *, with_dates: bool) -> Iterator[Line]:
    """Yield the lines of a CSV file: its first column is the address, the others are custom fields."""
    header, *rows = csv.reader(content.decode("utf-8-sig", errors="replace").splitlines(keepends=True))
    for row in filter(None, rows):
        given = dict(zip(header[1:], row[1:], strict=False))
        signup = given.pop("signup_date", None) if with_dates else None
        asked = {"id": row[0].strip(), "key": "email", "vars": given, "lists": {name: 1}, "signup_date": signup}
        yield partial(dict, asked)

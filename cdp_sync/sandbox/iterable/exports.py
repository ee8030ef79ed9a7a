"""The endpoints `export`: streams, and jobs that leave files."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from starlette.responses import Response

from cdp_sync.sandbox.api import Asked, Call, Clock, Job, Refused, State, check, stream, text
from cdp_sync.sandbox.iterable.events import user_event_rows
from cdp_sync.sandbox.iterable.fields import Fields, flat, moment
from cdp_sync.sandbox.iterable.users import SUCCESS

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

NDJSON = "application/x-json-stream"
CSV = "text/csv"
_LINES = 500
"""In one step: some milliseconds."""
_STATES = {State.WAITING: "enqueued", State.DONE: "completed"}
"""In lower case, as all of them; the others have the same name here."""
_STORED = {"user": "user", "purchase": "purchase", "customevent": "customEvent"}
"""The types of data that calls store, whatever the case; of all others there is what was recorded."""
_OTHERS = ("email", "push", "inapp", "inbox", "sms", "webpush", "rcs", "embedded", "whatsapp", "hosted", "journey",
           "unknownsession", "anonsession")  # fmt: skip
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported: `since` is inclusive, `until` exclusive, both in seconds since 1970."""

    data_type: str
    since: float
    until: float
    only: frozenset[str]
    omit: frozenset[str]
    delimiter: str

    @classmethod
    def read(cls, asked: Mapping[str, str], only: Iterable[str], clock: Clock) -> "Selection":
        """Return what parameters choose.

        Raises:
            Refused: One of them is not valid.
        """
        given = text(dict(asked), "dataTypeName")
        data_type = _STORED.get(given.lower(), given)
        valid = given.lower() in _STORED or given.lower().startswith(_OTHERS)
        check(valid, f"Invalid dataTypeName: {given}", "BadParams")
        since, until = _times(asked, clock())
        names = frozenset(name.strip() for each in only for name in each.split(",") if name.strip())
        omit = frozenset(filter(None, text(dict(asked), "omitFields").replace(" ", "").split(",")))
        return cls(data_type, since, until, names, omit, text(dict(asked), "delimiter") or ",")

    def covers(self, seconds: float) -> bool:
        """Return whether the window has a moment, of which the seconds count."""
        return self.since <= int(seconds) < self.until

    def reduced(self, row: Fields) -> Fields:
        """Return the fields of a row that are asked for; `a` stands for `a.b` too."""
        if not self.only and not self.omit:
            return row
        names = [(name, {name, name.partition(".")[0]}) for name in row]
        return {n: row[n] for n, known in names if (not self.only or known & self.only) and not known & self.omit}


def stream_json(box: "IterableSandbox", call: Call) -> Response:
    """Stream lines of JSON."""
    return stream(json_pieces(box, rows(box, _selection(box, call))), NDJSON)


def stream_csv(box: "IterableSandbox", call: Call) -> Response:
    """Stream CSV."""
    selection = _selection(box, call)
    return stream(csv_pieces(rows(box, selection), selection.delimiter), CSV)


def stream_user_events(box: "IterableSandbox", call: Call) -> Response:
    """Stream all events of a user as lines of JSON."""
    return stream(json_pieces(box, user_event_rows(box, call)), NDJSON)


def start_export(box: "IterableSandbox", call: Call) -> Fields:
    """Start a job."""
    asked: Asked = call.body
    made = text(asked, "outputFormat")
    check(made in (NDJSON, CSV), f"Invalid outputFormat: {made}", "BadParams")
    times = {"range": "All"} if not asked.get("startDateTime") else {}
    selection = Selection.read({**asked, **times}, [text(asked, "onlyFields")], box.clock)
    job_id = 3562 + len(box.jobs.by_id)
    job = box.start_job(str(job_id), selection.data_type, {"id": job_id}, partial(_write_files, box, selection, made))
    box.jobs.settle()
    return {"jobId": job.about["id"]}


def read_files(box: "IterableSandbox", call: Call) -> Fields:
    """Return the state of a job and a page of its files, each with a fresh link."""
    job = _job(box, call)
    after = call.request.query_params.get("startAfter", "")
    page = [file for file in job.files if file.filename > after][: box.files_per_page]
    return {
        "jobId": job.about["id"], "jobState": state(box, job), "exportTruncated": "truncated" in job.report,
        "files": [{"file": file.filename, "url": box.link(job, file)} for file in page],
    }  # fmt: skip


def read_jobs(box: "IterableSandbox", call: Call) -> Fields:
    """Return the jobs, the latest first; those of one state where it is asked for."""
    wanted = call.request.query_params.get("jobState", "").lower()
    jobs = [describe(box, job) for job in reversed(box.jobs.by_id.values())]
    return {"jobs": [job for job in jobs if not wanted or job["jobState"] == wanted]}


def cancel_export(box: "IterableSandbox", call: Call) -> Fields:
    """Cancel a job."""
    box.jobs.cancel(_job(box, call))
    return SUCCESS


def describe(box: "IterableSandbox", job: Job) -> Fields:
    """Return what answers say of a job."""
    ended = {} if job.ended is None else {"endTime": _iso(job.ended)}
    return {
        "id": job.about["id"], "dataTypeName": job.kind, "jobState": state(box, job),
        "scheduledStartTime": _iso(job.started), **ended,
        "bytesExported": sum(len(piece) for file in job.files for piece in file.content),
    }  # fmt: skip


def state(box: "IterableSandbox", job: Job) -> str:
    """Return where a job stands, in the vendor's word."""
    if job.state == State.CANCELLED and box.clock() < (job.ended or 0.0) + box.cancel_seconds:
        return "cancelling"
    return _STATES.get(job.state, job.state.value)


def rows(box: "IterableSandbox", selection: Selection) -> Iterator[Fields]:
    """Yield users or events of a window, flat unless the sandbox exports nested ones."""
    made: Callable[[Fields], Fields] = flat if box.flat_exports else dict
    if selection.data_type == "user":
        users = [user for user in box.seen(box.project.users.values()) if selection.covers(user.updated)]
        found: Iterator[Fields] = map(box.project.described, users)
    else:
        kind = selection.data_type.lower()
        events = [event for event in box.events.by_id.values() if event.type.lower() == kind]
        found = (event.line_of(apart=box.data_fields_apart) for event in events if selection.covers(event.created))
    return (selection.reduced(made(row)) for row in found)


def json_pieces(box: "IterableSandbox", found: Iterable[Fields]) -> Iterator[bytes]:
    """Yield lines of JSON, some hundred at a time; lines that were ordered to be bad are."""
    lines = (f"{_encode(row)}\n".encode() for row in found)
    if box.bad_lines:
        lines = (_spoiled(line, box.bad_lines.get(number, b"")) for number, line in enumerate(lines, 1))
    while piece := b"".join(islice(lines, _LINES)):
        yield piece


def csv_pieces(found: Iterable[Fields], delimiter: str) -> Iterator[bytes]:
    """Yield a header of all columns and the rows, some hundred at a time; arrays and objects are JSON."""
    every = list(found)
    columns = list(dict.fromkeys(chain.from_iterable(every)))
    left: Iterator[list[object]] = iter([[*columns], *([_cell(row.get(name)) for name in columns] for row in every)])
    while some := list(islice(left, _LINES)):
        target = io.StringIO(newline="")
        csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows(some)
        yield target.getvalue().encode()


def _write_files(box: "IterableSandbox", selection: Selection, made: str, job: Job) -> Iterator[None]:
    """Write files of so many lines; each can be downloaded when it is written."""
    found = rows(box, selection)
    ending = "csv" if made == CSV else "json"
    total = 0
    for number in range(1_000_000):
        some = list(islice(found, box.lines_per_file))
        left = None if box.truncate_after is None else box.truncate_after - total
        if left is not None and len(some) > left:
            some, job.report = some[:left], {"truncated": 1}
        total += len(some)
        if some:
            content = []
            for piece in csv_pieces(some, selection.delimiter) if made == CSV else json_pieces(box, some):
                content.append(piece)
                yield
            name = f"file-{int(job.started * 1000) + number}.{ending}"
            job.files.append(box.downloads.offer(name, content, box.export_lifetime, made))
        if len(some) < box.lines_per_file:
            return


def _selection(box: "IterableSandbox", call: Call) -> Selection:
    query = call.request.query_params
    check(query.get("range") or query.get("startDateTime"), "range or startDateTime is required", "BadParams")
    return Selection.read(dict(query), query.getlist("onlyFields"), box.clock)


def _times(asked: Mapping[str, str], now: float) -> tuple[float, float]:
    """Return the window in seconds: of a range in UTC, or of two times."""
    if asked.get("startDateTime"):
        until = asked.get("endDateTime")
        return _seconds(asked["startDateTime"]), _seconds(until) if until else now + 1
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins, day = today.timestamp(), timedelta(days=1)
    ranges = {
        "Today": (begins, now + 1), "Yesterday": ((today - day).timestamp(), begins),
        "BeforeToday": (0.0, begins), "All": (0.0, now + 1),
    }  # fmt: skip
    name = asked.get("range", "")
    check(name in ranges, f"Invalid range: {name}", "BadParams")
    return ranges[name]


def _seconds(written: str) -> float:
    try:
        found = datetime.fromisoformat(str(written).strip().replace(" +", "+").replace(" -", "-"))
    except ValueError:
        raise Refused(400, f"Invalid time: {written}", "BadParams") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _job(box: "IterableSandbox", call: Call) -> Job:
    job = box.jobs.by_id.get(str(call.request.path_params["job_id"]))
    if job is None:
        raise Refused(404, "Export job not found", "NotFound")
    return job


def _spoiled(line: bytes, bad: bytes | None) -> bytes:
    """Return a line, another one in its place, or for None its first half."""
    return line[: len(line) // 2] + b"\n" if bad is None else bad + b"\n" if bad else line


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return _encode(value)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _iso(seconds: float) -> str:
    return moment(seconds).replace(" ", "T", 1).replace(" ", "")

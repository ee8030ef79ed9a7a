"""The endpoint `job`."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

from cdp_sync.sandbox.sailthru import bulk
from cdp_sync.sandbox.sailthru.asking import Parameters, mapping, text
from cdp_sync.sandbox.sailthru.jobs import Job, Work
from cdp_sync.sandbox.sailthru.list_calls import find
from cdp_sync.sandbox.sailthru.refusal import invalid, missing
from cdp_sync.sandbox.sailthru.smart import check_query
from cdp_sync.sandbox.sailthru.state import Scene

_SOURCES = ("file", "url", "emails", "query")


def get(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Tell how a job is getting on."""
    if not text(asked, "job_id"):
        raise missing("job_id")
    job = scene.account.jobs.get(text(asked, "job_id"))
    if job is None:
        raise invalid(f"Invalid Job ID: {asked['job_id']}")
    return scene.jobs.answer(job, lifetime=scene.export_lifetime, url=scene.url, zone=scene.account.zone)


def post(scene: Scene, asked: Parameters, file: bytes | None) -> dict[str, Any]:
    """Start a job."""
    kind = text(asked, "job")
    if not kind:
        raise missing("job")
    if kind not in _KINDS:
        raise invalid(f"The sandbox does not play the job {kind}")
    told, work = _KINDS[kind](scene, asked, file)
    job = _started(scene, kind, told, work)
    answer = {"job_id": job.job_id, **job.told, "status": job.status}
    scene.jobs.settle()
    return answer


def _started(scene: Scene, kind: str, told: dict[str, Any], work: Work) -> Job:
    account, now = scene.account, scene.clock()
    due = None if _concerns(scene.jobs_hang, kind) else now + scene.job_seconds
    job = Job(account.new_id(), kind, told, work, now, due, _concerns(scene.jobs_fail, kind))
    account.jobs[job.job_id] = job
    scene.jobs.add(job)
    return job


def _concerns(setting: bool | Collection[str], kind: str) -> bool:
    return setting if isinstance(setting, bool) else kind in setting


def _export(scene: Scene, asked: Parameters, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    if not text(asked, "list"):
        raise missing("list")
    found = find(scene.account, {"list": asked["list"]})
    fields = mapping(asked.get("fields"), "fields")
    names = [name for name, want in mapping(fields.get("vars"), "vars").items() if want] if fields.get("vars") else None
    told = {"name": f"Export All List Data: {found.name}", "list": found.name}
    return told, lambda job: bulk.export(scene, job, found, names)


def _update(scene: Scene, asked: Parameters, file: bytes | None) -> tuple[dict[str, Any], Work]:
    change = mapping(asked.get("update"), "update")
    lines = _lines(scene, asked, file, change)
    told: dict[str, Any] = {"name": "Bulk Update", "update": change or []}
    return told, lambda job: bulk.update(scene, job, lines())


def _lines(
    scene: Scene, asked: Parameters, file: bytes | None, change: Parameters
) -> Callable[[], Iterable[bulk.Line]]:
    _one_source(asked, file)
    if file is not None:
        return lambda: bulk.of_file(file, change)
    if asked.get("emails"):
        return lambda: bulk.of_emails(_emails(asked), change)
    query = mapping(asked.get("query"), "query")
    check_query(query)
    return lambda: _found(scene, query, change)


def _found(scene: Scene, query: Parameters, change: Parameters) -> Iterator[bulk.Line]:
    for user in scene.account.who(query):
        yield partial(dict, change, id=user.sid, key="sid")


def _import(scene: Scene, asked: Parameters, file: bytes | None) -> tuple[dict[str, Any], Work]:
    name = text(asked, "list")
    if not name:
        raise missing("list")
    known = scene.account.lists.get(name)
    if known is not None and known.type == "smart":
        raise invalid(f"Membership of a smart list cannot be set: {name}")
    scene.account.check_list_name(name)
    _one_source(asked, file)
    told = {"name": f"List Import: {name}", "list": name}
    if file is None:
        return told, lambda job: bulk.update(scene, job, bulk.of_emails(_emails(asked), {"lists": {name: 1}}))
    with_dates = bool(asked.get("signup_dates"))
    return told, lambda job: bulk.update(scene, job, bulk.of_csv(file, name, signup_dates=with_dates))


def _one_source(asked: Parameters, file: bytes | None) -> None:
    # A path in `file` is what the official client leaves there; the part with the content is what counts.
    given = [name for name in _SOURCES[1:] if asked.get(name)] + (["file"] if file is not None else [])
    if not given:
        raise missing("file")
    if len(given) > 1:
        raise invalid(f"Only one of {', '.join(_SOURCES)} may be given, not {', '.join(given)}")
    if given == ["url"]:
        raise invalid("The sandbox fetches no files: url is not played here")


def _emails(asked: Parameters) -> list[str]:
    given = asked["emails"]
    return given if isinstance(given, list) else str(given).split(",")


def _erase(scene: Scene, asked: Parameters, _file: bytes | None) -> tuple[dict[str, Any], Work]:
    names = asked.get("lists") or []
    if not names:
        raise missing("lists")
    return {"name": f"Bulk List Erase: {len(names)} requested"}, lambda _job: bulk.erase(scene, list(names))


_KINDS: dict[str, Callable[[Scene, Parameters, bytes | None], tuple[dict[str, Any], Work]]] = {
    "export_list_data": _export,
    "update": _update,
    "import": _import,
    "list_erase": _erase,
}

"""Faults on the way from Iterable: transient ones are retried, the rest is reported by name, and nothing is doubled."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.http.sender import Timeouts
from cdp_sync.connectors.iterable import export
from cdp_sync.connectors.iterable.answers import ExportState
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.errors import AuthenticationFailed, DiskFull, EndpointNotPermitted, SettingUnusable, Transient
from cdp_sync.importing.reading import slices
from cdp_sync.importing.sources.archives import Part
from cdp_sync.importing.staging import parsing
from cdp_sync.model import ImportGoal
from cdp_sync_tests.iterable.exchange import DAY, HOUR, MINUTE, Crm, iterable, person, users_goal

EVERYBODY = [(f"p{number}@example.com",) for number in range(9)]


@pytest.fixture(autouse=True)
def nine_people(crm: Crm) -> None:
    """Nine users, three to a file."""
    crm.box.load(person(f"p{number}") for number in range(9))
    crm.box.lines_per_file = 3


def failed(crm: Crm, **options: Any) -> str:
    """Run, check that nothing landed, and return why."""
    report = crm.run(**options)
    (file,) = report.files
    assert file.state == "failed"
    assert crm.people("email") == []
    return file.message


@pytest.mark.parametrize(
    ("endpoint", "method", "fault"),
    [
        ("users/getFields", "GET", {"status": 500, "times": 2}),
        ("export/start", "POST", {"status": 503, "times": 2}),
        ("export/files", "GET", {"status": 500, "times": 2}),
        ("export/files", "GET", {"cut": True, "times": 2}),
        ("export", "GET", {"status": 500, "times": 2}),
        ("export", "GET", {"cut": True, "times": 2}),
    ],
)
def test_calls_that_fail_are_made_again(endpoint: str, method: Any, fault: dict[str, Any], crm: Crm) -> None:
    """Server errors, and lines cut in the middle of an answer; everybody arrives once."""
    crm.box.fail(endpoint, method, **fault)
    assert crm.run().counters.rows_applied == 9
    assert crm.people("email") == EVERYBODY


def test_a_rate_that_others_use_up_is_waited_for(crm: Crm) -> None:
    """A refusal is no failure."""
    crm.box.fail("export/start", status=429, headers={"Retry-After": "0"}, times=2)
    assert crm.run().counters.rows_applied == 9


@pytest.mark.parametrize("fault", [{"status": 500, "times": 3}, {"cut": True, "times": 3}, {"status": 429, "times": 3}])
def test_one_answer_that_fails_becomes_a_job(fault: dict[str, Any], crm: Crm) -> None:
    """Whose files are fetched one by one."""
    crm.run()
    crm.box.clock.advance(HOUR)
    crm.change("p1@example.com", plan="new")
    crm.box.clock.advance(6 * MINUTE)
    crm.box.fail("export/data.json", "GET", **fault)
    before = crm.counted()["export/start"]
    assert crm.run(limiter=RateLimiter(length=0.01)).counters.rows_applied == 1
    assert crm.counted()["export/start"] == before + 1


def test_links_that_expired_are_asked_for_again(crm: Crm) -> None:
    """Each once."""
    crm.box.first_links_expired = True
    assert crm.run().counters.rows_applied == 9
    assert crm.people("email") == EVERYBODY
    assert crm.counted()["export/start"] == 1


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Event:
    """An export is read file by file while it arrives; the event is set when lines of the first one are read."""
    first = Event()

    def read(part: Part, goal: ImportGoal, folder: Path) -> Iterator[Part]:
        for each in slices.slices(part, goal, folder):
            first.set()
            yield each

    monkeypatch.setattr(slices, "SLICE", 1)
    monkeypatch.setattr(parsing, "slices", read)
    return first


def test_users_are_read_while_others_arrive(seen: Event, crm: Crm) -> None:
    """Each once, with the number of its line in the whole export; the ledger has the export as a whole."""
    crm.box.lines_per_file, crm.box.bad_lines = 2, {2: b"no JSON"}
    counters = crm.run().counters
    assert (counters.rows_read, counters.rows_rejected, counters.rows_applied) == (9, 4, 5)
    assert crm.rows("select line from warehouse.quarantine order by line") == [(2,), (4,), (6,), (8,)]
    ((size, sha256),) = crm.rows("select size, sha256 from warehouse.imported_file")
    assert size > 0
    assert len(sha256) == 64
    assert seen.is_set()


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_an_export_that_ends_in_the_middle_fails(
    state: str, seen: Event, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what was read lands, and no second job is mixed with it; the next run imports everybody."""
    crm.box.files_per_page = 1
    look = IterableClient.export_state

    def ended(client: IterableClient, job_id: int, after: str = "") -> ExportState:
        found = look(client, job_id, after)
        return replace(found, state=state) if after and seen.wait(20) else found

    with monkeypatch.context() as patch:
        patch.setattr(IterableClient, "export_state", ended)
        failed(crm)
    assert crm.counted()["export/start"] == 1
    assert crm.run().counters.rows_applied == 9


def test_an_import_that_fails_ends_its_export(seen: Event, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading fails the job is cancelled, and no thread goes on."""
    crm.box.jobs_hang = True

    def broken(*_: object) -> Iterator[Part]:
        raise DiskFull("There is no room.")
        yield

    monkeypatch.setattr(parsing, "slices", broken)
    with pytest.raises(DiskFull):
        crm.run()
    assert crm.box.calls.count("export/cancel", "DELETE") == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "export of users"]
    assert not seen.is_set()


def test_files_that_are_gone_fail_the_export(crm: Crm) -> None:
    """After a second job."""
    crm.box.export_lifetime = 0.0
    assert "cannot be fetched" in failed(crm)
    assert crm.counted()["export/start"] == 2


def test_a_job_that_fails_is_started_once_more(crm: Crm) -> None:
    """Then the goal fails, and says so; the next run starts anew."""
    crm.box.jobs_fail = True
    assert "failed at Iterable" in failed(crm)
    assert crm.counted()["export/start"] == 2
    crm.box.jobs_fail = False
    assert crm.run().counters.rows_applied == 9


def test_a_job_that_is_cancelled_fails(crm: Crm) -> None:
    """Somebody did that at Iterable."""
    crm.box.jobs_hang = True

    def cancel(_seconds: float) -> None:
        for job in crm.box.jobs.by_id.values():
            crm.box.jobs.cancel(job)

    assert "was cancelled" in failed(crm, wait=cancel)


def test_an_export_that_is_truncated_fails(crm: Crm) -> None:
    """Some users would be missing, and nothing would say which."""
    crm.box.truncate_after = 5
    assert "less than was asked for" in failed(crm)


def test_a_job_that_never_ends_is_given_up_and_cancelled(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would count among the four that may run."""
    crm.box.jobs_hang = True
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(export.time, "monotonic", lambda: now)
    assert "did not end" in failed(crm, wait=wait, limiter=RateLimiter(clock=time.perf_counter))
    assert now == pytest.approx(export.LONGEST_JOB)
    assert crm.box.calls.count("export/cancel", "DELETE") == 1


def test_lines_that_are_no_users_are_set_aside(crm: Crm) -> None:
    """Each by its number and reason; the others arrive."""
    crm.box.lines_per_file = 100
    crm.box.bad_lines = {2: None, 4: b"no JSON", 6: b"[1]"}
    counters = crm.run().counters
    assert (counters.rows_read, counters.rows_rejected, counters.rows_applied) == (9, 3, 6)
    assert crm.rows("select line, reason from warehouse.quarantine order by line") == [
        (2, "not JSON"),
        (4, "not JSON"),
        (6, "no JSON object"),
    ]


def test_the_last_line_of_a_file_is_a_line(crm: Crm) -> None:
    """Files need not end with a line feed; a cut one does not spoil the first line of the next file."""
    crm.box.bad_lines = {3: None}
    counters = crm.run().counters
    assert (counters.rows_rejected, counters.rows_applied) == (3, 6)


def test_a_user_twice_in_an_export_is_applied_once(crm: Crm) -> None:
    """The later line counts; the other one is accounted for by its reason."""
    crm.box.lines_per_file = 100
    crm.box.bad_lines = {1: b'{"email":"p8@example.com","plan":"old","profileUpdatedAt":"2026-05-01 10:00:00 +00:00"}'}
    report = crm.run()
    assert (report.counters.rows_read, report.counters.rows_applied, report.counters.rows_rejected) == (9, 8, 1)
    assert ("p8@example.com", "p8") in crm.people("email", "text_one")
    assert "a later row" in crm.rows("select reason from warehouse.quarantine")[0][0]


def test_an_export_of_another_project_type_fails(crm: Crm) -> None:
    """Users of addresses have no userIds; the message names the option, and the next run reads all users."""
    crm.project_type = "user_id"
    message = failed(crm)
    assert "no userId" in message
    assert "project_type: user_id" in message
    crm.project_type = "email"
    assert crm.run().counters.rows_applied == 9


def test_few_users_without_the_key_are_set_aside(crm: Crm) -> None:
    """Most users have it, so the project's type is right."""
    crm.box.lines_per_file = 100
    crm.box.bad_lines = dict.fromkeys(range(1, 5), b'{"userId":"u1"}')
    counters = crm.run().counters
    assert (counters.rows_rejected, counters.rows_applied) == (4, 5)
    assert "no value in the fields of row_key" in crm.rows("select reason from warehouse.quarantine")[0][0]


@pytest.mark.parametrize(
    ("key", "error", "needle"),
    [
        ("wrong", AuthenticationFailed, "data_center"),
        ("app-key-7", EndpointNotPermitted, "server-side key"),
        ("two\nlines", SettingUnusable, "KEY"),
    ],
    ids=["wrong, or of another data centre", "of an app", "no key"],
)
def test_a_key_that_will_not_do_ends_the_goal(key: str, error: type[Exception], needle: str, crm: Crm) -> None:
    """At once, with what to look at, and without showing the key."""
    crm.box.mobile_key = "app-key-7"
    with pytest.raises(error, match=needle) as problem:
        crm.run(environ={"KEY": key})
    assert key not in str(problem.value)


def test_a_silent_server_is_given_up(crm: Crm) -> None:
    """After the last attempt, with what was found."""
    crm.box.fail("users/getFields", "GET", delay=3.0, times=3)
    with pytest.raises(Transient, match="silent"):
        crm.run(timeouts=Timeouts(read=0.2))


def test_too_many_fields_fail_the_goal(crm: Crm) -> None:
    """Each would become a property."""
    crm.goal = users_goal(map=[], map_detected={"max_columns": 3})
    assert "max_columns" in failed(crm)


def test_changes_that_show_late_are_read(crm: Crm) -> None:
    """A change that no export shows for four minutes is in a later one, without any gap."""
    crm.run()
    for number in range(6):
        crm.box.clock.advance(3 * MINUTE)
        crm.change(f"p{number}@example.com", plan="new")
        crm.run()
    crm.box.clock.advance(10 * MINUTE)
    crm.run()
    crm.box.clock.advance(DAY)
    assert [text for _, text in crm.people("email", "text_one")][:6] == ["new"] * 6


def test_an_unknown_route_is_reported(tmp_path: Path) -> None:
    """An address that is no API answers with a page."""
    with iterable() as box:
        box.fail("users/getFields", "GET", status=404, times=9)
        crm = Crm(folder=tmp_path / "other", box=box, goal=users_goal())
        with pytest.raises(Exception, match="base_url"):
            crm.run()

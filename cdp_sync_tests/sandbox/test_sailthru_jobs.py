"""Jobs of the Sailthru sandbox: states, exports as CSV, updates and imports from files."""

import csv
import io
import json
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import requests
from sailthru.sailthru_client import SailthruClient

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync.sandbox.sailthru.export_csv import COLUMNS

STARTED = "Sat, 02 Oct 2021 19:46:49 -0400"


def start(client: SailthruClient, kind: str, file: Path | None = None, **asked: Any) -> str:
    """Start a job and return its id."""
    parameters = {"job": kind, **asked} | ({"file": str(file)} if file else {})
    answer = client.api_post("job", parameters, ["file"] if file else None)
    assert answer.is_ok(), answer.get_body()
    assert answer.get_body()["status"] == "pending"
    return answer.get_body()["job_id"]


def state(client: SailthruClient, job_id: str) -> dict[str, Any]:
    """Return the state of a job."""
    return client.api_get("job", {"job_id": job_id}).get_body()


def done(client: SailthruClient, kind: str, file: Path | None = None, **asked: Any) -> dict[str, Any]:
    """Start a job and return its final state."""
    return state(client, start(client, kind, file, **asked))


def exported(client: SailthruClient, name: str, **asked: Any) -> str:
    """Return the CSV of a list."""
    answer = requests.get(done(client, "export_list_data", list=name, **asked)["export_url"], timeout=20)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return answer.content.decode()


def rows(text: str) -> list[list[str]]:
    """Return the cells of a CSV."""
    return list(csv.reader(io.StringIO(text)))


def error(answer: Any) -> tuple[int, int]:
    """Return status and code of an error."""
    return answer.get_status_code(), answer.get_error().get_error_code()


def test_an_export_goes_from_pending_to_completed_to_expired(client: SailthruClient, box: SailthruSandbox) -> None:
    """An export is pending, completed, then expired without its file; it shows the data of its time."""
    box.job_seconds = 60
    box.account.add_list("Main list")
    job_id = start(client, "export_list_data", list="Main list")
    pending = {"job_id": job_id, "name": "Export All List Data: Main list", "list": "Main list", "status": "pending"}
    assert state(client, job_id) == {**pending, "start_time": STARTED}
    client.save_user("ann@example.com", {"lists": {"Main list": 1}})
    box.clock.advance(60)
    completed = state(client, job_id)
    url = completed.pop("export_url")
    assert completed == {
        **pending, "status": "completed", "start_time": STARTED, "end_time": "Sat, 02 Oct 2021 19:47:49 -0400",
        "filename": "main_list.csv",
    }  # fmt: skip
    answer = requests.get(url, timeout=20)
    assert answer.headers["Content-Disposition"] == "attachment; filename=main_list.csv"
    assert answer.text.count("\n") == 2
    box.clock.advance(7200)
    expired = state(client, job_id)
    assert expired == {**completed, "expired": True}
    assert requests.get(url, timeout=20).status_code == 404


def test_jobs_can_fail_and_hang(client: SailthruClient, box: SailthruSandbox) -> None:
    """All jobs, or those of a type, can fail or hang; a failed job has no effect."""
    box.account.add_list("Main")
    box.jobs_fail = {"update"}
    failed = done(client, "update", emails="ann@example.com")
    assert failed["status"] == "error"
    assert "end_time" in failed
    assert done(client, "export_list_data", list="Main")["status"] == "completed"
    box.jobs_fail, box.jobs_hang = False, True
    job_id = start(client, "export_list_data", list="Main")
    box.clock.advance(86_400)
    assert state(client, job_id)["status"] == "pending"
    assert not box.account.users


def test_an_export_has_the_columns_of_the_vendors_file(client: SailthruClient, box: SailthruSandbox) -> None:
    """A CSV export has local times without zone, PHP's quoting, no clear address, and vars as last columns."""
    box.account.add_users([{
        "email": "ann@greetings.org", "created": 1_431_025_429, "vars": {"userid": 10},
        "lists": {"Main": 1_431_025_430, "Other list": 1_431_025_431}, "engagement": "dormant",
        "activity": {"open_time": 1_431_025_440}, "lifetime": {"lifetime_open": 2},
    }])  # fmt: skip
    text = exported(client, "Main")
    header, row = text.splitlines()
    assert header.startswith('"Profile Id","Email Hash",Domain,Engagement,Lists,"Profile Created Date",Signup,')
    assert header.endswith(',"Email Status",userid')
    [sid] = box.account.users
    assert row == (
        f'{sid},{md5(b"ann@greetings.org").hexdigest()},greetings.org,dormant,"Main,Other list","2015/05/07 15:03:49",'
        '"2015/05/07 15:03:50",2,0,0,"2015/05/07 15:04:00",,,,"2015/05/07 15:03:50",,,,,0,,0,0,0,,,,Valid,10'
    )
    cells = dict(zip(*rows(text), strict=True))
    assert tuple(cells) == (*COLUMNS, "userid")
    assert (cells["Last Open"], cells["Lifetime Message"], cells["Email Status"]) == (
        "2015/05/07 15:04:00",
        "0",
        "Valid",
    )


def test_an_export_has_clear_addresses_where_permitted(client: SailthruClient, box: SailthruSandbox) -> None:
    """A permitted export has a column `Email`; a user without address has neither address nor hash."""
    box.clear_emails = True
    box.account.add_users([{"email": "ann@example.com", "lists": ["Main"]}, {"extid": "7", "lists": ["Main"]}])
    header, *found = rows(exported(client, "Main"))
    assert header[:4] == ["Profile Id", "Email Hash", "Email", "Domain"]
    assert [row[2:4] for row in found] == [["ann@example.com", "example.com"], ["", ""]]
    assert {len(row) for row in found} == {len(header)}


def test_vars_are_written_as_text(client: SailthruClient, box: SailthruSandbox) -> None:
    """Vars are written as text, also one that is named like a standard column."""
    vars_ = {
        "a": 'say "hi"', "b": True, "c": False, "d": None, "e": 2.0, "f": 1.5, "g": [1, "x y"], "h": {"k": 1},
        "i": "one\ntwo", "Domain": "mine", "j": "Köln",
    }  # fmt: skip
    box.account.add_users([{"email": "ann@example.com", "vars": vars_, "lists": ["Main"]}])
    text = exported(client, "Main")
    header, row = rows(text)
    assert header[len(COLUMNS) :] == ["Domain", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
    assert row[len(COLUMNS) :] == [
        "mine", 'say "hi"', "1", "0", "", "2", "1.5", "1,x y", '{"k":1}', "one\ntwo", "Köln",
    ]  # fmt: skip
    assert '"say ""hi"""' in text
    some = rows(exported(client, "Main", fields={"vars": {"j": 1, "nothing": 1, "a": 1}}))
    assert [line[len(COLUMNS) :] for line in some] == [["j", "nothing", "a"], ["Köln", "", 'say "hi"']]


def test_a_smart_list_is_exported_like_any_other(client: SailthruClient, box: SailthruSandbox) -> None:
    """A smart list is exported without signup times."""
    box.account.add_list("Smart", type="smart", query={"criteria": ["match"], "field": ["n"], "value": ["1"]})
    box.account.add_users({"email": f"user{number}@example.com", "vars": {"n": number % 2}} for number in range(4))
    header, *found = rows(exported(client, "Smart"))
    assert [row[header.index("n")] for row in found] == ["1", "1"]
    assert {row[header.index("List Signup")] for row in found} == {""}


def test_an_update_reads_a_file_of_users(client: SailthruClient, box: SailthruSandbox, tmp_path: Path) -> None:
    """A file updates one user per line; types are preserved, unknown addresses created, invalid lines counted."""
    client.save_user("ann@example.com", {"vars": {"a": 1}})
    [sid] = box.account.users
    lines = [
        {"id": sid, "key": "sid", "vars": {"b": [1, 2]}, "lists": {"Main": 1}},
        {"id": "Bob@example.com", "vars": {"city": "Köln"}},
        {"email": "cy@example.com", "vars": {"a": 1.5}},
        {"id": "nobody"},
        {"id": "0" * 24, "key": "sid"},
    ]
    file = tmp_path / "lines.json"
    file.write_text("\n".join([*map(json.dumps, lines), "{not JSON", "[1]", ""]), encoding="utf-8")
    job = done(client, "update", file, update={"vars": {"all": True}})
    assert (job["name"], job["update"], job["status"]) == ("Bulk Update", {"vars": {"all": True}}, "completed")
    assert (job["total"], job["successful"], job["failed"]) == (7, 3, 4)
    assert [(user.email, user.vars) for user in box.account.users.values()] == [
        ("ann@example.com", {"a": 1, "b": [1, 2], "all": True}),
        ("bob@example.com", {"city": "Köln", "all": True}),
        ("cy@example.com", {"a": 1.5, "all": True}),
    ]


def test_an_update_applies_to_addresses_or_a_query(client: SailthruClient, box: SailthruSandbox) -> None:
    """An update of addresses or a query applies to all; without a change its `update` is an empty array."""
    assert done(client, "update", emails="ann@example.com,bob@example.com")["update"] == []
    box.account.add_users([{"email": "cy@example.com", "vars": {"plan": "pro"}}])
    query = {"criteria": ["match"], "field": ["plan"], "value": ["pro"]}
    done(client, "update", query=query, update={"lists": {"Pro": 1}})
    assert [sorted(user.lists) for user in box.account.users.values()] == [[], [], ["Pro"]]


def test_an_update_can_silently_drop_lines(client: SailthruClient, box: SailthruSandbox, tmp_path: Path) -> None:
    """An update can silently drop lines of an address, by any key; a switch removes the counters."""
    box.account.add_users([{"email": "ann@example.com", "extid": "1"}])
    box.silent_drops = {"Ann@example.com", "bob@example.com"}
    file = tmp_path / "lines.json"
    lines = [{"id": "1", "key": "extid", "vars": {"a": 1}}, {"id": "bob@example.com"}, {"id": "cy@example.com"}]
    file.write_text("\n".join(map(json.dumps, lines)))
    job = done(client, "update", file)
    assert (job["total"], job["successful"], job["failed"]) == (3, 1, 0)
    assert [(user.email, user.vars) for user in box.account.users.values()] == [
        ("ann@example.com", {}),
        ("cy@example.com", {}),
    ]
    box.reports_lines = False
    assert not {"total", "successful", "failed"} & done(client, "update", file).keys()


def test_a_path_in_the_parameters_is_accepted(client: SailthruClient, box: SailthruSandbox, tmp_path: Path) -> None:
    """The signed parameter `file` with a path is accepted, as the official client sends it."""
    file = tmp_path / "lines.json"
    file.write_text('{"id": "ann@example.com"}\n')
    answer = client.api_post("job", {"job": "update", "file": str(file)})
    assert state(client, answer.get_body()["job_id"])["status"] == "completed"
    assert len(box.account.users) == 1


def test_an_import_puts_addresses_on_a_natural_list(
    client: SailthruClient, box: SailthruSandbox, tmp_path: Path
) -> None:
    """An import puts addresses on a natural list, from a string or a CSV whose other columns become vars."""
    job = done(client, "import", list="Main", emails="ann@example.com,nobody")
    assert (job["name"], job["list"], job["failed"]) == ("List Import: Main", "Main", 1)
    file = tmp_path / "people.csv"
    file.write_text('email,plan,signup_date\nbob@example.com,"a, b",1987-08-01\n')
    done(client, "import", file, list="Main", signup_dates=1)
    ann, bob = box.account.users.values()
    assert (bob.vars, [*ann.lists, *bob.lists]) == ({"plan": "a, b"}, ["Main", "Main"])
    assert client.get_user("bob@example.com").get_body()["lists"] == {"Main": "Sat, 01 Aug 1987 00:00:00 -0400"}


def test_lists_are_erased_together(client: SailthruClient, box: SailthruSandbox) -> None:
    """Lists are erased together; unknown ones are ignored."""
    for name in ("a", "b", "c"):
        box.account.add_list(name)
    assert done(client, "list_erase", lists=["a", "b", "x"])["name"] == "Bulk List Erase: 3 requested"
    assert list(box.account.lists) == ["c"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (400, 2)),
        ({"job": "dance"}, (400, 99)),
        ({"job": "export_list_data"}, (400, 2)),
        ({"job": "export_list_data", "list": "Nowhere"}, (404, 15)),
        ({"job": "update"}, (400, 2)),
        ({"job": "update", "url": "http://127.0.0.1/x"}, (400, 99)),
        ({"job": "update", "emails": "a@b.cc", "query": {"criteria": ["match"]}}, (400, 99)),
        ({"job": "import", "emails": "a@b.cc"}, (400, 2)),
        ({"job": "list_erase"}, (400, 2)),
    ],
)
def test_an_invalid_job_is_refused(
    asked: dict[str, Any], expected: tuple[int, int], client: SailthruClient, box: SailthruSandbox
) -> None:
    """An invalid job is refused at once."""
    assert error(client.api_post("job", asked)) == expected
    assert not box.jobs.by_id


def test_an_unknown_job_is_refused(client: SailthruClient) -> None:
    """An unknown job is error 99."""
    assert error(client.api_get("job", {"job_id": "0" * 24})) == (400, 99)
    assert error(client.api_get("job", {})) == (400, 2)


def test_a_big_job_does_not_block_other_calls(client: SailthruClient, box: SailthruSandbox) -> None:
    """A big job is pending while other calls are answered."""
    box.account.add_users({"email": f"user{number}@example.com", "lists": ["Main"]} for number in range(6000))
    job_id = start(client, "export_list_data", list="Main")
    while (job := state(client, job_id))["status"] == "pending":
        pass
    assert job["status"] == "completed"
    assert requests.get(job["export_url"], timeout=20).text.count("\n") == 6001

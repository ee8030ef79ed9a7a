"""Exports of Iterable's sandbox: streams and jobs, windows, fields, links, and faults."""

import csv
import io
import json
from typing import Any

import pytest
import requests

from cdp_sync_tests.sandbox.iterable.conftest import NOON, Api, refused

ANN = "ann@example.com"
NDJSON = "application/x-json-stream"


def lines(api: Api, **query: Any) -> list[dict[str, Any]]:
    """Return the lines of the stream of users."""
    answer = api.get("export/data.json", **{"dataTypeName": "user", "range": "All", **query})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, NDJSON), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def start(api: Api, **body: Any) -> int:
    """Start an export of users and return its id."""
    return int(api.post("export/start", **{"dataTypeName": "user", "outputFormat": NDJSON, **body}).json()["jobId"])


def state(api: Api, job_id: int) -> str:
    """Return the state of an export."""
    return str(api.get(f"export/{job_id}/files").json()["jobState"])


def files(api: Api, job_id: int) -> list[requests.Response]:
    """Return the files of an export by fresh links, without a key."""
    return [requests.get(each["url"], timeout=20) for each in api.get(f"export/{job_id}/files").json()["files"]]


def add_users(api: Api, number: int) -> None:
    """Add users."""
    api.box.load([{"email": f"user{each}@example.com"} for each in range(number)])


def test_a_line_is_flat(api: Api) -> None:
    """Objects become dotted names, and an array of objects one array per name; or the export is nested."""
    fields = {"address": {"geo": {"lat": 1.5}}, "cart": [{"price": 1.5, "name": "Cup"}, {"price": 2.5}], "tags": ["a"]}
    api.post("users/update", email=ANN, userId="u1", dataFields=fields)
    when = "2024-05-01 12:00:00 +00:00"
    flat = {
        "email": ANN, "userId": "u1", "signupDate": when, "signupSource": "API", "profileUpdatedAt": when,
        "itblInternal.emailDomain": "example.com", "itblInternal.documentCreatedAt": when,
        "itblInternal.documentUpdatedAt": when, "address.geo.lat": 1.5, "cart.price": [1.5, 2.5],
        "cart.name": ["Cup", None], "tags": ["a"],
    }  # fmt: skip
    assert lines(api) == [flat]
    api.box.flat_exports = False
    assert lines(api)[0].items() >= fields.items()


def test_a_window_includes_its_start_and_excludes_its_end(api: Api) -> None:
    """A window includes its start and excludes its end, by the time of the profile's update, in UTC by default."""
    for number in range(3):
        api.post("users/update", email=f"user{number}@example.com")
        api.box.clock.advance(60)

    def found(**query: Any) -> list[int]:
        return [int(line["email"][4]) for line in lines(api, range="", **query)]

    assert found(startDateTime="2024-05-01 12:00:00", endDateTime="2024-05-01 12:01:00") == [0]
    assert found(startDateTime="2024-05-01 14:01:00 +02:00") == [1, 2]
    assert found(startDateTime="2024-05-01T12:00:01Z", endDateTime="2024-05-01 12:02:00 +00:00") == [1]


@pytest.mark.parametrize(
    ("name", "days"), [("Today", {0}), ("Yesterday", {1}), ("BeforeToday", {1, 2}), ("All", {0, 1, 2})]
)
def test_ranges_are_days_of_utc(name: str, days: set[int], api: Api) -> None:
    """A range is a number of UTC days before the day of the call."""
    api.box.load({"email": f"user{day}@example.com", "created": NOON - day * 86400} for day in range(3))
    assert {int(line["email"][4]) for line in lines(api, range=name)} == days


@pytest.mark.parametrize(
    "query", [{"dataTypeName": "people"}, {"range": "Tomorrow"}, {"range": ""}, {"startDateTime": "noon"}]
)
def test_an_invalid_stream_is_refused(query: dict[str, str], api: Api) -> None:
    """An unknown data type, an invalid range or time is refused; other data types of the vendor are empty."""
    answer = api.get("export/data.json", **{"dataTypeName": "user", "range": "All", **query})
    assert refused(answer) == (400, "BadParams")
    assert lines(api, dataTypeName="emailunsubscribe") == []


def test_fields_are_included_or_excluded(api: Api) -> None:
    """Fields are included or excluded, repeated or as a list; an object stands for all of its fields."""
    api.post("users/update", email=ANN, dataFields={"a": 1, "o": {"x": 1, "y": 2}})
    assert lines(api, onlyFields=["email", "o"]) == [{"email": ANN, "o.x": 1, "o.y": 2}]
    assert lines(api, onlyFields="a,o.x") == [{"a": 1, "o.x": 1}]
    assert not lines(api, omitFields="itblInternal, o")[0].keys() & {"itblInternal.emailDomain", "o.x"}


def test_csv_has_all_columns(api: Api) -> None:
    """A CSV export has JSON for arrays, empty cells for missing values, and the caller's delimiter."""
    api.post("users/update", email=ANN, dataFields={"tags": ["a", "b"]})
    api.post("users/update", email="bob@example.com", dataFields={"vip": True})
    answer = api.get("export/data.csv", dataTypeName="user", range="All", delimiter=";", onlyFields="email,tags,vip")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(answer.text), delimiter=";")) == [
        ["email", "tags", "vip"], [ANN, '["a","b"]', ""], ["bob@example.com", "", "true"],
    ]  # fmt: skip


def test_a_job_goes_from_enqueued_to_completed(api: Api) -> None:
    """Four jobs run at once, with states in lower case and files at completion."""
    add_users(api, 5)
    api.box.job_seconds, api.box.lines_per_file = 10, 2
    jobs = [start(api) for _ in range(5)]
    assert [state(api, job) for job in jobs] == ["running"] * 4 + ["enqueued"]
    api.box.clock.advance(10)
    assert [state(api, job) for job in jobs] == ["completed"] * 4 + ["running"]
    found = [json.loads(line)["email"] for file in files(api, jobs[0]) for line in file.text.splitlines()]
    assert found == [f"user{number}@example.com" for number in range(5)]
    listed = api.get("export/jobs", jobState="Completed").json()["jobs"]
    assert [each["id"] for each in listed] == jobs[3::-1]
    assert (listed[0]["dataTypeName"], listed[0]["endTime"]) == ("user", "2024-05-01T12:00:10+00:00")
    assert listed[0]["bytesExported"] == sum(len(file.content) for file in files(api, jobs[0]))
    assert refused(api.post("export/start", dataTypeName="user")) == (400, "BadParams")


def test_files_come_in_pages(api: Api) -> None:
    """Files are paged by the last name; the page after the last file is empty."""
    add_users(api, 9)
    api.box.lines_per_file, api.box.files_per_page = 1, 4
    job, pages, after = start(api), [], ""
    while not pages or pages[-1]:
        pages.append([each["file"] for each in api.get(f"export/{job}/files", startAfter=after).json()["files"]])
        after = pages[-1][-1] if pages[-1] else after
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    names = [name for page in pages for name in page]
    assert (len(set(names)), names) == (9, sorted(names))


def test_links_expire(api: Api) -> None:
    """A link expires after half an hour, or at once on request; each call returns new links."""
    add_users(api, 1)
    job = start(api)
    url = api.get(f"export/{job}/files").json()["files"][0]["url"]
    api.box.clock.advance(1799)
    assert requests.get(url, timeout=20).ok
    api.box.clock.advance(1)
    assert requests.get(url, timeout=20).status_code == 403
    assert [file.status_code for file in files(api, job)] == [200]
    api.box.first_links_expired = True
    job = start(api)
    assert [files(api, job)[0].status_code for _ in range(2)] == [403, 200]


def test_jobs_fail_hang_and_are_cancelled(api: Api) -> None:
    """A failed or canceled job has no files; a hanging job never ends."""
    add_users(api, 1)
    api.box.jobs_fail = True
    assert state(api, start(api)) == "failed"
    api.box.jobs_fail, api.box.jobs_hang = False, True
    job = start(api)
    api.box.clock.advance(1_000_000)
    assert state(api, job) == "running"
    api.box.cancel_seconds = 5
    assert api.delete(f"export/{job}").json()["code"] == "Success"
    assert state(api, job) == "cancelling"
    api.box.clock.advance(5)
    assert (state(api, job), files(api, job)) == ("cancelled", [])


@pytest.mark.parametrize(("most", "truncated"), [(4, True), (5, True), (6, False), (7, False)])
def test_an_export_is_truncated(most: int, truncated: bool, api: Api) -> None:
    """An export above the maximum is truncated and reports so."""
    add_users(api, 6)
    api.box.truncate_after, api.box.lines_per_file = most, 3
    job = start(api)
    assert api.get(f"export/{job}/files").json()["exportTruncated"] is truncated
    assert sum(len(file.text.splitlines()) for file in files(api, job)) == min(most, 6)


def test_lines_can_be_invalid(api: Api) -> None:
    """A bad line is truncated or no JSON; the other lines are whole, in streams and files."""
    add_users(api, 3)
    good = api.get("export/data.json", dataTypeName="user", range="All").text.splitlines()
    api.box.bad_lines = {1: None, 3: b"<html>"}
    bad = [good[0][: (len(good[0]) + 1) // 2], good[1], "<html>"]
    assert api.get("export/data.json", dataTypeName="user", range="All").text.splitlines() == bad
    assert files(api, start(api))[0].text.splitlines() == bad


def test_other_calls_are_answered_during_a_stream(api: Api) -> None:
    """Other calls are answered while a stream is open."""
    add_users(api, 3000)
    url = f"{api.box.url}/api/export/data.json?dataTypeName=user&range=All"
    with requests.get(url, headers={"Api-Key": api.box.api_key}, stream=True, timeout=20) as reading:
        rows = reading.iter_lines()
        first = next(rows)
        assert api.user("user1@example.com")
        assert 1 + sum(1 for _ in rows) == 3000
    assert json.loads(first)["email"] == "user0@example.com"

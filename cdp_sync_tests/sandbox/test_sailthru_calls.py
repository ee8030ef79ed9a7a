"""All calls of the Sailthru sandbox: errors, rate limits, permissions, faults."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import requests
from sailthru.sailthru_client import SailthruClient
from sailthru.sailthru_error import SailthruClientError

from cdp_sync.sandbox.api import Limit
from cdp_sync.sandbox.sailthru import DOCUMENTED_LIMITS, SailthruSandbox
from cdp_sync.sandbox.sailthru.parameters import signature

MINUTE_ENDS = 1_633_218_420


def signed(**fields: str) -> dict[str, str]:
    """Return form fields with their signature."""
    return {**fields, "sig": signature("s3cr3t", fields)}


def error(answer: Any) -> tuple[int, int]:
    """Return status and code of an error in the official client."""
    return answer.get_status_code(), answer.get_error().get_error_code()


def rates(answer: requests.Response) -> list[int]:
    """Return limit, remaining calls and reset time."""
    return [int(answer.headers[f"X-Rate-Limit-{name}"]) for name in ("Limit", "Remaining", "Reset")]


def test_without_a_format_answers_are_xml(box: SailthruSandbox) -> None:
    """A call without `format=json` is error 2, for any `Accept`."""
    answer = requests.get(f"{box.url}/user", headers={"Accept": "application/json"}, timeout=20)
    assert answer.status_code == 400
    assert "<triggermail><error>2</error><errormsg>Missing required parameter: format</errormsg>" in answer.text


@pytest.mark.parametrize("name", ["api_key", "sig"])
def test_a_missing_parameter_is_named(name: str, box: SailthruSandbox) -> None:
    """A missing parameter is named in error 2; every error has these two keys only."""
    fields = signed(api_key="key", format="json", json="{}")
    del fields[name]
    answer = requests.get(f"{box.url}/list", params=fields, timeout=20)
    assert answer.json() == {"error": 2, "errormsg": f"Missing required parameter: {name}"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Server"] == "Sailthru"


def test_invalid_json_is_refused(box: SailthruSandbox) -> None:
    """Invalid JSON, and JSON that is no object, is refused, except for an empty array, as PHP writes it."""
    for text, status in (("{", 400), ("[1]", 400), ('"a"', 400), ("[]", 200), ("null", 200)):
        answer = requests.get(f"{box.url}/list", params=signed(api_key="key", format="json", json=text), timeout=20)
        assert answer.status_code == status
        assert answer.json()


def test_text_that_is_not_utf_8_is_error_6(box: SailthruSandbox) -> None:
    """Text that is not UTF-8 is error 6, before any other check."""
    answer = requests.post(
        f"{box.url}/user", data=b"api_key=key&format=json&json=%FF&sig=0",
        headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=20,
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (400, 6)


def test_unknown_endpoints_and_methods_are_refused(client: SailthruClient, box: SailthruSandbox) -> None:
    """Unknown endpoints are 404, unknown methods 405."""
    assert error(client.api_get("blast", {})) == (404, 99)
    assert error(client.api_post("settings", {})) == (405, 1)
    assert error(client.api_delete("job", {})) == (405, 1)
    answer = requests.put(f"{box.url}/user", data=signed(api_key="key", format="json", json="{}"), timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (405, 1)


def test_the_official_client_knows_its_rates(client: SailthruClient) -> None:
    """The official client reads the rates per endpoint and method; errors count as well."""
    client.get_lists()
    first = client.get_last_rate_limit_info("list", "GET")
    client.get_list("Nowhere")
    client.save_user("ann@example.com")
    second = client.get_last_rate_limit_info("list", "GET")
    assert (first["reset"], second["limit"]) == (MINUTE_ENDS, first["limit"])
    assert second["remaining"] == first["remaining"] - 1
    assert client.get_last_rate_limit_info("user", "POST") == first


def test_calls_beyond_the_limit_are_refused(client: SailthruClient, box: SailthruSandbox) -> None:
    """Beyond the limit, the endpoint and method answer 429 with error 43 until the minute ends. Refused calls count."""
    box.limits = {("user", "POST"): Limit(2)}
    answers = [client.save_user(f"user{number}@example.com") for number in range(3)]
    assert [answer.get_status_code() for answer in answers] == [200, 200, 429]
    assert answers[2].get_body() == {"error": 43, "errormsg": "Too many POST requests this minute to /user API"}
    assert client.get_last_rate_limit_info("user", "POST") == {"limit": 2, "remaining": 0, "reset": MINUTE_ENDS}
    assert client.get_user("user1@example.com").is_ok()
    box.clock.advance(11)
    assert client.save_user("user2@example.com").is_ok()
    assert client.get_last_rate_limit_info("user", "POST") == {"limit": 2, "remaining": 1, "reset": MINUTE_ENDS + 60}
    minute = MINUTE_ENDS // 60
    assert box.calls.per_minute("user", "POST") == {minute - 1: 2, minute: 1}
    assert (box.calls.refused, box.calls.count("user"), box.calls.count("user", "POST", status=200)) == (1, 5, 3)


@pytest.mark.parametrize(
    ("method", "endpoint", "limit"),
    [("POST", "user", 18_000), ("POST", "job", 2_400), ("GET", "user", 18_000), ("DELETE", "list", 2_400)],
)
def test_the_documented_limits_are_per_minute(method: str, endpoint: str, limit: int, box: SailthruSandbox) -> None:
    """The limits per minute are sixty times the vendor's limits per second."""
    box.limits = DOCUMENTED_LIMITS
    assert rates(requests.request(method, f"{box.url}/{endpoint}", timeout=20))[0] == limit


def test_every_answer_has_rate_headers(box: SailthruSandbox) -> None:
    """Every answer has rate headers, also a refusal and an unknown path."""
    for path in ("user", "nothing"):
        answer = requests.get(f"{box.url}/{path}", timeout=20)
        assert rates(answer)[2] == MINUTE_ENDS


def test_a_key_can_be_limited_to_endpoints(client: SailthruClient, box: SailthruSandbox) -> None:
    """A key can be limited to endpoints; the others answer 403."""
    box.permit("list", "user")
    assert client.get_lists().is_ok()
    assert error(client.api_post("job", {"job": "update"})) == (403, 99)
    box.permit()
    assert error(client.api_post("job", {"job": "update"})) == (400, 2)


def test_calls_fail_as_often_as_declared(client: SailthruClient, box: SailthruSandbox) -> None:
    """A fault occurs as often as declared, and the call has no effect."""
    box.fail("user", "POST", status=500, times=2)
    assert [error(client.save_user("ann@example.com")) for _ in range(2)] == [(500, 9), (500, 9)]
    assert not box.account.users
    assert client.save_user("ann@example.com").is_ok()


def test_an_answer_can_be_truncated(client: SailthruClient, box: SailthruSandbox) -> None:
    """A truncated answer belongs to an executed call."""
    box.fail("user", "POST", cut=True)
    with pytest.raises(SailthruClientError):
        client.save_user("ann@example.com")
    assert client.get_user("ann@example.com").is_ok()


def test_a_download_can_be_truncated_or_fail(client: SailthruClient, box: SailthruSandbox) -> None:
    """A download can be truncated or fail, under the endpoint name `export`."""
    box.account.add_users({"email": f"user{number}@example.com", "lists": ["Main"]} for number in range(1000))
    job_id = client.api_post("job", {"job": "export_list_data", "list": "Main"}).get_body()["job_id"]
    url = client.api_get("job", {"job_id": job_id}).get_body()["export_url"]
    box.fail("export", "GET", cut=True)
    box.fail("export", "GET", status=503)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url, timeout=20)
    assert requests.get(url, timeout=20).status_code == 503
    assert requests.get(url, timeout=20).text.count("\n") == 1001
    assert box.calls.count("export", "GET") == 3


def test_an_answer_can_be_late(box: SailthruSandbox) -> None:
    """A call whose answer is late is executed."""
    client = SailthruClient("key", "s3cr3t", api_url=box.url, request_timeout=0.2)
    box.fail("user", "POST", delay=60)
    with pytest.raises(SailthruClientError):
        client.save_user("ann@example.com")
    while not box.calls.count("user", "POST"):
        pass  # the client may time out before the call is processed
    assert len(box.account.users) == 1


def test_the_page_shows_the_state(client: SailthruClient, box: SailthruSandbox) -> None:
    """The status page needs no signature and does not show the secret."""
    client.save_user("ann@example.com", {"lists": {"Main": 1}})
    client.api_post("job", {"job": "export_list_data", "list": "Main"})
    text = requests.get(f"{box.url}/_sandbox", timeout=20).text
    page = json.loads(text)
    assert page["counts"] == {"users": 1, "lists": 1, "jobs": 1}
    assert (page["users"][0]["email"], page["lists"][0]["count"]) == ("ann@example.com", 1)
    assert page["jobs"][0]["status"] == "completed"
    assert page["calls_per_minute"] == {"POST /job": {"27220306": 1}, "POST /user": {"27220306": 1}}
    assert page["recent_calls"][0] == "Sat, 02 Oct 2021 19:46:49 -0400 POST /user 200"
    assert "s3cr3t" not in text


def test_a_browser_gets_the_page_as_html(client: SailthruClient, box: SailthruSandbox) -> None:
    """A browser gets an HTML page with users, lists, jobs and calls, escaped."""
    client.save_user("ann@example.com", {"lists": {"Cats & <b>dogs</b>": 1}, "vars": {"plan": "<i>"}})
    client.api_post("job", {"job": "export_list_data", "list": "Cats & <b>dogs</b>"})
    answer = requests.get(f"{box.url}/_sandbox", headers={"Accept": "text/html,*/*"}, timeout=20)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for needle in ("ann@example.com", "Cats &amp; &lt;b&gt;dogs&lt;/b&gt;", "&lt;i&gt;", "completed", "POST /user"):
        assert needle in answer.text
    assert "<b>dogs" not in answer.text
    assert "s3cr3t" not in answer.text


def test_it_listens_on_this_machine_only() -> None:
    """The server listens on loopback only, until the block ends."""
    with SailthruSandbox(api_key="key", api_secret="s3cr3t") as box:
        assert box.url.startswith("http://127.0.0.1:")
        assert "s3cr3t" not in repr(box)
    with pytest.raises(requests.ConnectionError):
        requests.get(box.url, timeout=20)


@pytest.mark.parametrize(("limits", "limit"), [(["--documented-limits"], 18_000), (["--limit", "60"], 60)])
def test_it_runs_as_a_process(tmp_path: Any, limits: list[str], limit: int) -> None:
    """The sandbox runs as a process with initial users until its input ends."""
    users = tmp_path / "users.jsonl"
    users.write_text('{"email": "ann@example.com", "lists": ["Main"]}\n')
    command = [sys.executable, "-m", "cdp_sync.sandbox.sailthru", "--api-key", "key", "--api-secret-env", "SECRET"]
    command += ["--users", str(users), *limits, "--until-stdin-closes"]
    pipe, environment = subprocess.PIPE, {**os.environ, "SECRET": "s3cr3t"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        client = SailthruClient("key", "s3cr3t", api_url=json.loads(process.stdout.readline())["url"])
        assert client.get_list("Main").get_body()["count"] == 1
        client.get_user("ann@example.com")
        assert client.get_last_rate_limit_info("user", "GET")["limit"] == limit
        process.stdin.close()
        assert process.wait(20) == 0


def test_users_are_stored_between_processes(tmp_path: Any) -> None:
    """The users are stored at the end in the file they were read from."""
    users = tmp_path / "users.jsonl"
    users.write_text('{"email": "ann@example.com", "vars": {"plan": "pro"}, "lists": {"Main": 1700000000}}\n')
    command = [sys.executable, "-m", "cdp_sync.sandbox.sailthru", "--api-key", "key", "--api-secret-env", "SECRET"]
    command += ["--users", str(users), "--keep-users", "--until-stdin-closes"]
    pipe, environment = subprocess.PIPE, {**os.environ, "SECRET": "s3cr3t"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        client = SailthruClient("key", "s3cr3t", api_url=json.loads(process.stdout.readline())["url"])
        client.save_user("bob@example.com", {"lists": {"Main": 1}})
        process.stdin.close()
        assert process.wait(20) == 0
    with SailthruSandbox(api_key="key", api_secret="s3cr3t") as box:
        box.account.add_users(map(json.loads, users.read_text().splitlines()))
        ann, bob = box.account.users.values()
    assert (ann.email, ann.vars, ann.lists) == ("ann@example.com", {"plan": "pro"}, {"Main": 1700000000})
    assert (bob.email, list(bob.lists)) == ("bob@example.com", ["Main"])

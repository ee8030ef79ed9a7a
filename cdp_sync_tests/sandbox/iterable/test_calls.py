"""Calls of Iterable's sandbox: API keys, errors, rate limits, sizes, faults."""

import pytest
import requests

from cdp_sync.sandbox.iterable import DOCUMENTED_LIMITS, IterableSandbox, faster
from cdp_sync_tests.sandbox.iterable.conftest import KEY, Api, refused

ANN = {"email": "ann@example.com"}


@pytest.mark.parametrize("header", ["Api-Key", "Api_Key", "api_key", "API-KEY"])
def test_the_key_header_has_two_spellings(header: str, api: Api) -> None:
    """The API key is accepted in a header with hyphens or underscores."""
    assert requests.get(f"{api.box.url}/api/lists", headers={header: KEY}, timeout=20).json() == {"lists": []}


def test_wrong_keys_are_refused(api: Api) -> None:
    """A missing key, an unknown one, one of the other data center and one of an app are refused."""
    api.box.mobile_key = "app"
    with IterableSandbox(api_key="european") as other:
        for key in (None, "wrong", other.api_key):
            headers = {"Api-Key": key} if key else {}
            answer = requests.get(f"{api.box.url}/api/lists", headers=headers, timeout=20)
            params = {"ip": "127.0.0.1", "endpoint": "/api/lists"}
            assert answer.json() == {"msg": "Invalid API key", "code": "BadApiKey", "params": params}
            assert answer.status_code == 401
    assert refused(requests.get(f"{api.box.url}/api/lists", headers={"Api-Key": "app"}, timeout=20)) == (
        403,
        "Forbidden",
    )


def test_unknown_routes_answer_with_a_page(api: Api) -> None:
    """An unknown path or method answers with an HTML page; an unknown job with JSON."""
    for answer in (api.get("nothing"), api.post("lists/getUsers")):
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "Action not found" in answer.text
    assert refused(api.get("export/7/files")) == (404, "NotFound")


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"users": 1}', b'{"users": [1]}'])
def test_an_invalid_body_is_refused(body: bytes, api: Api) -> None:
    """A body that is no JSON, no object or of the wrong shape is refused."""
    answer = requests.post(f"{api.box.url}/api/users/bulkUpdate", data=body, headers={"Api-Key": KEY}, timeout=20)
    assert refused(answer) == (400, "BadJsonBody")


def test_large_calls_are_refused(api: Api) -> None:
    """A body above 4 MB, or with more users than allowed, is refused and writes no user."""
    large = {"users": [{**ANN, "dataFields": {"text": "x" * 4_000_000}}]}
    assert refused(api.post("users/bulkUpdate", **large)) == (413, "BatchTooLarge")
    users = [{"email": f"{number}@example.com"} for number in range(1001)]
    assert api.post("users/bulkUpdate", users=users).json()["successCount"] == 1001
    api.box.most_users, api.box.status_of_large_batches = 1000, 400
    assert refused(api.post("users/bulkUpdate", users=users)) == (400, "BatchTooLarge")
    assert refused(api.post("events/trackBulk", events=users)) == (400, "BatchTooLarge")
    assert api.post("users/bulkUpdate", users=users[1:]).json()["successCount"] == 1000
    assert api.user(ANN["email"]) is None


def test_limits_match_the_documentation(api: Api) -> None:
    """The limits are those of the documentation, and answers have no headers about remaining calls."""
    api.box.limits = DOCUMENTED_LIMITS
    list_id = api.post("lists", name="News").json()["listId"]
    answers = [api.get(f"lists/{list_id}/size") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    message = f"Exceeded rate limit for endpoint: /api/lists/{list_id}/size, project: 9079 "
    assert answers[-1].json() == {"msg": message, "code": "RateLimitExceeded", "params": {}}
    assert not [name for name in answers[-1].headers if "limit" in name.lower() or name.lower() == "retry-after"]
    api.box.clock.advance(12)
    assert [api.get(f"lists/{list_id}/size").status_code for _ in range(2)] == [200, 429]
    exports = [api.get("export/data.json", dataTypeName="user", range="All").status_code for _ in range(5)]
    assert exports == [200] * 4 + [429]
    assert [api.get("lists/getUsers", listId=list_id).status_code for _ in range(6)][-1] == 429
    assert [api.post("users/bulkUpdate", users=[ANN]).status_code for _ in range(6)] == [200] * 5 + [429]
    api.box.plain_refusals = True
    assert api.get(f"lists/{list_id}/size").text == "Too Many Requests"


def test_limits_can_be_scaled(api: Api) -> None:
    """At sixty times the speed, a minute's calls are allowed again after a second."""
    api.box.limits = faster(DOCUMENTED_LIMITS, 60)
    for _ in range(2):
        statuses = [api.get("export/data.csv", dataTypeName="user", range="All").status_code for _ in range(5)]
        assert statuses == [200] * 4 + [429]
        api.box.clock.advance(1)


def test_faults(api: Api) -> None:
    """A fault is an error status, a truncated answer or a truncated stream."""
    api.box.load([ANN])
    api.box.fail("users/update", status=503)
    assert refused(api.post("users/update", **ANN)) == (503, "GenericError")
    api.box.fail("users/update", cut=True)
    with pytest.raises(requests.RequestException):
        api.post("users/update", email="bob@example.com")
    assert api.user("bob@example.com")
    api.box.fail("export/data.json", "GET", cut=True)
    with pytest.raises(requests.RequestException):
        api.get("export/data.json", dataTypeName="user", range="All")


def test_changes_are_visible_after_a_delay(api: Api) -> None:
    """Reads, lists and exports show a change, creation or removal only after the delay."""
    list_id = api.post("lists", name="News").json()["listId"]
    api.box.load([{**ANN, "dataFields": {"plan": "free"}, "lists": ["News"]}, {"email": "old@example.com"}])
    api.box.visible_after = 60
    api.post("users/update", **ANN, dataFields={"plan": "pro"})
    api.post("lists/subscribe", listId=list_id, subscribers=[{"email": "new@example.com"}])
    api.post("lists/unsubscribe", listId=list_id, subscribers=[ANN])
    api.delete("users/old@example.com")

    def seen() -> tuple[object, ...]:
        exported = api.get("export/data.json", dataTypeName="user", range="All").text
        emails = ["ann@example.com", "new@example.com", "old@example.com"]
        found = [email.partition("@")[0] for email in emails if api.user(email)]
        assert sorted(found) == sorted(email.partition("@")[0] for email in emails if f'"email":"{email}"' in exported)
        return found, api.user("ann@example.com")["plan"], api.get("lists/getUsers", listId=list_id).text

    assert seen() == (["ann", "old"], "free", "ann@example.com")
    api.box.clock.advance(60)
    assert seen() == (["ann", "new"], "pro", "new@example.com")


def test_the_page_shows_a_project(api: Api) -> None:
    """The status page shows lists, users and exports, without the key."""
    api.box.load([{**ANN, "lists": ["News"]}])
    api.post("export/start", dataTypeName="user", outputFormat="text/csv")
    page = requests.get(f"{api.box.url}/_sandbox", timeout=20)
    assert page.json()["counts"] == {"lists": 1, "users": 1, "exports": 1}
    assert page.json()["lists"][0]["count"] == 1
    assert KEY not in page.text


def test_a_project_is_dumped_and_loaded(api: Api) -> None:
    """A project that is dumped and loaded is unchanged, with ids, rules, values and types."""
    api.box.load([{**ANN, "dataFields": {"born": "1990-01-02"}, "lists": ["News"], "created": 5, "updated": 7}])
    api.box.project.add_list("Born", rule=("born", "1990-01-02 00:00:00 +00:00"))
    other = IterableSandbox(api_key=KEY)
    other.load(api.box.dump())
    assert list(other.dump()) == list(api.box.dump())
    assert other.project.fields.types == api.box.project.fields.types

"""The shared parts of all API sandboxes, tested with a small example vendor."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cdp_sync.sandbox.api import Clock, Limit, faster
from cdp_sync_tests.sandbox.shop_api import KEY, LIMITS, Customer, ShopSandbox

NOON = 1_700_000_000.0
"""22:13:20 UTC."""


@pytest.fixture
def box() -> Iterator[ShopSandbox]:
    """Return a shop with a simulated clock."""
    with ShopSandbox(clock=Clock(NOON)) as served:
        yield served


def call(box: ShopSandbox, method: str, path: str, body: Any = None, key: str = KEY) -> requests.Response:
    """Call the shop's API."""
    return requests.request(method, f"{box.url}{path}", json=body, headers={"Api-Key": key}, timeout=20)


def add(box: ShopSandbox, *names: str, **more: Any) -> requests.Response:
    """Add customers."""
    return call(box, "POST", "/api/users", {"customers": [{"email": f"{name}@example.com", **more} for name in names]})


def test_a_new_vendor_has_objects(box: ShopSandbox) -> None:
    """A new vendor has JSON bodies, parameters in paths, and lines of JSON; objects are found by key."""
    body = {"customers": [{"email": "ann@example.com", "plan": "pro"}, {"email": "nobody"}]}
    assert call(box, "POST", "/api/users", body).json() == {"successCount": 1, "failCount": 1}
    answer = call(box, "GET", "/api/users/ann%40example.com")
    assert answer.json() == {"email": "ann@example.com", "plan": "pro"}
    assert answer.headers["Server"] == "Shop"
    assert call(box, "GET", "/api/users/bob@example.com").json() == {}
    lines = call(box, "GET", "/api/users/export")
    assert lines.text == '{"email": "ann@example.com", "plan": "pro"}\n'
    assert lines.headers["Content-Type"] == "application/x-json-stream"
    count = call(box, "GET", "/api/users/count")
    assert (count.text, count.headers["Content-Type"]) == ("1", "text/plain; charset=utf-8")


def test_a_header_has_several_spellings(box: ShopSandbox) -> None:
    """The key's header has the vendor's spellings, in any case."""
    for name, status in (("Api-Key", 200), ("API_KEY", 200), ("Key", 401)):
        answer = requests.get(f"{box.url}/api/users/count", headers={name: KEY}, timeout=20)
        assert answer.status_code == status


def test_refusals_have_the_vendors_form(box: ShopSandbox) -> None:
    """A wrong key, path or method, an invalid body and an internal error are answered in the vendor's form."""
    answer = call(box, "GET", "/api/users/ann@example.com", key="other")
    params = {"endpoint": "/api/users/ann@example.com"}
    assert (answer.status_code, answer.json()) == (
        401,
        {"msg": "Invalid API key", "code": "BadApiKey", "params": params},
    )
    unknown = call(box, "GET", "/api/nothing")
    assert (unknown.status_code, unknown.text) == (404, "Action not found")
    assert call(box, "DELETE", "/api/users").status_code == 405
    headers = {"Api-Key": KEY}
    assert requests.post(f"{box.url}/api/users", data=b"{", headers=headers, timeout=20).status_code == 400
    assert call(box, "POST", "/api/users", {}).status_code == 500
    statuses = {("users", "GET", 401): 1, ("api/nothing", "GET", 404): 1, ("users", "DELETE", 405): 1}
    assert box.calls.statuses == statuses | {("users", "POST", 400): 1, ("users", "POST", 500): 1}


def test_a_leaky_limit_frees_single_calls(box: ShopSandbox) -> None:
    """A leaky limit frees calls one by one and answers with `Retry-After`; a refused call does not count."""
    box.limits = LIMITS
    statuses = [call(box, "GET", "/api/users/export").status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    refused = call(box, "GET", "/api/users/export")
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("RateLimitExceeded", "15")
    box.clock.advance(15)
    assert [call(box, "GET", "/api/users/export").status_code for _ in range(2)] == [200, 429]
    assert box.calls.refused == 4
    assert "Retry-After" not in add(box, "ann").headers


def test_a_calendar_limit_frees_all_calls(box: ShopSandbox) -> None:
    """A calendar limit frees all calls at the start of the next window."""
    box.limits = {("users", "GET"): Limit(2, 10)}
    for _ in range(2):
        statuses = [call(box, "GET", "/api/users/ann@example.com").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        box.clock.advance(10)


def test_limits_can_be_scaled(box: ShopSandbox) -> None:
    """A factor scales the times of a limit, not the number of calls at once."""
    box.limits = faster(LIMITS, 15)
    statuses = [call(box, "GET", "/api/users/export").status_code for _ in range(5)]
    box.clock.advance(1)
    assert [*statuses, call(box, "GET", "/api/users/export").status_code] == [200] * 4 + [429, 200]


def test_faults_occur_as_declared(box: ShopSandbox) -> None:
    """Faults occur in order and as often as declared; a truncated answer belongs to an executed call."""
    box.fail("users", "POST", status=503, headers={"Retry-After": "7"}, times=2)
    box.fail("users", "POST", cut=True)
    answers = [add(box, "ann") for _ in range(2)]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "7")] * 2
    assert not box.customers
    with pytest.raises(requests.RequestException):
        add(box, "ann")
    assert list(box.customers) == ["ann@example.com"]
    assert add(box, "bob").ok
    box.fail("users/export", "GET", cut=True)
    with pytest.raises(requests.RequestException):
        call(box, "GET", "/api/users/export")


def test_changes_can_be_delayed(box: ShopSandbox) -> None:
    """Changes are visible after a delay."""
    add(box, "ann")
    box.visible_after = 60
    add(box, "ann", plan="pro")
    assert call(box, "GET", "/api/users/ann@example.com").json()["plan"] == "free"
    box.clock.advance(60)
    assert call(box, "GET", "/api/users/ann@example.com").json()["plan"] == "pro"


def test_jobs_are_limited_and_can_be_canceled(box: ShopSandbox) -> None:
    """One job runs at a time, can be canceled, and has files by link without a key until they expire."""
    add(box, "ann", "bob")
    box.job_seconds = 10
    for _ in range(3):
        call(box, "POST", "/api/export")

    def states() -> list[str]:
        return [call(box, "GET", f"/api/export/job{number}").json()["jobState"] for number in range(3)]

    assert states() == ["running", "waiting", "waiting"]
    assert call(box, "DELETE", "/api/export/job1").json()["jobState"] == "cancelled"
    box.clock.advance(10)
    assert states() == ["done", "cancelled", "running"]
    first, second = call(box, "GET", "/api/export/job0").json()["files"]
    assert requests.get(second, timeout=20).json() == {"email": "bob@example.com", "plan": "free"}
    box.clock.advance(7200)
    assert requests.get(first, timeout=20).status_code == 404
    renewed = box.downloads.renew(box.jobs.by_id["job0"].files[0], 10)
    assert requests.get(f"{box.url}/{renewed.path}", timeout=20).json()["email"] == "ann@example.com"
    box.downloads.status_of_expired = 403
    assert requests.get(first, timeout=20).status_code == 403
    assert requests.get(f"{first}0", timeout=20).status_code == 404
    assert states()[2] == "done"


def test_the_page_shows_a_vendors_state(box: ShopSandbox) -> None:
    """The status page is JSON or escaped HTML, without the key."""
    add(box, "ann", plan="<b>pro</b>")
    page = requests.get(f"{box.url}/_sandbox", timeout=20).json()
    assert page["counts"] == {"customers": 1}
    assert page["customers"] == [{"email": "ann@example.com", "plan": "<b>pro</b>"}]
    assert page["recent_calls"] == ["Tue, 14 Nov 2023 22:13:20 +0000 POST /users 200"]
    assert page["calls_per_minute"] == {"POST /users": {str(int(NOON // 60)): 1}}
    html = requests.get(f"{box.url}/_sandbox", headers={"Accept": "text/html"}, timeout=20).text
    assert "Shop sandbox" in html
    assert "&lt;b&gt;pro&lt;/b&gt;" in html
    assert KEY not in html


def test_many_objects_are_counted_and_the_first_are_shown(box: ShopSandbox) -> None:
    """The status page has the number of objects and the first of them."""
    add(box, *(f"user{number}" for number in range(150)))
    page = requests.get(f"{box.url}/_sandbox", timeout=20).json()
    assert (page["counts"]["customers"], len(page["customers"])) == (150, 100)
    html = requests.get(f"{box.url}/_sandbox", headers={"Accept": "text/html"}, timeout=20).text
    assert "Customers: 150" in html
    assert "The first 100." in html


def test_a_key_of_another_object_is_refused() -> None:
    """An object with the key of another is refused."""
    box = ShopSandbox()
    for name in ("ann", "bob"):
        box.known.set(Customer(name), "email", name)
    ann = box.known.find("email", "ann")
    assert ann
    with pytest.raises(ValueError, match="email"):
        box.known.set(ann, "email", "bob")
    box.known.remove(ann)
    assert box.known.find("email", "ann") is None

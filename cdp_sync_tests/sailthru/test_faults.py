"""Faults in the exchange with Sailthru: transient ones are retried, others reported, and no user is doubled."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sailthru.sailthru_client import SailthruClient

from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.http.sender import Timeouts
from cdp_sync.connectors.sailthru import client as client_module
from cdp_sync.errors import EndpointNotPermitted, ListUnknown, Transient
from cdp_sync.sandbox.api import Faults, Limit
from cdp_sync.sandbox.sailthru import Clock, SailthruSandbox
from cdp_sync_tests.sailthru.exchange import (
    SECRETS,
    ZONE,
    Exchange,
    column,
    lists_goal,
    person,
    sailthru,
    users_goal,
)

PEOPLE = [f"p{number}" for number in range(12)]
EVERYBODY = {f"{name}@example.com" for name in PEOPLE}
LISTED = [{"email": f"{name}@example.com", "vars": {"text_one": name}, "lists": ["Main"]} for name in PEOPLE]


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """A Sailthru sandbox without users."""
    with sailthru() as served:
        yield served


@pytest.fixture
def crm(box: SailthruSandbox, tmp_path: Path) -> Exchange:
    """Twelve profiles to be added to a list individually."""
    made = Exchange(tmp_path / "crm", goal=users_goal(lists=["Red"]), box=box)
    made.hold(person(name) for name in PEOPLE)
    return made


def check_delivered(crm: Exchange, **options: Any) -> None:
    """Export, and assert that each user exists once, is on the list, and is not sent again."""
    report = crm.run(**options)
    assert report.counters.profiles_written == len(PEOPLE)
    assert {str(user.email) for user in crm.box.account.users.values()} == crm.on("Red") == EVERYBODY
    assert len(crm.rows("select * from warehouse.list_member")) == len(PEOPLE)
    assert all(crm.vars(f"{name}@example.com") == {"text_one": name} for name in PEOPLE)
    posted = crm.posted()
    assert crm.run().counters.profiles_written == 0
    assert crm.posted() == posted


@pytest.mark.parametrize(
    "fault",
    [{"status": 500, "times": 3}, {"status": 503, "times": 3}, {"cut": True, "times": 3}],
    ids=["500", "503", "cut"],
)
def test_failed_calls_are_retried(fault: dict[str, Any], crm: Exchange) -> None:
    """Server errors and truncated answers are retried; a truncated answer belongs to an executed call."""
    crm.box.fail("user", "POST", **fault)
    check_delivered(crm)


def test_a_call_without_answer_times_out(crm: Exchange) -> None:
    """A call that is executed but not answered is retried after its timeout."""
    crm.box.fail("user", "POST", delay=2.0, times=2)
    check_delivered(crm, timeouts=Timeouts(read=0.5))


def test_the_rate_limit_is_kept(tmp_path: Path) -> None:
    """With three calls a minute for twelve users, no call is refused and none fails."""
    with SailthruSandbox(
        api_key=SECRETS["KEY"], api_secret=SECRETS["SECRET"], time_zone=ZONE, clock=Clock(),
        limits={("user", "POST"): Limit(3)},
    ) as served:  # fmt: skip
        crm = Exchange(tmp_path / "crm", goal=users_goal(lists=["Red"]), box=served)
        crm.hold(person(name) for name in PEOPLE)
        assert crm.run(
            limiter=limiter_with_simulated_time(served), timeouts=Timeouts(turn=math.inf)
        ).counters.profiles_written == len(PEOPLE)
        assert crm.on("Red") == EVERYBODY
        assert served.calls.count("user", "POST") == len(PEOPLE)


def limiter_with_simulated_time(box: SailthruSandbox) -> RateLimiter:
    """Return a limiter that advances the clocks instead of waiting."""

    def wait(condition: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            condition.wait(5)
        else:
            box.clock.advance(seconds)

    return RateLimiter(clock=box.clock, wait=wait)


def test_too_many_failures_end_the_run_and_the_next_one_continues(crm: Exchange) -> None:
    """Too many failures end the run with a transient error; the next run continues without loss or doubles."""
    crm.box.fail("user", "POST", status=500, times=200)
    with pytest.raises(Transient):
        crm.run(attempts=2)
    crm.box.faults = Faults()  # the fault is over
    check_delivered(crm)


# One file


def in_bulk(crm: Exchange) -> Exchange:
    """Send all users in one file; some exist already, one of them on the list."""
    crm.goal = users_goal(lists=["Red"], bulk_from=1)
    return crm


@pytest.mark.parametrize("reports", [True, False])
def test_a_silently_dropped_user_is_sent_again(crm: Exchange, *, reports: bool) -> None:
    """A user that Sailthru silently leaves out is sent again: a new one, an existing one, and a list member."""
    crm.box.reports_lines = reports
    crm.box.account.add_users(
        [{"email": "p1@example.com"}, {"email": "p2@example.com", "lists": ["Red"], "vars": {"text_one": "old"}}]
    )
    crm.box.silent_drops = {"p0@example.com", "p1@example.com", "p2@example.com"}
    report = in_bulk(crm).run()
    assert report.counters.profiles_written == len(PEOPLE)
    assert crm.box.calls.count("user", "POST") == 3
    assert crm.on("Red") == EVERYBODY
    assert [crm.vars(f"{name}@example.com")["text_one"] for name in PEOPLE] == PEOPLE


@pytest.mark.parametrize("kind", ["update", "export_list_data"])
@pytest.mark.parametrize("trouble", ["jobs_fail", "jobs_hang"])
def test_jobs_that_fail_or_never_end(trouble: str, kind: str, crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users are sent individually when the file's job or its verification fails."""
    monkeypatch.setattr(client_module, "LONGEST_JOB", 0.0)
    setattr(crm.box, trouble, {kind})
    check_delivered(in_bulk(crm))


def test_an_expired_list_export(crm: Exchange) -> None:
    """Users are sent individually when the address of the list export has expired."""
    crm.box.export_lifetime = 0.0
    check_delivered(in_bulk(crm))


@pytest.mark.parametrize(("endpoint", "method"), [("job", "POST"), ("job", "GET"), ("export", "GET")])
def test_connections_that_drop_around_a_file(endpoint: Any, method: Any, crm: Exchange) -> None:
    """The upload, the job status and the download are retried."""
    crm.box.fail(endpoint, method, cut=True)
    crm.box.fail(endpoint, method, status=500)
    check_delivered(in_bulk(crm))


def test_a_value_with_a_line_break_is_verified_too(crm: Exchange) -> None:
    """Values with quotes and line breaks are verified, and their users are not sent again."""
    crm.change("""update warehouse.profile set text_one = concat('"a",', chr(10), 'b', chr(13), chr(10), 'c')""")
    assert in_bulk(crm).run().counters.profiles_written == len(PEOPLE)
    assert crm.on("Red") == EVERYBODY
    assert crm.vars("p0@example.com")["text_one"] == '"a",\nb\r\nc'


def test_a_user_that_is_not_visible_yet_is_not_created(crm: Exchange) -> None:
    """A user that reads do not show yet is unmatched and not created; a later run finds it."""
    crm.goal = users_goal(create_users=False)
    crm.box.visible_after = 60.0
    official = SailthruClient(SECRETS["KEY"], SECRETS["SECRET"], api_url=crm.box.url)
    assert official.save_user("p0@example.com", {"vars": {"plan": "pro"}}).is_ok()
    assert crm.run().counters.profiles_unmatched == len(PEOPLE)
    crm.box.clock.advance(61)
    assert crm.run().counters.profiles_written == 1
    assert len(crm.box.account.users) == 1


# Permissions


def test_a_forbidden_endpoint_is_named(crm: Exchange) -> None:
    """A key without permission to write users is an error with the endpoint, and nothing counts as delivered."""
    crm.box.permit("job", "list")
    with pytest.raises(EndpointNotPermitted, match="endpoint user"):
        crm.run()
    assert crm.rows("select * from warehouse.exported_profile") == []
    crm.box.permit()
    check_delivered(crm)


@pytest.mark.parametrize("bulk_from", [1, 5000], ids=["as a file", "one by one"])
def test_a_smart_list_is_refused_before_anybody_is_sent(bulk_from: int, crm: Exchange) -> None:
    """Nobody can be put on a smart list: the error names it, and no user is created."""
    crm.box.account.add_list("Pros", type="smart", query={"criteria": ["match"], "field": ["plan"], "value": ["pro"]})
    crm.goal = users_goal(lists=["Red", "Pros"], bulk_from=bulk_from)
    with pytest.raises(ListUnknown, match=r"smart list, which a query fills: 'Pros'\. Name natural lists"):
        crm.run()
    assert (crm.posted(), crm.box.account.users) == (0, {})
    crm.goal = users_goal(lists=["Red"], bulk_from=bulk_from)
    check_delivered(crm)


def test_a_list_without_the_endpoint_for_addresses(crm: Exchange) -> None:
    """A list with hashed addresses needs the endpoint user, and the error says so; a link by sid does not."""
    crm.box.account.add_users(LISTED)
    crm.box.permit("job", "list")
    with pytest.raises(EndpointNotPermitted, match="endpoint user"):
        crm.import_list(lists_goal(map=[column("customer", "extid")]))
    assert crm.import_list(lists_goal()).counters.profiles_created == len(PEOPLE)


def test_an_import_whose_job_never_ends(crm: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import whose job never ends fails its list; the next run imports it."""
    monkeypatch.setattr(client_module, "LONGEST_JOB", 0.0)
    crm.box.account.add_users(LISTED)
    crm.box.jobs_hang = True
    report = crm.import_list(lists_goal())
    assert report.state == "failed"
    assert "did not end within 0 s" in report.files[0].message
    crm.box.jobs_hang = False
    assert crm.import_list(lists_goal()).counters.profiles_created == len(PEOPLE)


def test_an_empty_list(crm: Exchange) -> None:
    """An empty list is imported without a change."""
    crm.box.account.add_list("Main")
    report = crm.import_list(lists_goal(link=[column("email")]))
    assert (report.state, report.counters.rows_read) == ("success", 0)


def test_custom_fields_named_like_columns_are_requested(crm: Exchange) -> None:
    """A custom field with the name of a column is requested, also together with others."""
    named = {"Domain": "castle", "email": "old@example.com", "text_one": "Ann"}
    crm.box.account.add_users([{"email": "ann@example.com", "vars": named, "lists": ["Main"]}])
    crm.change("delete from warehouse.profile")
    custom = [column("customer", "Domain (custom field)"), column("text_list", "email (custom field)")]
    crm.import_list(lists_goal(map=[column("text_one"), *custom]))
    assert crm.rows("select text_one, customer, text_list from warehouse.profile") == [
        ("Ann", "castle", ["old@example.com"])
    ]


def test_custom_fields_that_differ_by_case_only(crm: Exchange) -> None:
    """Names of custom fields are case-sensitive."""
    crm.box.account.add_users(
        [{"email": "ann@example.com", "vars": {"Plan": "gold", "plan": "tin"}, "lists": ["Main"]}]
    )
    crm.change("delete from warehouse.profile")
    crm.import_list(lists_goal(map=[column("text_one", "Plan"), column("customer", "plan")]))
    assert crm.rows("select text_one, customer from warehouse.profile") == [("gold", "tin")]
    crm.goal = users_goal(
        link=[column("sailthru_profile_id", "sid")], map=[column("customer", "Plan"), column("text_one", "plan")]
    )
    crm.run()
    assert crm.vars("ann@example.com") == {"Plan": "tin", "plan": "gold"}

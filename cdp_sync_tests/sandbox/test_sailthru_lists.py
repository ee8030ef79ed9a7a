"""Lists and settings of the Sailthru sandbox, through the official client."""

from typing import Any

import pytest
from sailthru.sailthru_client import SailthruClient

from cdp_sync.sandbox.sailthru import SailthruSandbox

MADE = "Sat, 02 Oct 2021 19:46:49 -0400"


def test_a_list_is_created_read_and_deleted(client: SailthruClient) -> None:
    """A list is `natural` when created and `normal` when read; its name is `list` alone and `name` among all."""
    made = client.api_post("list", {"list": "Main", "vars": {"a": 1}, "public_name": "The Main"}).get_body()
    list_id = made["list_id"]
    assert made == {"list": "Main", "type": "natural", "list_id": list_id}
    one = {
        "list_id": list_id, "list": "Main", "create_time": MADE, "send_time": None, "count": 0, "type": "normal",
        "primary": False,
    }  # fmt: skip
    assert client.get_list("Main").get_body() == one
    with_vars = client.api_get("list", {"list_id": list_id, "fields": {"vars": 1}}).get_body()
    assert with_vars == {**one, "vars": {"a": 1}, "public_name": "The Main"}
    [among_all] = client.get_lists().get_body()["lists"]
    assert among_all == {
        "list_id": list_id, "name": "Main", "email_count": 0, "valid_count": 0, "create_time": MADE, "type": "normal",
    }  # fmt: skip
    assert client.delete_list("Main").get_body() == {"list": "Main", "ok": True}
    assert client.get_lists().get_body() == {"lists": []}


def test_an_unknown_list_is_error_15(client: SailthruClient) -> None:
    """An unknown list is 404 with error 15, by name or id, read or deleted."""
    answers = [client.get_list("Main"), client.delete_list("Main"), client.api_get("list", {"list_id": "0" * 24})]
    for answer in answers:
        assert (answer.get_status_code(), answer.get_error().get_error_code()) == (404, 15)
    assert answers[0].get_error().get_message() == "Unknown list: Main"


def test_a_list_is_changed_by_being_posted_again(client: SailthruClient) -> None:
    """A posted list is changed and keeps its id; primary lists can be filtered, and are in the settings."""
    first = client.api_post("list", {"list": "Main"}).get_body()
    client.api_post("list", {"list": "Other"})
    assert client.api_post("list", {"list": "Main", "primary": 1}).get_body() == first
    lists = client.api_get("list", {"primary": 1}).get_body()["lists"]
    assert [found["name"] for found in lists] == ["Main"]
    settings = client.api_get("settings", {}).get_body()
    assert (settings["lists_primary"], settings["timezone"]) == (["Main"], "America/New_York")


def test_a_deleted_list_loses_its_members(client: SailthruClient) -> None:
    """Deleting a list removes it from its members."""
    client.save_user("ann@example.com", {"lists": {"Main": 1}})
    client.delete_list("Main")
    assert client.get_user("ann@example.com").get_body()["lists"] is None


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ({"criteria": ["match"], "field": ["plan"], "value": ["pro"]}, ["ann", "cy"]),
        ({"criteria": ["match"], "field": ["tags"], "value": ["b"]}, ["bob"]),
        ({"source_list": "Main", "criteria": ["match"], "field": ["plan"], "value": ["pro"]}, ["ann"]),
        ({"source_list": ".multiple", "multiple_source_list": ["Main", "Other"]}, ["ann", "bob"]),
        ({"criteria": ["not", "gt"], "field": ["plan", "n"], "value": ["pro", 1]}, ["bob"]),
        ({"query_mode": "or", "criteria": ["lt", "max"], "field": ["n", "n"], "value": ["2", 1]}, ["ann"]),
        ({"criteria": ["domain", "list_member_not"], "value": ["other.org", "Main"]}, ["cy"]),
    ],
)
def test_a_smart_list_follows_its_query(
    query: dict[str, Any], members: list[str], client: SailthruClient, box: SailthruSandbox
) -> None:
    """A smart list holds the users that its query matches, as they change."""
    box.account.add_users([
        {"email": "ann@example.com", "vars": {"plan": "pro", "n": 1}, "lists": ["Main"]},
        {"email": "bob@example.com", "vars": {"plan": "free", "n": "2", "tags": ["a", "b"]}, "lists": ["Other"]},
        {"email": "cy@other.org", "vars": {"plan": "pro"}},
    ])  # fmt: skip
    made = client.api_post("list", {"list": "Smart", "type": "smart", "query": query}).get_body()
    assert made["type"] == "smart"
    found = box.account.members(box.account.lists["Smart"])
    assert [(user.email or "").split("@")[0] for user in found] == members
    one = client.get_list("Smart").get_body()
    assert (one["type"], one["count"]) == ("smart", len(members))
    asked = {"id": found[0].email, "fields": {"smart_lists": 1}}
    assert client.api_get("user", asked).get_body() == {"smart_lists": ["Smart"]}
    assert "Smart" not in (client.get_user(found[0].email).get_body()["lists"] or {})


def test_a_smart_list_cannot_be_written(client: SailthruClient, box: SailthruSandbox) -> None:
    """A user cannot be put on a smart list."""
    query = {"criteria": ["match"], "field": ["plan"], "value": ["pro"]}
    box.account.add_list("Smart", type="smart", query=query)
    client.save_user("ann@example.com", {"vars": {"plan": "pro"}})
    assert client.get_list("Smart").get_body()["count"] == 1
    client.save_user("ann@example.com", {"vars": {"plan": "free"}})
    assert client.get_list("Smart").get_body()["count"] == 0
    answer = client.save_user("ann@example.com", {"lists": {"Smart": 1}})
    assert (answer.get_status_code(), answer.get_error().get_error_code()) == (400, 99)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, 2),
        ({"list": "Smart", "type": "smart"}, 2),
        ({"list": "Smart", "type": "clever"}, 99),
        ({"list": "Smart", "type": "smart", "query": {"criteria": ["horizon_interest"]}}, 99),
        ({"list": "a$b"}, 99),
    ],
)
def test_an_invalid_list_is_refused(
    asked: dict[str, Any], code: int, client: SailthruClient, box: SailthruSandbox
) -> None:
    """An invalid list is refused and not created."""
    answer = client.api_post("list", asked)
    assert (answer.get_status_code(), answer.get_error().get_error_code()) == (400, code)
    assert not box.account.lists

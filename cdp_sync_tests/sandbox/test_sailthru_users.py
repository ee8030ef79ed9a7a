"""Users of the Sailthru sandbox, through the official client."""

from typing import Any

import pytest
from sailthru.sailthru_client import SailthruClient

from cdp_sync.sandbox.sailthru import SailthruSandbox

SIGNED_UP = "Sat, 02 Oct 2021 19:46:49 -0400"


def answered(answer: Any) -> tuple[int, Any]:
    """Return status and body."""
    return answer.get_status_code(), answer.get_body()


def read(client: SailthruClient, value: str, key: str = "email", **fields: Any) -> Any:
    """Return the fields of a user."""
    answer = client.api_get("user", {"id": value, "key": key, **({"fields": fields} if fields else {})})
    assert answer.is_ok(), answer.get_body()
    return answer.get_body()


def test_a_user_is_created_and_read_by_each_key(client: SailthruClient) -> None:
    """A user is found by each key, with a lower-case address and a sid that begins with the time."""
    vars_ = {"text": "Köln", "n": 3, "x": 1.5, "yes": True, "none": None, "list": [1, "b"], "map": {"a": []}}
    created = client.api_post(
        "user",
        {
            "id": "Ann@Example.com", "key": "email", "keys": {"extid": "42", "sms": "+15551234567"}, "vars": vars_,
            "lists": {"Main": 1}, "fields": {"keys": 1},
        },
    )  # fmt: skip
    keys = created.get_body()["keys"]
    assert answered(created) == (200, {"keys": keys, "ok": True})
    assert (keys["email"], keys["extid"], keys["sms"]) == ("ann@example.com", "42", "+15551234567")
    assert int(keys["sid"][:8], 16) == 1_633_218_409
    assert len(keys["sid"]) == 24
    expected = {
        "keys": keys, "vars": vars_, "lists": {"Main": SIGNED_UP}, "engagement": "new", "optout_email": "none",
    }  # fmt: skip
    for key, value in keys.items():
        assert read(client, value, key) == expected
    assert read(client, "ANN@example.com") == expected
    assert client.get_user(keys["sid"]).get_body() == expected  # a sid without `key` is known as one


def test_only_requested_fields_are_returned(client: SailthruClient) -> None:
    """Only requested fields are returned, also those not returned by default; empty lists and vars are null."""
    client.save_user("ann@example.com")
    assert read(client, "ann@example.com", vars=1, lists=1, engagement=0) == {"vars": None, "lists": None}
    assert read(client, "ann@example.com", activity=1) == {"activity": {"create_time": SIGNED_UP}}


def test_vars_and_lists_are_merged(client: SailthruClient, box: SailthruSandbox) -> None:
    """Vars and lists are merged: null is stored, 0 removes from a list, and an unknown list is created."""
    client.save_user("ann@example.com", {"vars": {"a": 1, "b": 2}, "lists": {"Main": 1, "Other": 1}})
    client.save_user("ann@example.com", {"vars": {"b": None, "c d": [3]}, "lists": {"Main": 0, "Nowhere": 0}})
    found = read(client, "ann@example.com", vars=1, lists=1)
    assert found == {"vars": {"a": 1, "b": None, "c_d": [3]}, "lists": {"Other": SIGNED_UP}}
    assert {name: len(kept.members) for name, kept in box.account.lists.items()} == {"Main": 0, "Other": 1}


def test_keys_can_be_changed(client: SailthruClient) -> None:
    """After a change of keys the old ones are unknown."""
    client.save_user("ann@example.com")
    sid = read(client, "ann@example.com")["keys"]["sid"]
    client.save_user("ann@example.com", {"keys": {"email": "Bea@Example.com", "extid": "7"}})
    assert read(client, "7", "extid")["keys"]["email"] == "bea@example.com"
    assert read(client, "bea@example.com")["keys"]["sid"] == sid
    assert client.get_user("ann@example.com").get_status_code() == 400


def test_a_key_of_another_user_is_a_conflict_or_merges(client: SailthruClient, box: SailthruSandbox) -> None:
    """A key of another user is refused, or merges both users into the addressed one."""
    client.save_user("ann@example.com", {"vars": {"a": 1}, "lists": {"Main": 1}})
    client.save_user("bob@example.com", {"keys": {"extid": "7"}, "vars": {"a": 2, "b": 2}, "lists": {"Other": 1}})
    for conflict in ({}, {"keysconflict": "error"}):
        answer = client.save_user("ann@example.com", {"keys": {"extid": "7"}, "vars": {"c": 3}, **conflict})
        assert (answer.get_status_code(), answer.get_error().get_error_code()) == (409, 99)
    assert len(box.account.users) == 2
    sid = read(client, "ann@example.com")["keys"]["sid"]
    assert client.save_user("ann@example.com", {"keys": {"extid": "7"}, "keysconflict": "merge"}).is_ok()
    found = read(client, "7", "extid")
    assert (found["keys"]["sid"], found["keys"]["email"]) == (sid, "ann@example.com")
    assert (found["vars"], sorted(found["lists"])) == ({"a": 1, "b": 2}, ["Main", "Other"])
    assert list(box.account.users) == [sid]


def test_a_user_is_deleted(client: SailthruClient, box: SailthruSandbox) -> None:
    """A user is deleted by any key, and leaves all lists."""
    client.save_user("ann@example.com", {"lists": {"Main": 1}})
    assert answered(client.api_delete("user", {"id": "ann@example.com", "key": "email"})) == (200, {"ok": True})
    assert not box.account.users
    assert not box.account.lists["Main"].members


def test_an_unknown_user_has_two_statuses(client: SailthruClient) -> None:
    """An unknown user is 400 to a read and 404 to a deletion, both error 99; an unknown sid creates no user."""
    body = {"error": 99, "errormsg": "User not found with email: x@y.zz"}
    assert answered(client.get_user("x@y.zz")) == (400, body)
    assert answered(client.api_delete("user", {"id": "x@y.zz"})) == (404, body)
    sid = "0" * 24
    body = {"error": 99, "errormsg": f"User not found with sid: {sid}"}
    assert answered(client.save_user(sid, {"key": "sid", "vars": {"a": 1}})) == (400, body)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, 2),
        ({"id": "nobody"}, 11),
        ({"id": "ann@example.com", "key": "fax"}, 99),
        ({"id": "ann@example.com", "keys": {"email": "nobody"}}, 11),
        ({"id": "ann@example.com", "vars": {"1a": 1}}, 99),
        ({"id": "ann@example.com", "vars": {"a" * 33: 1}}, 99),
        ({"id": "ann@example.com", "vars": ["a"]}, 99),
        ({"id": "ann@example.com", "lists": {"a$": 1}}, 99),
        ({"id": "ann@example.com", "lists": {"Main": "maybe"}}, 99),
        ({"id": "ann@example.com", "optout_email": "some"}, 99),
        ({"id": "ann@example.com", "keysconflict": "merged"}, 99),
        ({"id": "ann@example.com", "signup_date": "soon"}, 18),
    ],
)
def test_an_invalid_change_changes_nothing(
    asked: dict[str, Any], code: int, client: SailthruClient, box: SailthruSandbox
) -> None:
    """An invalid change is a 400 with two keys and changes nothing."""
    answer = client.api_post("user", asked)
    assert answer.get_status_code() == 400
    assert answer.get_error().get_error_code() == code
    assert set(answer.get_body()) == {"error", "errormsg"}
    assert not box.account.users
    assert not box.account.lists


def test_an_opt_out_and_a_signup_are_stored(client: SailthruClient) -> None:
    """Opt-out and signup are stored, with the signup time in the account's time zone."""
    client.save_user("ann@example.com", {"optout_email": "blast", "signup_date": "1987-08-01", "lists": {"Main": 1}})
    signup = "Sat, 01 Aug 1987 00:00:00 -0400"
    found = read(client, "ann@example.com", lists=1, optout_email=1, activity=1)
    assert (found["lists"], found["optout_email"]) == ({"Main": signup}, "blast")
    assert found["activity"]["signup_time"] == signup


def test_a_change_can_be_delayed(client: SailthruClient, box: SailthruSandbox) -> None:
    """Created, changed and deleted users are visible after a delay."""
    box.visible_after = 5
    client.save_user("ann@example.com", {"vars": {"a": 1}})
    assert client.get_user("ann@example.com").get_status_code() == 400
    box.clock.advance(5)
    assert read(client, "ann@example.com", vars=1) == {"vars": {"a": 1}}
    client.save_user("ann@example.com", {"vars": {"a": 2}})
    assert read(client, "ann@example.com", vars=1) == {"vars": {"a": 1}}
    box.clock.advance(5)
    assert read(client, "ann@example.com", vars=1) == {"vars": {"a": 2}}
    client.api_delete("user", {"id": "ann@example.com"})
    assert read(client, "ann@example.com", vars=1) == {"vars": {"a": 2}}
    box.clock.advance(5)
    assert client.get_user("ann@example.com").get_status_code() == 400


def test_users_can_be_seeded(client: SailthruClient, box: SailthruSandbox) -> None:
    """Initial users have times of creation and signup, counters and activity."""
    seed = {
        "email": "Ann@Example.com", "extid": 42, "created": 1_431_025_429, "vars": {"plan": "pro"},
        "lists": {"Main": 1_431_025_430}, "activity": {"open_time": 1_431_025_440}, "lifetime": {"lifetime_open": 2},
    }  # fmt: skip
    box.account.add_users([seed, {"sms": "+1555", "lists": ["Main"]}])
    found = read(client, "42", "extid", keys=1, lists=1, activity=1, lifetime=1)
    assert found["keys"]["sid"].startswith("554bb715")
    assert found["lists"] == {"Main": "Thu, 07 May 2015 15:03:50 -0400"}
    assert found["activity"]["open_time"] == "Thu, 07 May 2015 15:04:00 -0400"
    assert found["lifetime"] == {"lifetime_open": 2}
    assert read(client, "+1555", "sms", lists=1) == {"lists": {"Main": SIGNED_UP}}

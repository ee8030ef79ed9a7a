"""Users of Iterable's sandbox: identifiers in each type of project, changes, and refused values."""

from hashlib import sha256
from typing import Any

import pytest

from cdp_sync_tests.sandbox.iterable.conftest import Api, Projects, refused

ANN, BOB = "ann@example.com", "bob@example.com"


def test_an_unknown_user_is_an_empty_object(projects: Projects) -> None:
    """An unknown user is an empty object, by address and userId; only an invalid address is refused."""
    api = projects("hybrid")
    for answer in (
        api.get(f"users/{ANN}"), api.get("users/getByEmail", email=ANN), api.get("users/byUserId/u1"),
        api.get("users/byUserId", userId="u1"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()) == (200, {})
    answer = api.get("users/000")
    assert answer.json() == {"msg": "Invalid email: 000", "code": "InvalidEmailAddressError", "params": None}
    assert answer.status_code == 400


def test_a_user_of_addresses(api: Api) -> None:
    """In a project of addresses an address creates a user, in any case; a userId only where preferred."""
    api.post("users/update", email="Ann@Example.com", userId="u1", dataFields={"a": 1})
    assert api.user(ANN)["userId"] == "u1"
    api.post("users/update", email=ANN, userId="u2")
    api.post("users/update", userId="u2", dataFields={"b": 2})
    assert (api.user(ANN)["userId"], api.user(ANN)["a"], api.user(ANN)["b"]) == ("u2", 1, 2)
    assert refused(api.post("users/update", userId="u9")) == (400, "UnknownUserIdError")
    assert api.post("users/update", userId="u9", preferUserId=True).json() == {
        "msg": "",
        "code": "Success",
        "params": None,
    }
    assert api.user_by_id("u9")["email"].endswith("@placeholder.email")
    api.post("users/update", email=BOB, userId="u2")
    assert api.user(BOB)["userId"] == "u2"
    api.delete("users/byUserId/u2")
    assert (api.user(ANN), api.user(BOB)) == (None, None)


def test_a_user_of_user_ids(projects: Projects) -> None:
    """In a project of userIds a userId creates a user, with case; users may share an address."""
    api = projects("user_id")
    for user_id in ("u1", "U1"):
        api.post("users/update", userId=user_id, email=ANN, dataFields={"n": 1})
    assert len(api.box.project.users) == 2
    assert refused(api.post("users/update", email=ANN)) == (400, "UnknownEmailError")
    assert api.failures("users/bulkUpdate", users=[{"email": ANN}]) == {"notFoundEmails": [ANN]}
    api.post("users/update", userId="u1", dataFields={"userId": "u3", "email": BOB})
    assert api.user_by_id("u1") is None
    assert api.user_by_id("u3")["email"] == BOB
    assert refused(api.post("users/update", userId="u3", dataFields={"userId": "U1"})) == (409, "UserIdAlreadyExists")
    assert refused(api.delete(f"users/{BOB}")) == (400, "BadParams")


def test_a_hybrid_user(projects: Projects) -> None:
    """In a hybrid project either identifier creates and finds a user; a contradiction changes nothing."""
    api = projects("hybrid")
    api.post("users/update", email=ANN)
    api.post("users/update", userId="u2")
    api.post("users/update", email=ANN, userId="u1", dataFields={"n": 1})
    assert api.user_by_id("u1")["email"] == ANN
    for contradiction in ({"email": ANN, "userId": "u2"}, {"email": ANN, "userId": "new"}):
        assert refused(api.post("users/update", **contradiction)) == (409, "EmailAlreadyExists")
    assert refused(api.post("users/update", email=BOB, userId="u1")) == (409, "UserIdAlreadyExists")
    assert api.user(BOB) is None
    users = [
        {"email": ANN, "userId": "u2"},
        {"email": BOB, "userId": "u1"},
        {"userId": "u2", "dataFields": {"email": ANN}},
    ]
    assert api.failures("users/bulkUpdate", users=users) == {"conflictEmails": [ANN, ANN], "conflictUserIds": ["u1"]}
    api.post("users/update", userId="u2", dataFields={"email": BOB})
    assert api.user(BOB)["userId"] == "u2"


@pytest.mark.parametrize("user_id", ["", "x" * 53, "ü", "a ", "a\tb"])
def test_invalid_user_ids_are_refused(user_id: str, projects: Projects) -> None:
    """An empty, too long or non-ASCII userId, or one with a trailing blank, is refused."""
    api = projects("user_id")
    assert refused(api.post("users/update", userId=user_id)) == (400, "InvalidUserIdError")
    assert api.failures("users/bulkUpdate", users=[{"userId": user_id}]) == {"invalidUserIds": [user_id]}


def test_values_are_merged(api: Api) -> None:
    """Omitted fields stay, null removes one, objects are merged or replaced, arrays are replaced."""
    api.post("users/update", email=ANN, dataFields={"a": 1, "b": [1, 2], "o": {"x": 1, "y": 2}, "gone": 1})
    api.post("users/update", email=ANN, dataFields={"b": [3], "gone": None})
    fields = api.user(ANN)
    assert (fields["a"], fields["b"], fields["o"], "gone" in fields) == (1, [3], {"x": 1, "y": 2}, False)
    api.post("users/update", email=ANN, mergeNestedObjects=True, dataFields={"o": {"x": None, "z": 3}})
    assert api.user(ANN)["o"] == {"y": 2, "z": 3}
    api.post("users/update", email=ANN, dataFields={"o": {"x": 4}})
    assert api.user(ANN)["o"] == {"x": 4}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-07-01", "2021-07-01 00:00:00 +00:00"),
        ("2021-07-01 20:50:04", "2021-07-01 20:50:04 +00:00"),
        ("2021-07-01 20:50:04 +02:00", "2021-07-01 18:50:04 +00:00"),
        ("2021-07-01T20:50:04.000Z", "2021-07-01 20:50:04 +00:00"),
        ("2021-07-01T20:50:04.123-01:00", "2021-07-01 21:50:04 +00:00"),
    ],
)
def test_dates_have_one_format(written: str, read: str, api: Api) -> None:
    """Dates are stored in one format, and the field then refuses other text."""
    api.post("users/update", email=ANN, dataFields={"when": written, "all": [written]})
    assert (api.user(ANN)["when"], api.user(ANN)["all"]) == (read, [read])
    for bad in ("2021-07-01 20:50:04.123", "2021-02-30", "GGG", 17):
        assert refused(api.post("users/update", email=ANN, dataFields={"when": bad})) == (
            400,
            "RequestFieldsTypesMismatched",
        )


def test_the_first_value_decides_a_type(api: Api) -> None:
    """The first value sets the type of a field, of a nested field and of array elements."""
    values: dict[str, Any] = {
        "text": "a", "whole": 1, "decimal": 1.5, "flag": True, "day": "2024-02-29", "not_a_day": "2023-02-29",
        "address": {"zip": 1, "geo": {"lat": 1.5}}, "home_geo_location": {"lat": 1.5, "lon": 2.5},
        "tags": ["a"], "pets": [{"name": "Rex"}, {"age": 3}], "none": None, "empty": [],
    }  # fmt: skip
    api.post("users/update", email=ANN, dataFields=values)
    found = api.get("users/getFields").json()["fields"]
    assert {name: kind for name, kind in found.items() if name in values or name.partition(".")[0] in values} == {
        "text": "string", "whole": "long", "decimal": "double", "flag": "boolean", "day": "date",
        "not_a_day": "string", "address": "object", "address.zip": "long", "address.geo": "object",
        "address.geo.lat": "double", "home_geo_location": "geo_location", "tags": "string", "pets": "object",
        "pets.name": "string", "pets.age": "long",
    }  # fmt: skip
    assert (found["email"], found["profileUpdatedAt"], found["emailListIds"]) == ("string", "date", "long")
    for bad in ({"whole": 1.5}, {"whole": "1"}, {"flag": 1}, {"text": 1}, {"address": "x"}, {"address": {"zip": "x"}},
                {"tags": [1]}, {"pets": [{"age": "x"}]}, {"new": [1, "a"]}, {"signupDate": "GGG"}):  # fmt: skip
        assert refused(api.post("users/update", email=ANN, dataFields=bad)) == (400, "RequestFieldsTypesMismatched"), (
            bad
        )
    assert api.post("users/update", email=ANN, dataFields={"decimal": 2, "text": "2024-01-01", "tags": "b"}).ok


def test_a_mismatch_is_explained(api: Api) -> None:
    """A type mismatch is reported with field, both types and value."""
    answer = api.post("users/update", email=ANN, dataFields={"signupDate": "GGG", "fine": 1})
    error = {
        "incomingTypes": ["string", "keyword"], "expectedType": "date", "_type": "UnexpectedType",
        "offendingValue": "GGG", "category": "user",
    }  # fmt: skip
    assert answer.json()["params"] == {"validationErrors": {"signupDate": error}}
    assert api.user(ANN) is None
    assert "fine" not in api.get("users/getFields").json()["fields"]


def test_a_bulk_call_writes_all_other_users(api: Api) -> None:
    """A bulk call lists each failure by its reason and writes all other users."""
    api.post("users/update", email="gone@example.com")
    api.post("users/forget", email="gone@example.com")
    api.post("users/update", email=BOB, dataFields={"n": 1})
    users = [
        {"email": ANN, "dataFields": {"n": 2, "fresh": "x"}}, {"email": "bad@"}, {"userId": "u1"},
        {"email": "gone@example.com"}, {"email": "cat@example.com", "dataFields": {"n": "x"}},
        {"email": BOB, "dataFields": {"n": 1}},
    ]  # fmt: skip
    answer = api.post("users/bulkUpdate", users=users)
    assert answer.status_code == 200
    found = answer.json()
    assert (found["successCount"], found["failCount"]) == (2, 4)
    assert (found["createdFields"], found["noOpEmails"], found["invalidEmails"]) == (["fresh"], [BOB], ["bad@"])
    assert {name: values for name, values in found["failedUpdates"].items() if values} == {
        "invalidEmails": ["bad@"], "notFoundUserIds": ["u1"], "forgottenEmails": ["gone@example.com"],
        "invalidDataEmails": ["cat@example.com"],
    }  # fmt: skip
    assert (api.user(ANN)["n"], api.user("cat@example.com")) == (2, None)


def test_a_mismatch_can_refuse_a_whole_bulk_call(api: Api) -> None:
    """A switch makes a mismatch refuse the whole bulk call, also within the batch."""
    api.box.refuses_whole_batches = True
    users = [{"email": ANN, "dataFields": {"n": 1}}, {"email": BOB, "dataFields": {"n": "x"}}]
    answer = api.post("users/bulkUpdate", users=users)
    assert refused(answer) == (400, "RequestFieldsTypesMismatched")
    assert list(answer.json()["params"]["validationErrors"]) == ["n"]
    assert (api.user(ANN), api.user(BOB)) == (None, None)
    assert api.post("users/bulkUpdate", users=users[:1]).json()["successCount"] == 1


def test_fields_are_not_always_created(api: Api) -> None:
    """Unknown fields are created or ignored by the call, or by the project; ignored ones are named."""
    api.post("users/update", email=ANN, dataFields={"o": {"x": 1}})
    users = [{"email": ANN, "dataFields": {"n": 1, "o": {"x": 2, "y": 3}}}]
    found = api.post("users/bulkUpdate", users=users, createNewFields=False).json()
    assert (sorted(found["filteredOutFields"]), found["createdFields"]) == (["n", "o.y"], [])
    assert (api.user(ANN)["o"], "n" in api.user(ANN)) == ({"x": 2}, False)
    api.box.creates_fields = False
    api.post("users/update", email=ANN, dataFields={"n": 1})
    assert "n" not in api.user(ANN)
    api.post("users/update", email=ANN, dataFields={"n": 1}, createNewFields=True)
    assert api.user(ANN)["n"] == 1


def test_a_project_has_a_thousand_fields(api: Api) -> None:
    """A field beyond 1,000 is refused with its whole bulk call, or ignored where fields are not created."""
    api.post("users/update", email=ANN, dataFields={f"f{number}": 1 for number in range(1000)})
    one_more = {"dataFields": {"g": 1}}
    assert refused(api.post("users/update", email=ANN, **one_more)) == (400, "UniqueFieldsLimitExceeded")
    users = [{"email": BOB}, {"email": ANN, **one_more}]
    assert refused(api.post("users/bulkUpdate", users=users)) == (400, "UniqueFieldsLimitExceeded")
    assert api.user(BOB) is None
    assert api.post("users/bulkUpdate", users=users, createNewFields=False).json()["filteredOutFields"] == ["g"]


def test_deletions(projects: Projects) -> None:
    """Deleting an unknown address succeeds and an unknown userId fails; a deleted user can be created again."""
    api = projects("email")
    api.post("users/update", email=ANN, dataFields={"n": 1})
    assert [api.delete(f"users/{ANN}").json()["code"] for _ in range(2)] == ["Success", "Success"]
    assert refused(api.delete("users/byUserId/u2")) == (400, "BadParams")
    assert api.delete("users/byUserId/u2").json()["msg"] == "User does not exist. Email:  UserId: u2"
    api.post("users/update", email=ANN)
    assert "n" not in api.user(ANN)


def test_forgotten_users_are_refused(projects: Projects) -> None:
    """A forgotten user is deleted, listed by hash and refused until it is unforgotten."""
    api = projects("hybrid")
    api.post("users/update", email=ANN, userId="u1")
    api.post("users/forget", email=ANN)
    assert api.user(ANN) is None
    assert api.get("users/forgotten").json() == {"hashedEmails": [sha256(ANN.encode()).hexdigest()]}
    assert api.get("users/forgottenUserIds").json() == {"hashedUserIds": [sha256(b"u1").hexdigest()]}
    assert refused(api.post("users/update", email="ANN@example.com")) == (409, "ForgottenUserError")
    users = [{"email": ANN}, {"userId": "u1"}]
    forgotten = {"forgottenEmails": [ANN], "forgottenUserIds": ["u1"]}
    assert api.failures("users/bulkUpdate", users=users) == forgotten
    list_id = api.post("lists", name="News").json()["listId"]
    assert api.failures("lists/subscribe", listId=list_id, subscribers=users) == forgotten
    api.post("users/unforget", email=ANN)
    assert api.post("users/update", email=ANN).ok
    assert refused(projects("user_id").get("users/forgotten")) == (400, "BadParams")


def test_subscriptions_are_replaced(api: Api) -> None:
    """Given subscriptions are replaced, for one user and in bulk; lists too."""
    first, second = (api.post("lists", name=name).json()["listId"] for name in ("One", "Two"))
    api.post("users/updateSubscriptions", email=ANN, unsubscribedChannelIds=[1, 2], emailListIds=[first])
    api.post("users/updateSubscriptions", email=ANN, unsubscribedChannelIds=[3], emailListIds=None)
    fields = api.user(ANN)
    assert (fields["unsubscribedChannelIds"], fields["emailListIds"]) == ([3], [first])
    requests = [{"email": ANN, "emailListIds": [second]}, {"email": "bad"}, {"userId": "u9"}]
    found = api.post("users/bulkUpdateSubscriptions", updateSubscriptionsRequests=requests).json()
    assert (found["successCount"], found["failCount"]) == (1, 2)
    assert (found["invalidEmails"], found["validUserIdFailures"]) == (["bad"], ["u9"])
    assert [api.get("lists/getUsers", listId=each).text for each in (first, second)] == ["", ANN]


def test_an_address_can_change(projects: Projects) -> None:
    """In a project of addresses an address can change to one that is neither in use nor forgotten."""
    api = projects("email")
    api.post("users/update", email=ANN, dataFields={"n": 1})
    api.post("users/update", email=BOB)
    assert refused(api.post("users/updateEmail", currentEmail=ANN, newEmail=BOB)) == (409, "EmailAlreadyExists")
    assert api.post("users/updateEmail", currentEmail=ANN, newEmail="new@example.com").ok
    assert (api.user(ANN), api.user("new@example.com")["n"]) == (None, 1)
    assert refused(projects("hybrid").post("users/updateEmail", currentEmail=ANN, newEmail=BOB)) == (400, "BadParams")


def test_a_call_that_changes_nothing_is_no_update(api: Api) -> None:
    """A call without a change keeps the time of the profile's update."""
    api.post("users/update", email=ANN, dataFields={"n": 1})
    before = api.user(ANN)
    api.box.clock.advance(3600)
    api.post("users/update", email=ANN, dataFields={"n": 1})
    assert api.user(ANN) == before
    api.post("users/update", email=ANN, dataFields={"n": 2})
    assert (before["profileUpdatedAt"], api.user(ANN)["profileUpdatedAt"]) == (
        "2024-05-01 12:00:00 +00:00", "2024-05-01 13:00:00 +00:00",
    )  # fmt: skip

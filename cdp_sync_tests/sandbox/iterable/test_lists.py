"""Lists of Iterable's sandbox: types, members, and which lists can be changed."""

import pytest

from cdp_sync_tests.sandbox.iterable.conftest import NOON, Api, Projects, refused

ANN, BOB = "ann@example.com", "bob@example.com"


def invalid(list_id: object) -> dict[str, object]:
    """Return the answer to a change of a read-only list, whose code is `Success`."""
    params = {"projectId": 9079, "listId": list_id}
    return {"msg": f"error.lists.invalidListId({list_id})", "code": "Success", "params": params}


def test_lists_have_types_and_times(api: Api) -> None:
    """Lists are ordered newest first, with type and creation time in milliseconds."""
    api.post("lists", name="Standing", description="all")
    api.box.clock.advance(1)
    api.box.project.add_list("Pros", rule=("plan", "pro"))
    api.box.project.add_list("Blocked", "Suppression")
    later = int((NOON + 1) * 1000)
    assert [
        {name: value for name, value in each.items() if name != "id"} for each in api.get("lists").json()["lists"]
    ] == [
        {"name": "Blocked", "listType": "Suppression", "createdAt": later, "isGlobalSuppressionEnabled": False},
        {"name": "Pros", "listType": "Dynamic", "createdAt": later},
        {"name": "Standing", "listType": "Standard", "createdAt": int(NOON * 1000), "description": "all"},
    ]
    assert refused(api.post("lists", name=" ")) == (400, "BadParams")
    assert refused(api.post("lists", name="x", description="x" * 141)) == (400, "BadParams")


def test_members_are_lines_of_text(projects: Projects) -> None:
    """Members are lines of addresses, or of userIds where preferred or without address."""
    api = projects("hybrid")
    list_id = api.post("lists", name="News").json()["listId"]
    assert (api.get("lists/getUsers", listId=list_id).text, api.get(f"lists/{list_id}/size").text) == ("", "0")
    subscribers = [{"email": ANN, "userId": "u1"}, {"userId": "u2"}]
    api.post("lists/subscribe", listId=list_id, subscribers=subscribers)
    answer = api.get("lists/getUsers", listId=list_id)
    assert (answer.text, answer.headers["Content-Type"]) == (f"{ANN}\nu2", "text/plain; charset=utf-8")
    assert api.get("lists/getUsers", listId=list_id, preferUserId="true").text == "u1\nu2"
    assert api.get("lists/previewUsers", listId=list_id, size=1).text == ANN
    assert api.get(f"lists/{list_id}/size").text == "2"
    assert api.user(ANN)["userListIds"] == [list_id]
    assert api.get("lists/getUsers", listId=999).json() == invalid(999)
    assert refused(api.get("lists/getUsers")) == (400, "BadParams")


def test_dynamic_lists_follow_their_rule(api: Api) -> None:
    """A dynamic list holds the users that match its rule; it is read-only, and an unknown list is refused."""
    dynamic = api.box.project.add_list("Travellers", rule=("topics", "travel")).list_id
    for email, topics in ((ANN, ["travel", "food"]), (BOB, ["food"])):
        api.post("users/update", email=email, dataFields={"topics": topics})
    assert api.get("lists/getUsers", listId=dynamic).text == ANN
    for path in ("lists/subscribe", "lists/unsubscribe"):
        for list_id in (dynamic, 999, "x", None):
            answer = api.post(path, listId=list_id, subscribers=[{"email": "new@example.com"}])
            assert (answer.status_code, answer.json()) == (400, invalid(list_id))
    assert api.user("new@example.com") is None


def test_subscribing_writes_users(api: Api) -> None:
    """Subscribing creates unknown users, writes data fields and lists failures. It is idempotent."""
    list_id = api.post("lists", name="News").json()["listId"]
    api.post("users/update", email=BOB, dataFields={"n": 1})
    subscribers = [{"email": ANN, "dataFields": {"n": 2}}, {"email": BOB, "dataFields": {"n": "x"}}, {"userId": "u9"}]
    for _ in range(2):
        found = api.failures("lists/subscribe", listId=list_id, subscribers=subscribers)
        assert found == {"invalidDataEmails": [BOB], "notFoundUserIds": ["u9"]}
    fields = api.user(ANN)
    assert (fields["n"], fields["emailListIds"], fields["signupSource"]) == (2, [list_id], "ListAPI")
    assert api.get("lists/getUsers", listId=list_id).text == ANN


def test_only_existing_users_are_subscribed_on_request(projects: Projects) -> None:
    """`updateExistingUsersOnly` applies to projects with userIds, and is ignored in one of addresses."""
    for api, result in ((projects("hybrid"), {"notFoundEmails": [BOB]}), (projects("email"), {})):
        list_id = api.post("lists", name="News").json()["listId"]
        api.post("users/update", email=ANN)
        subscribers = [{"email": ANN}, {"email": BOB}]
        body = {"listId": list_id, "subscribers": subscribers, "updateExistingUsersOnly": True}
        assert api.failures("lists/subscribe", **body) == result


def test_unsubscribing_creates_no_user(api: Api) -> None:
    """Unsubscribing a user who is no member succeeds, and an unknown user fails; the channel stays by default."""
    list_id = api.post("lists", name="News").json()["listId"]
    api.post("lists/subscribe", listId=list_id, subscribers=[{"email": ANN}])
    api.post("users/update", email=BOB)
    subscribers = [{"email": ANN}, {"email": BOB}, {"email": "new@example.com"}]
    answer = api.post("lists/unsubscribe", listId=list_id, subscribers=subscribers, channelUnsubscribe=False).json()
    assert (answer["successCount"], answer["failedUpdates"]["notFoundEmails"]) == (2, ["new@example.com"])
    assert (api.user(ANN)["emailListIds"], "unsubscribedChannelIds" in api.user(ANN)) == ([], False)
    assert api.user("new@example.com") is None
    api.post("lists/unsubscribe", listId=list_id, subscribers=[{"email": ANN}], channelUnsubscribe=True)
    assert api.user(ANN)["unsubscribedChannelIds"] == [1]


@pytest.mark.parametrize("field", ["emailListIds", "userListIds"])
def test_a_profiles_lists_can_be_overwritten(field: str, projects: Projects) -> None:
    """A bulk update replaces all lists of a user and ignores ids that are no static list."""
    api = projects("email" if field == "emailListIds" else "hybrid")
    first, second = (api.post("lists", name=name).json()["listId"] for name in ("One", "Two"))
    api.post("lists/subscribe", listId=first, subscribers=[{"email": ANN}])
    api.post("users/bulkUpdate", users=[{"email": ANN, "dataFields": {field: [second, 999]}}])
    assert api.user(ANN)[field] == [second]
    assert [api.get("lists/getUsers", listId=each).text for each in (first, second)] == ["", ANN]


def test_a_list_is_deleted_unless_it_is_in_use(api: Api) -> None:
    """Deleting a list keeps its members as users; a list in use cannot be deleted."""
    list_id = api.post("lists", name="News").json()["listId"]
    api.post("lists/subscribe", listId=list_id, subscribers=[{"email": ANN}])
    api.box.lists_in_use = [list_id]
    assert api.delete(f"lists/{list_id}").status_code == 409
    api.box.lists_in_use = []
    message = f"List {list_id} in Project 9079 was successfully deleted."
    assert api.delete(f"lists/{list_id}").json() == {"msg": message, "code": "Success", "params": None}
    assert api.user(ANN)["emailListIds"] == []
    assert api.delete(f"lists/{list_id}").json() == invalid(list_id)


def test_a_new_list_may_refuse_changes(api: Api) -> None:
    """A new list is returned at once, but refuses changes for a while."""
    api.box.lists_usable_after = 30
    list_id = api.post("lists", name="News").json()["listId"]
    body = {"listId": list_id, "subscribers": [{"email": ANN}]}
    assert api.post("lists/subscribe", **body).json() == invalid(list_id)
    api.box.clock.advance(30)
    assert api.post("lists/subscribe", **body).json()["successCount"] == 1

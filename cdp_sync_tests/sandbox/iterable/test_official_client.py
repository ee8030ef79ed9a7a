"""Iterable's official client and the sandbox agree: each reads what the other writes."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cdp_sync_tests.sandbox.iterable.conftest import KEY, NOON, Api, Projects
from cdp_sync_tests.sandbox.iterable.official_client import ClientError, OfficialClient, why_absent

pytestmark = pytest.mark.skipif(why_absent() is not None, reason=str(why_absent()))

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def client(api: Api) -> Iterator[OfficialClient]:
    """Return the client of the project of addresses."""
    with OfficialClient(api.box.url, KEY) as started:
        yield started


def test_lists(client: OfficialClient, api: Api) -> None:
    """The client creates, fills, reads, empties and deletes a list."""
    list_id = client.call("createList", name="News", description="Weekly")["listId"]
    listed = {"id": list_id, "name": "News", "description": "Weekly", "listType": "Standard"}
    assert client.call("getLists") == {"lists": [{**listed, "createdAt": int(NOON * 1000)}]}
    assert client.call("getListUsers", listId=list_id) == {"users": []}
    subscribers = [{"email": ANN, "dataFields": {"plan": "pro"}}, {"email": "nobody"}]
    answer = client.call("subscribeUserToList", listId=list_id, subscribers=subscribers)
    assert (answer["successCount"], answer["failCount"]) == (1, 1)
    assert answer["failedUpdates"]["invalidEmails"] == ["nobody"]
    api.post("lists/subscribe", listId=list_id, subscribers=[{"email": BOB}])
    assert client.call("getListUsers", listId=list_id) == {"users": [{"email": ANN}, {"email": BOB}]}
    assert client.call("getListSize", listId=list_id) == {"size": 2}
    assert client.call("getListPreviewUsers", listId=list_id, size=1) == {"users": [ANN]}
    assert api.user(ANN)["emailListIds"] == [list_id]
    assert client.call("unsubscribeUserFromList", listId=list_id, subscribers=[{"email": ANN}])["successCount"] == 1
    assert api.get("lists/getUsers", listId=list_id).text == BOB
    assert client.call("deleteList", listId=list_id)["code"] == "Success"
    assert api.get("lists").json() == {"lists": []}


def test_users(client: OfficialClient, api: Api) -> None:
    """The client writes users, reads them and their fields, and deletes one."""
    client.call("updateUser", email=ANN, userId="u1", dataFields={"plan": "pro", "born": "1990-02-03"})
    fields = api.user(ANN)
    assert (fields["plan"], fields["born"], fields["userId"]) == ("pro", "1990-02-03 00:00:00 +00:00", "u1")
    users = [{"email": BOB, "dataFields": {"score": 7}}, {"email": "bad"}, {"userId": "u9"}]
    answer = client.call("bulkUpdateUsers", users=users)
    assert (answer["successCount"], answer["failCount"], answer["createdFields"]) == (1, 2, ["score"])
    api.post("users/update", email=BOB, dataFields={"vip": True})
    assert client.call("getUserByEmail", email=BOB)["user"]["dataFields"]["vip"] is True
    assert client.call("getUserByUserId", userId="u1")["user"]["email"] == ANN
    types = client.call("getUserFields")["fields"]
    assert {name: types[name] for name in ("plan", "born", "score", "vip")} == {
        "plan": "string", "born": "date", "score": "long", "vip": "boolean",
    }  # fmt: skip
    client.call("updateUserSubscriptions", email=ANN, unsubscribedChannelIds=[1])
    assert api.user(ANN)["unsubscribedChannelIds"] == [1]
    client.call("updateEmail", currentEmail=ANN, newEmail="anna@example.com")
    assert api.user("anna@example.com")["plan"] == "pro"
    client.call("deleteUserByEmail", email=BOB)
    assert client.call("getUserByEmail", email=BOB) == {}


def test_exports(client: OfficialClient, api: Api) -> None:
    """The client starts a job, follows its pages, downloads its files, and cancels another."""
    api.box.load([{"email": f"{number}@example.com"} for number in range(5)])
    api.box.lines_per_file, api.box.files_per_page, api.box.job_seconds = 2, 2, 60
    started: dict[str, Any] = {"dataTypeName": "user", "outputFormat": "application/x-json-stream"}
    job_id = client.call("startExportJob", **started)["jobId"]
    assert client.call("getExportFiles", jobId=job_id) == {
        "jobId": job_id, "jobState": "running", "exportTruncated": False, "files": [],
    }  # fmt: skip
    api.box.clock.advance(60)
    first = client.call("getExportFiles", jobId=job_id)
    rest = client.call("getExportFiles", jobId=job_id, startAfter=first["files"][-1]["file"])
    assert (first["jobState"], len(first["files"]), len(rest["files"])) == ("completed", 2, 1)
    lines = [line for each in first["files"] + rest["files"] for line in download(each["url"])]
    assert len(lines) == 5
    api.box.cancel_seconds = 60
    other = client.call("startExportJob", **started)["jobId"]
    assert client.call("cancelExportJob", jobId=other)["code"] == "Success"
    jobs = client.call("getExportJobs")["jobs"]
    assert [(each["id"], each["jobState"]) for each in jobs] == [(other, "cancelling"), (job_id, "completed")]
    assert [each["id"] for each in client.call("getExportJobs", jobState="completed")["jobs"]] == [job_id]


def test_events(client: OfficialClient, api: Api) -> None:
    """The client tracks events and reads them back, by address and by userId."""
    client.call("trackEvent", email=ANN, eventName="visit", id="e1", createdAt=int(NOON) - 60, dataFields={"page": 3})
    answer = client.call(
        "trackBulkEvents", events=[{"email": ANN, "eventName": "buy"}, {"userId": "u9", "eventName": "x"}]
    )
    assert (answer["successCount"], answer["failCount"], answer["disallowedEventNames"]) == (1, 1, [])
    found = client.call("getUserEventsByEmail", email=ANN, limit=5)["events"]
    assert [(each["eventType"], each["eventName"], each["dataFields"]) for each in found] == [
        ("customEvent", "buy", {}), ("customEvent", "visit", {"page": 3}),
    ]  # fmt: skip
    api.post("users/update", email=ANN, dataFields={"userId": "u1"})
    assert len(client.call("getUserEventsByUserId", userId="u1")["events"]) == 2


def test_errors(client: OfficialClient, api: Api) -> None:
    """The client reads errors by status, with the code of the answer."""

    def error(method: str, **parameters: Any) -> tuple[str, int | None, str | None]:
        with pytest.raises(ClientError) as raised:
            client.call(method, **parameters)
        return raised.value.kind, raised.value.status, raised.value.code

    kind = "IterableApiError"
    assert error("subscribeUserToList", listId=999, subscribers=[{"email": ANN}]) == (kind, 400, "Success")
    assert error("getUserByEmail", email="nobody") == (kind, 400, "InvalidEmailAddressError")
    api.post("users/update", email=ANN, dataFields={"score": 1})
    mismatch = error("updateUser", email=ANN, dataFields={"score": "high"})
    assert mismatch == (kind, 400, "RequestFieldsTypesMismatched")
    api.box.fail("lists", "GET", status=429)
    assert error("getLists") == (kind, 429, "RateLimitExceeded")
    api.box.fail("lists", "GET", status=500)
    assert error("getLists") == (kind, 500, "GenericError")
    api.box.plain_refusals = True
    api.box.fail("lists", "GET", status=429)
    assert error("getLists") == ("IterableRawError", 429, None)
    assert error("getTemplates") == ("IterableRawError", 404, None)


def test_a_wrong_key_is_reported(api: Api) -> None:
    """The client reports an unknown key."""
    with OfficialClient(api.box.url, "other") as client, pytest.raises(ClientError, match="Invalid API key") as raised:
        client.call("getLists")
    assert (raised.value.status, raised.value.code) == (401, "BadApiKey")


def test_users_of_a_project_of_user_ids(projects: Projects) -> None:
    """The client writes a user by userId and reads it."""
    api = projects("hybrid")
    with OfficialClient(api.box.url, KEY) as client:
        client.call("updateUser", userId="u1", dataFields={"email": ANN, "plan": "pro"})
        assert client.call("getUserByUserId", userId="u1")["user"]["dataFields"]["plan"] == "pro"
        assert client.call("getUserByEmail", email=ANN)["user"]["userId"] == "u1"


def download(url: str) -> list[str]:
    """Return the lines of a file, without a key."""
    return requests.get(url, timeout=20).text.splitlines()


def test_catalogs(client: OfficialClient) -> None:
    """The client creates a catalog, fills, pages and reads it, and deletes items."""
    client.call("createCatalog", catalogName="Stores")
    documents = {f"s{number}": {"city": "Köln", "size": number} for number in range(3)}
    client.call("replaceCatalogItems", catalogName="Stores", documents=documents)
    client.call("partialUpdateCatalogItems", catalogName="Stores", documents={"s1": {"size": 9}})
    page = client.call("getCatalogItems", catalogName="Stores", page=1, pageSize=2)
    assert [(each["itemId"], each["value"]) for each in page["catalogItemsWithProperties"]] == [
        ("s0", {"city": "Köln", "size": 0}), ("s1", {"city": "Köln", "size": 9}),
    ]  # fmt: skip
    assert (page["totalItemsCount"], "nextPageUrl" in page) == (3, True)
    mappings = client.call("getCatalogFieldMappings", catalogName="Stores")
    assert mappings == {"definedMappings": {"city": "string", "size": "long"}, "undefinedFields": []}
    client.call("deleteCatalogItem", catalogName="Stores", itemId="s0")
    with pytest.raises(ClientError):
        client.call("getCatalogItem", catalogName="Stores", itemId="s0")
    assert client.call("getCatalogs")["catalogNames"] == [{"name": "Stores"}]

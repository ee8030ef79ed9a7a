"""Catalogs of Iterable's sandbox: typed items, page by page."""

from cdp_sync_tests.sandbox.iterable.conftest import NOON, Api, refused


def test_items_are_listed_page_by_page(api: Api) -> None:
    """Ten by default, up to 1,000; the last page has no link to another."""
    assert api.post("catalogs/Stores").ok
    for first in (0, 1000):
        documents = {f"s{number:04}": {"city": "Köln"} for number in range(first, first + 1000)}
        assert api.post("catalogs/Stores/items", documents=documents).ok
    assert len(api.get("catalogs/Stores/items").json()["params"]["catalogItemsWithProperties"]) == 10
    seen, page = [], 1
    while True:
        found = api.get("catalogs/Stores/items", page=page, pageSize=1000).json()["params"]
        seen += [item["itemId"] for item in found["catalogItemsWithProperties"]]
        if "nextPageUrl" not in found:
            break
        page += 1
    assert (page, seen, found["totalItemsCount"]) == (2, [f"s{number:04}" for number in range(2000)], 2000)
    assert refused(api.get("catalogs/Stores/items", pageSize=1001)) == (400, "BadParams")
    assert found["catalogItemsWithProperties"][0]["lastModified"] == NOON * 1000


def test_fields_have_types(api: Api) -> None:
    """The first value decides; a value of another type, a period in a name and too many items are refused."""
    api.post("catalogs/Stores")
    api.post("catalogs/Stores/items", documents={"s1": {"size": 3}})
    assert api.get("catalogs/Stores/fieldMappings").json()["params"]["definedMappings"] == {"size": "long"}
    wrong = api.post("catalogs/Stores/items", documents={"s2": {"size": "big"}})
    assert refused(wrong) == (400, "RequestFieldsTypesMismatched")
    assert refused(api.post("catalogs/Stores/items", documents={"s2": {"a.b": 1}})) == (400, "BadParams")
    many = {f"s{number}": {"size": 1} for number in range(1001)}
    assert refused(api.post("catalogs/Stores/items", documents=many)) == (400, "BatchTooLarge")


def test_catalogs_and_items_go(api: Api) -> None:
    """Items are merged or replaced, and deleted; what is not there is 404."""
    api.post("catalogs/Stores")
    api.post("catalogs/Stores/items", documents={"s1": {"city": "Köln", "size": 3}})
    api.post("catalogs/Stores/items", documents={"s1": {"size": 4}}, replaceUploadedFieldsOnly=True)
    assert api.get("catalogs/Stores/items/s1").json()["value"] == {"city": "Köln", "size": 4}
    api.post("catalogs/Stores/items", documents={"s1": {"size": 5}})
    assert api.get("catalogs/Stores/items/s1").json()["value"] == {"size": 5}
    assert api.delete("catalogs/Stores/items/s1").ok
    assert refused(api.get("catalogs/Stores/items/s1")) == (404, "NotFound")
    assert api.get("catalogs").json()["params"]["catalogNames"] == [{"name": "Stores"}]
    assert api.delete("catalogs/Stores").ok
    assert refused(api.get("catalogs/Stores/items")) == (404, "NotFound")

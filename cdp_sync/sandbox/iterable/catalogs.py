"""The endpoints `catalogs`: collections of items with typed fields, page by page."""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdp_sync.sandbox.api import Call, Refused, check
from cdp_sync.sandbox.iterable.fields import Fields, Registry
from cdp_sync.sandbox.iterable.users import SUCCESS

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

_NAME = re.compile(r"[a-zA-Z0-9-]{1,255}")
"""The names of catalogs, and the ids of items."""
_MOST_ITEMS, _LARGEST_PAGE, _MOST_FIELDS = 1000, {"catalogs": 100, "items": 1000}, 1000


@dataclass(slots=True)
class Item:
    """An item of a catalog."""

    value: Fields
    modified: float


@dataclass(slots=True)
class Catalog:
    """A catalog: its items by id, and the types of their fields."""

    name: str
    items: dict[str, Item] = field(default_factory=dict)
    types: Registry = field(default_factory=lambda: Registry("catalog", {}, _MOST_FIELDS))

    def write(self, item_id: str, value: Fields, now: float, *, replace: bool) -> None:
        """Add or change an item; raise Refused where a name or a type is wrong."""
        check(_NAME.fullmatch(item_id), "An id has letters, digits and dashes, 255 at most", "BadParams")
        check(not any("." in name for name in value), "Names of fields must not contain periods", "BadParams")
        checked = self.types.check(value, create=True)
        self.types.accept(checked)
        former = self.items.get(item_id)
        kept = {} if replace or former is None else former.value
        self.items[item_id] = Item({**kept, **checked.values}, now)

    def described(self, item_id: str) -> Fields:
        """Return what answers say of an item."""
        item = self.items[item_id]
        size = len(json.dumps(item.value))
        modified = int(item.modified * 1000)
        return {
            "catalogName": self.name, "itemId": item_id, "lastModified": modified, "size": size, "value": item.value,
        }  # fmt: skip


def read_catalogs(box: "IterableSandbox", call: Call) -> Fields:
    """Return a page of the names of catalogs."""
    names, links = _page(call, sorted(box.catalogs), "catalogs")
    total = len(box.catalogs)
    return _answer({"catalogNames": [{"name": name} for name in names], "totalCatalogsCount": total, **links})


def create_catalog(box: "IterableSandbox", call: Call) -> Fields:
    """Create a catalog."""
    name = call.request.path_params["catalog"]
    check(_NAME.fullmatch(name), "A name has letters, digits and dashes, 255 at most", "BadParams")
    check(name not in box.catalogs, f"Catalog {name} exists", "BadParams")
    box.catalogs[name] = Catalog(name)
    return SUCCESS


def delete_catalog(box: "IterableSandbox", call: Call) -> Fields:
    """Delete a catalog."""
    del box.catalogs[_catalog(box, call).name]
    return SUCCESS


def read_field_mappings(box: "IterableSandbox", call: Call) -> Fields:
    """Return the types of fields; objects have their own fields beside them."""
    return _answer({"definedMappings": _catalog(box, call).types.types, "undefinedFields": []})


def read_items(box: "IterableSandbox", call: Call) -> Fields:
    """Return a page of items with their values, by id."""
    catalog = _catalog(box, call)
    names, links = _page(call, sorted(catalog.items), "items")
    found = [catalog.described(name) for name in names]
    return _answer({"catalogItemsWithProperties": found, "totalItemsCount": len(catalog.items), **links})


def write_items(box: "IterableSandbox", call: Call) -> Fields:
    """Add or change items."""
    catalog, documents = _catalog(box, call), call.body.get("documents")
    check(isinstance(documents, dict) and documents, "documents is required", "BadParams")
    check(len(documents) <= _MOST_ITEMS, f"At most {_MOST_ITEMS} items", "BatchTooLarge")
    for item_id, value in documents.items():
        catalog.write(item_id, value, box.clock(), replace=not call.body.get("replaceUploadedFieldsOnly"))
    return SUCCESS


def read_item(box: "IterableSandbox", call: Call) -> Fields:
    """Return an item."""
    return _item(box, call)[0].described(_item(box, call)[1])


def write_item(box: "IterableSandbox", call: Call) -> Fields:
    """Add or replace an item, or with PATCH change some of its fields."""
    item_id, replace = call.request.path_params["item"], call.method == "PUT"
    value = call.body.get("value" if replace else "update") or {}
    _catalog(box, call).write(item_id, value, box.clock(), replace=replace)
    return SUCCESS


def delete_item(box: "IterableSandbox", call: Call) -> Fields:
    """Delete an item."""
    catalog, item_id = _item(box, call)
    del catalog.items[item_id]
    return SUCCESS


def _catalog(box: "IterableSandbox", call: Call) -> Catalog:
    name = call.request.path_params["catalog"]
    if name not in box.catalogs:
        raise Refused(404, f"Catalog {name} does not exist", "NotFound")
    return box.catalogs[name]


def _item(box: "IterableSandbox", call: Call) -> tuple[Catalog, str]:
    catalog, item_id = _catalog(box, call), call.request.path_params["item"]
    if item_id not in catalog.items:
        raise Refused(404, f"Item {item_id} does not exist", "NotFound")
    return catalog, item_id


def _page(call: Call, names: list[str], kind: str) -> tuple[list[str], Fields]:
    """Return the names of a page, and the links to the pages beside it."""
    query = call.request.query_params
    page, size = query.get("page", "1"), query.get("pageSize", "10")
    check(page.isdecimal() and int(page) >= 1, f"Invalid page: {page}", "BadParams")
    check(size.isdecimal() and 1 <= int(size) <= _LARGEST_PAGE[kind], f"Invalid pageSize: {size}", "BadParams")
    number, length = int(page), int(size)
    begins = (number - 1) * length
    path = call.request.url.path
    links = {}
    if begins + length < len(names):
        links["nextPageUrl"] = f"{path}?page={number + 1}&pageSize={length}"
    if number > 1:
        links["previousPageUrl"] = f"{path}?page={number - 1}&pageSize={length}"
    return names[begins : begins + length], links


def _answer(params: Fields) -> Fields:
    return {"msg": "", "code": "Success", "params": params}

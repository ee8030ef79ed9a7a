"""The endpoint `list`, and `settings`, which names lists too."""

from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Call, Refused
from cdp_sync.sandbox.sailthru.account import Account, MailingList, missing
from cdp_sync.sandbox.sailthru.form import Asked, mapping, text
from cdp_sync.sandbox.sailthru.smart import check_query
from cdp_sync.sandbox.sailthru.times import rfc2822

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_TYPES = frozenset({"", "normal", "natural", "smart"})
_MOST_PRIMARY = 50


def read_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return one list, or all of them."""
    account, asked = box.account, call.body.asked
    if not (text(asked, "list") or text(asked, "list_id")):
        primary = str(asked.get("primary", 0)) == "1"
        return {"lists": [_brief(account, found) for found in account.lists.values() if found.primary or not primary]}
    found = find(account, asked)
    details = {"vars": found.vars or None, "public_name": found.public_name}
    return {
        "list_id": found.list_id,
        "list": found.name,
        "create_time": rfc2822(found.created, account.zone),
        "send_time": None,
        "count": len(account.members(found)),
        "type": found.type,
        "primary": found.primary,
        **(details if mapping(asked, "fields").get("vars") else {}),
    }


def save_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Create or change a list."""
    account, asked = box.account, call.body.asked
    query = mapping(asked, "query")
    primary = str(asked.get("primary", 0)) in {"1", "True"}
    found = find(account, asked) if text(asked, "list_id") else account.lists.get(text(asked, "list"))
    if found is None and not text(asked, "list"):
        raise missing("list")
    if text(asked, "type") not in _TYPES:
        raise Refused(400, f"Invalid list type: {asked['type']}")
    if primary and sum(known.primary for known in account.lists.values()) >= _MOST_PRIMARY:
        raise Refused(400, "Too many primary lists")
    if query:
        check_query(query)
    vars_ = mapping(asked, "vars")
    found = found or account.add_list(text(asked, "list"), type=text(asked, "type"), query=query)
    found.vars = found.vars | vars_
    if "primary" in asked:
        found.primary = primary
    if "public_name" in asked:
        found.public_name = asked["public_name"]
    if found.type == "smart" and query:
        found.query = query
    account.changes += 1
    kind = "natural" if found.type == "normal" else found.type
    return {"list": found.name, "type": kind, "list_id": found.list_id}


def delete_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Delete a list."""
    found = find(box.account, call.body.asked)
    box.account.remove_list(found)
    return {"list": found.name, "ok": True}


def read_settings(box: "SailthruSandbox", _call: Call) -> dict[str, Any]:
    """Return the account's settings."""
    links = {"link_domain": "link.example.com", "horizon_domain": "horizon.example.com", "site_domain": "example.com"}
    return {
        "domains": {"http://example.com": links},
        "from_emails": ["news@example.com"],
        "lists_primary": [found.name for found in box.account.lists.values() if found.primary],
        "timezone": box.zone.key,
        "id": 99999,
        "beacon_image": "3sd/1jz/x.png",
    }


def find(account: Account, asked: Asked) -> MailingList:
    """Return the list with a name or an id.

    Raises:
        Refused: There is none.
    """
    name, list_id = text(asked, "list"), text(asked, "list_id")
    if not name and not list_id:
        raise missing("list")
    for found in account.lists.values() if list_id else ():
        if found.list_id == list_id:
            return found
    if list_id or name not in account.lists:
        raise Refused(404, f"Unknown list: {name or list_id}", 15)
    return account.lists[name]


def _brief(account: Account, found: MailingList) -> dict[str, Any]:
    members = len(account.members(found))
    return {
        "list_id": found.list_id,
        "name": found.name,
        "email_count": members,
        "valid_count": members,
        "create_time": rfc2822(found.created, account.zone),
        "type": found.type,
    }

"""The endpoint `list`, and `settings`, which names lists too."""

from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Call, Refused, check, mapping, text
from cdp_sync.sandbox.sailthru.account import Account, MailingList, check_query
from cdp_sync.sandbox.sailthru.parameters import needed, parameters

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox


def read_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return one list, or all of them."""
    account, asked = box.account, parameters(call)
    if not (text(asked, "list") or text(asked, "list_id")):
        chosen = [found for found in account.lists.values() if found.primary or not _is_primary(asked)]
        return {"lists": [summary(account, found, "name", "email_count", "valid_count") for found in chosen]}
    found = find(account, asked)
    details = {"vars": found.vars or None, "public_name": found.public_name}
    answer = summary(account, found, "list", "count") | {"send_time": None, "primary": found.primary}
    return answer | (details if mapping(asked, "fields").get("vars") else {})


def save_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Create or change a list."""
    account, asked = box.account, parameters(call)
    found = find(account, asked) if text(asked, "list_id") else account.lists.get(needed(asked, "list"))
    vars_, query, kind = mapping(asked, "vars"), mapping(asked, "query"), text(asked, "type")
    check(kind in ("", "normal", "natural", "smart"), f"Invalid list type: {kind}")
    if query:
        check_query(query)
    found = found or account.add_list(text(asked, "list"), type=kind, query=query)
    found.vars |= vars_
    found.primary = _is_primary(asked) if "primary" in asked else found.primary
    found.public_name = asked.get("public_name", found.public_name)
    found.query = query if query and found.type == "smart" else found.query
    return {"list": found.name, "type": "natural" if found.type == "normal" else found.type, "list_id": found.list_id}


def delete_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Delete a list."""
    found = find(box.account, parameters(call))
    box.account.remove_list(found)
    return {"list": found.name, "ok": True}


def read_settings(box: "SailthruSandbox", _call: Call) -> dict[str, Any]:
    """Return the account's settings."""
    primary = [found.name for found in box.account.lists.values() if found.primary]
    return {"from_emails": ["news@example.com"], "lists_primary": primary, "timezone": box.zone.key, "id": 99999}


def find(account: Account, asked: Asked) -> MailingList:
    """Return the list with a name or an id."""
    list_id = text(asked, "list_id")
    name = list_id or needed(asked, "list")
    by_id = (found for found in account.lists.values() if found.list_id == list_id)
    found = next(by_id, None) if list_id else account.lists.get(name)
    if found is None:
        raise Refused(404, f"Unknown list: {name}", 15)
    return found


def summary(account: Account, found: MailingList, name: str, *counts: str) -> dict[str, Any]:
    """Return what all answers say of a list, with its name and its count under these names."""
    counted = dict.fromkeys(counts, len(account.members(found))) | account.times({"create_time": found.created})
    return {"list_id": found.list_id, name: found.name, "type": found.type, **counted}


def _is_primary(asked: Asked) -> bool:
    return str(asked.get("primary", 0)) in {"1", "True"}

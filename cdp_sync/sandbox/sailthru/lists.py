"""The endpoint `list`, and `settings`, which names lists too."""

from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Call, Refused
from cdp_sync.sandbox.sailthru.account import Account, MailingList
from cdp_sync.sandbox.sailthru.parameters import Asked, mapping, needed, parameters, text
from cdp_sync.sandbox.sailthru.smart import check_query

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_TYPES = ("", "normal", "natural", "smart")


def read_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return one list, or all of them."""
    account, asked = box.account, parameters(call)
    if text(asked, "list") or text(asked, "list_id"):
        found = find(account, asked)
        one = {"list": found.name, "send_time": None, "count": len(account.members(found)), "primary": found.primary}
        details = {"vars": found.vars or None, "public_name": found.public_name}
        return _common(account, found) | one | (details if mapping(asked, "fields").get("vars") else {})
    lists = [found for found in account.lists.values() if found.primary or not _is_primary(asked)]
    return {"lists": [_common(account, found) | _among_all(account, found) for found in lists]}


def save_list(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Create or change a list."""
    account, asked = box.account, parameters(call)
    found = find(account, asked) if text(asked, "list_id") else account.lists.get(needed(asked, "list"))
    vars_, query, kind = mapping(asked, "vars"), mapping(asked, "query"), text(asked, "type")
    if kind not in _TYPES:
        raise Refused(400, f"Invalid list type: {kind}")
    if query:
        check_query(query)
    found = found or account.add_list(text(asked, "list"), type=kind, query=query)
    found.vars |= vars_
    found.primary = _is_primary(asked) if "primary" in asked else found.primary
    found.public_name = asked.get("public_name", found.public_name)
    found.query = query if query and found.type == "smart" else found.query
    account.changes += 1
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
    """Return the list with a name or an id, or raise Refused."""
    list_id = text(asked, "list_id")
    name = list_id or needed(asked, "list")
    by_id = (found for found in account.lists.values() if found.list_id == list_id)
    found = next(by_id, None) if list_id else account.lists.get(name)
    if found is None:
        raise Refused(404, f"Unknown list: {name}", 15)
    return found


def _common(account: Account, found: MailingList) -> dict[str, Any]:
    return {"list_id": found.list_id, "type": found.type, **account.times({"create_time": found.created})}


def _among_all(account: Account, found: MailingList) -> dict[str, Any]:
    members = len(account.members(found))
    return {"name": found.name, "email_count": members, "valid_count": members}


def _is_primary(asked: Asked) -> bool:
    return str(asked.get("primary", 0)) in {"1", "True"}

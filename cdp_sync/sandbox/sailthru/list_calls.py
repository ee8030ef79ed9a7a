"""The endpoint `list`, and `settings`, which tells of lists too."""

from typing import Any

from cdp_sync.sandbox.sailthru.account import Account
from cdp_sync.sandbox.sailthru.asking import Parameters, mapping, text
from cdp_sync.sandbox.sailthru.people import MailingList
from cdp_sync.sandbox.sailthru.refusal import invalid, missing, unknown_list
from cdp_sync.sandbox.sailthru.smart import check_query
from cdp_sync.sandbox.sailthru.state import Scene
from cdp_sync.sandbox.sailthru.times import rfc2822

_TYPES = frozenset({"", "normal", "natural", "smart"})
_MOST_PRIMARY = 50


def get(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Read one list, or all of them."""
    account = scene.account
    if text(asked, "list") or text(asked, "list_id"):
        return _one(account, find(account, asked), with_vars=bool(mapping(asked.get("fields"), "fields").get("vars")))
    primary = str(asked.get("primary", 0)) == "1"
    return {"lists": [_brief(account, found) for found in account.lists.values() if found.primary or not primary]}


def post(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Create or change a list."""
    account = scene.account
    found = _named(account, asked)
    _check(account, asked, found)
    if found is None:
        found = account.add_list(text(asked, "list"), type=text(asked, "type"), query=_query(asked))
    _change(account, found, asked)
    kind = "natural" if found.type == "normal" else found.type
    return {"list": found.name, "type": kind, "list_id": found.list_id}


def delete(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Delete a list."""
    found = find(scene.account, asked)
    scene.account.remove_list(found)
    return {"list": found.name, "ok": True}


def settings(scene: Scene, _asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Read the account's settings."""
    links = {"link_domain": "link.example.com", "horizon_domain": "horizon.example.com", "site_domain": "example.com"}
    primary = [found.name for found in scene.account.lists.values() if found.primary]
    return {
        "domains": {"http://example.com": links},
        "from_emails": ["news@example.com"],
        "lists_primary": primary,
        "timezone": scene.account.zone.key,
        "id": 99999,
        "beacon_image": "3sd/1jz/x.png",
    }


def find(account: Account, asked: Parameters) -> MailingList:
    """Return the list that is meant by its name or its id.

    Raises:
        Refused: There is none.
    """
    found = _named(account, asked)
    if found is None:
        if not text(asked, "list") and not text(asked, "list_id"):
            raise missing("list")
        raise unknown_list(text(asked, "list") or text(asked, "list_id"))
    return found


def _named(account: Account, asked: Parameters) -> MailingList | None:
    if text(asked, "list_id"):
        meant = [found for found in account.lists.values() if found.list_id == asked["list_id"]]
        return meant[0] if meant else None
    return account.lists.get(text(asked, "list"))


def _check(account: Account, asked: Parameters, found: MailingList | None) -> None:
    if text(asked, "list_id") and found is None:
        raise unknown_list(text(asked, "list_id"))
    if found is None and not text(asked, "list"):
        raise missing("list")
    if text(asked, "type") not in _TYPES:
        raise invalid(f"Invalid list type: {asked['type']}")
    if _is_primary(asked) and sum(known.primary for known in account.lists.values()) >= _MOST_PRIMARY:
        raise invalid("Too many primary lists")
    if _query(asked):
        check_query(_query(asked))


def _change(account: Account, found: MailingList, asked: Parameters) -> None:
    if "primary" in asked:
        found.primary = _is_primary(asked)
    if "public_name" in asked:
        found.public_name = asked["public_name"]
    if found.type == "smart" and _query(asked):
        found.query = _query(asked)
    found.vars = found.vars | mapping(asked.get("vars"), "vars")
    account.changes += 1


def _is_primary(asked: Parameters) -> bool:
    return str(asked.get("primary", 0)) in {"1", "True"}


def _query(asked: Parameters) -> dict[str, Any]:
    return mapping(asked.get("query"), "query")


def _brief(account: Account, found: MailingList) -> dict[str, Any]:
    members = account.members(found)
    return {
        "list_id": found.list_id,
        "name": found.name,
        "email_count": len(members),
        "valid_count": len(members),
        "create_time": rfc2822(found.created, account.zone),
        "type": found.type,
    }


def _one(account: Account, found: MailingList, *, with_vars: bool) -> dict[str, Any]:
    told = {
        "list_id": found.list_id,
        "list": found.name,
        "create_time": rfc2822(found.created, account.zone),
        "send_time": None,
        "count": len(account.members(found)),
        "type": found.type,
        "primary": found.primary,
    }
    return told | ({"vars": found.vars or None, "public_name": found.public_name} if with_vars else {})

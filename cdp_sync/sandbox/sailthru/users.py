"""The endpoint `user`, and how any line of an `update` job changes a user. Whatever is not valid raises Refused."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Call, Refused, check, mapping, text
from cdp_sync.sandbox.api.times import read_moment
from cdp_sync.sandbox.sailthru.account import KEYS, Account, User, matches
from cdp_sync.sandbox.sailthru.parameters import needed, parameters

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_SID = re.compile(r"[0-9a-f]{24}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SWITCHES = {**dict.fromkeys(("1", "True", "true"), True), **dict.fromkeys(("0", "False", "false", "", "None"), False)}
_SCRUB = str.maketrans(" ", "_", "%-.$")


def read_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return one user, as it was where a change is not visible yet."""
    asked = parameters(call)
    key, value = address(asked)
    user = box.visible.seen((key, value), box.account.find(key, value))
    if user is None:
        raise _unknown(key, value)
    return _described(box.account, user, asked, "keys", "vars", "lists", "engagement", "optout_email")


def save_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Create or change one user."""
    asked = parameters(call)
    found = box.account.find(*address(asked))
    before = replace(found) if found else None
    user = write(box.account, asked)
    box.visible.hide({*user.keys.items(), *(before.keys.items() if before else ())}, before, box.visible_after)
    return {**_described(box.account, user, asked), "ok": True}


def delete_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Delete one user."""
    key, value = address(parameters(call))
    user = box.account.find(key, value)
    if user is None:
        raise _unknown(key, value, status=404)
    box.account.remove(user)
    box.visible.hide(user.keys.items(), user, box.visible_after)
    return {"ok": True}


def address(asked: Asked) -> tuple[str, str]:
    """Return key and value of a user. Without `key`, 24 hexadecimal digits are a sid, all else is an address."""
    value = needed(asked, "id")
    key = text(asked, "key") or ("sid" if _SID.fullmatch(value) else "email")
    check(key in ("sid", "cookie", *KEYS), f"Invalid key: {key}")
    return key, (_email(value) if key == "email" else value)


def write(account: Account, asked: Asked) -> User:
    """Create or change one user; nothing is changed where anything is refused."""
    key, value = address(asked)
    keys, lists, signup = _keys(asked), _lists(account, asked), _signup(account, asked)
    variables = {_scrubbed(name): given for name, given in mapping(asked, "vars").items()}
    optout = text(asked, "optout_email") or text(asked, "optout")
    check(optout in ("", "none", "basic", "blast", "all"), f"Invalid optout_email: {optout}")
    user = account.find(key, value)
    if user is None and key not in KEYS:
        raise _unknown(key, value)
    if keys or user is None:
        user = _identified(account, user, keys if user else {key: value, **keys}, text(asked, "keysconflict"))
    user.vars = user.vars | variables
    for name, on in lists.items():
        if on:
            account.subscribe(user, name, account.now if signup is None else signup)
        else:
            account.unsubscribe(user, name)
    user.activity = user.activity | ({} if signup is None else {"signup_time": signup})
    if optout:
        user.optout_email, user.optout_time = optout, None if optout == "none" else account.now
    return user


def _identified(account: Account, user: User | None, keys: dict[str, str], conflict: str) -> User:
    """Return the user with these keys: the named one, one that has a key, or a new one."""
    owners = [account.find(key, value) for key, value in keys.items()]
    others = list({owner.sid: owner for owner in owners if owner and owner is not user}.values())
    check(not others or conflict == "merge", f"Key conflict: {', '.join(keys)} belong to another user", status=409)
    kept = user or (others.pop(0) if others else account.add_user())
    for other in others:
        account.merge(kept, other)
    account.set_keys(kept, keys)
    return kept


def _keys(asked: Asked) -> dict[str, str]:
    given, conflict = mapping(asked, "keys"), text(asked, "keysconflict")
    check(conflict in ("", "merge", "error"), f"Invalid keysconflict: {conflict}")
    for key in given.keys() - {"sid", "cookie", *KEYS}:
        raise Refused(400, f"Invalid key: {key}")
    # The sid and the cookie are not set; an empty value leaves a key as it is.
    return {key: _email(given[key]) if key == "email" else str(given[key]) for key in KEYS if text(given, key)}


def _email(value: object) -> str:
    check(_EMAIL.fullmatch(str(value)), f"Invalid email: {value}", 11)
    return str(value).lower()


@lru_cache(maxsize=65536)
def _scrubbed(name: str) -> str:
    check(name and len(name) <= 32 and not name[0].isdigit(), f"Invalid var name: {name}")
    return name.translate(_SCRUB)


def _lists(account: Account, asked: Asked) -> dict[str, bool]:
    given = mapping(asked, "lists")
    for name, value in given.items():
        check(str(value) in _SWITCHES, f"Invalid value for list {name}: 1 or 0 is needed")
        account.check_natural(name)
    return {name: _SWITCHES[str(value)] for name, value in given.items()}


def _signup(account: Account, asked: Asked) -> int | None:
    try:
        return None if asked.get("signup_date") is None else read_moment(asked["signup_date"], account.zone)
    except ValueError:
        raise Refused(400, f"Invalid time: {asked['signup_date']}", 18) from None


def _unknown(key: str, value: str, *, status: int = 400) -> Refused:
    """Return the refusal of a user that does not exist: 400 to a reader, 404 to a deletion."""
    return Refused(status, f"User not found with {key}: {value}")


def _described(account: Account, user: User, asked: Asked, *usual: str) -> dict[str, Any]:
    """Return the fields that are asked for by name, or else the usual ones."""
    wanted = [name for name, want in mapping(asked, "fields").items() if want not in (0, "0")] or usual
    if not wanted:
        return {}
    smart = [found for found in account.lists.values() if found.type == "smart" and "smart_lists" in wanted]
    every = {
        "keys": user.keys,
        "vars": user.vars or None,
        "lists": account.times(user.lists) or None,
        "smart_lists": [found.name for found in smart if matches(found.query, user)],
        "engagement": user.engagement,
        "optout_email": user.optout_email,
        "activity": account.times({"create_time": user.created, **user.activity}),
        "lifetime": user.lifetime or None,
        "purchases": [],
    }
    return {name: every[name] for name in wanted if name in every}

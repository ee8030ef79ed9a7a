"""The endpoint `user`, and how any line of an `update` job changes a user."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Call, Refused
from cdp_sync.sandbox.sailthru.account import KEYS, Account, User, missing
from cdp_sync.sandbox.sailthru.form import Asked, mapping, text
from cdp_sync.sandbox.sailthru.smart import matches
from cdp_sync.sandbox.sailthru.times import moment

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.sandbox import SailthruSandbox

_SID = re.compile(r"[0-9a-f]{24}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_OPTOUTS = frozenset({"", "none", "basic", "blast", "all"})
_SWITCH = {"1": True, "True": True, "true": True, "0": False, "False": False, "false": False, "": False, "None": False}
_SCRUB = str.maketrans(" ", "_", "%-.$")


def read_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Return one user, as it was where a change is not visible yet."""
    key, value = address(call.body.asked)
    user = box.visible.seen((key, value), box.account.find(key, value))
    if user is None:
        raise _unknown(key, value)
    return _described(box.account, user, _wanted(call.body.asked) or _USUAL)


def save_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Create or change one user."""
    key, value = address(call.body.asked)
    found = box.account.find(key, value)
    before = replace(found) if found else None
    user = write(box.account, call.body.asked)
    _hide(box, user, before)
    return {**_described(box.account, user, _wanted(call.body.asked)), "ok": True}


def delete_user(box: "SailthruSandbox", call: Call) -> dict[str, Any]:
    """Delete one user."""
    key, value = address(call.body.asked)
    user = box.account.find(key, value)
    if user is None:
        raise _unknown(key, value, status=404)
    box.account.remove(user)
    _hide(box, user, user)
    return {"ok": True}


def address(asked: Asked) -> tuple[str, str]:
    """Return the key and the value that name a user.

    Without `key`, 24 hexadecimal digits are a sid and everything else is an e-mail address.

    Raises:
        Refused: There is none, or it is not valid.
    """
    value = text(asked, "id")
    if not value:
        raise missing("id")
    key = text(asked, "key") or ("sid" if _SID.fullmatch(value) else "email")
    _check_key(key)
    return key, (_email(value) if key == "email" else value)


def write(account: Account, asked: Asked) -> User:
    """Create or change one user; nothing is changed where anything is refused.

    Raises:
        Refused: A user cannot be created by that key, another user has a key, or a value is not valid.
    """
    key, value = address(asked)
    keys, lists, variables = _keys(asked), _lists(account, mapping(asked, "lists")), _vars(mapping(asked, "vars"))
    optout = text(asked, "optout_email") or text(asked, "optout")
    if optout not in _OPTOUTS:
        raise Refused(400, f"Invalid optout_email: {optout}")
    signup = None if asked.get("signup_date") is None else moment(asked["signup_date"], account.zone)
    user = account.find(key, value)
    if user is None and key not in KEYS:
        raise _unknown(key, value)
    if keys or user is None:
        user = _identified(account, user, keys if user else {key: value, **keys}, text(asked, "keysconflict"))
    if variables:
        user.vars = user.vars | variables
        account.changes += 1
    for name, on in lists.items():
        if on:
            account.subscribe(user, name, account.now if signup is None else signup)
        else:
            account.unsubscribe(user, name)
    if signup is not None:
        user.activity = user.activity | {"signup_time": signup}
    if optout:
        user.optout_email, user.optout_time = optout, None if optout == "none" else account.now
    return user


def _identified(account: Account, user: User | None, keys: dict[str, str], conflict: str) -> User:
    """Return the user with these keys: the one that was named, another one, or a new one."""
    owners = [account.find(key, value) for key, value in keys.items()]
    others = list({owner.sid: owner for owner in owners if owner and owner is not user}.values())
    if others and conflict != "merge":
        raise Refused(409, f"Key conflict: {', '.join(keys)} belong to another user")
    kept = user or (others.pop(0) if others else account.add_user())
    for other in others:
        account.merge(kept, other)
    for key, value in keys.items():
        if getattr(kept, key) != value:
            account.set_key(kept, key, value)
    return kept


def _keys(asked: Asked) -> dict[str, str]:
    given, conflict = mapping(asked, "keys"), text(asked, "keysconflict")
    if conflict not in {"", "merge", "error"}:
        raise Refused(400, f"Invalid keysconflict: {conflict}")
    for key in given:
        _check_key(key)
    # The sid and the cookie are not set; an empty value leaves a key as it is.
    return {key: _email(given[key]) if key == "email" else str(given[key]) for key in KEYS if text(given, key)}


def _check_key(key: str) -> None:
    if key not in ("sid", "cookie", *KEYS):
        raise Refused(400, f"Invalid key: {key}")


def _email(value: object) -> str:
    if not _EMAIL.fullmatch(str(value)):
        raise Refused(400, f"Invalid email: {value}", 11)
    return str(value).lower()


def _vars(given: Asked) -> Asked:
    return {_scrubbed(name): value for name, value in given.items()}


@lru_cache(maxsize=65536)
def _scrubbed(name: str) -> str:
    if len(name) > 32 or not name or name[0].isdigit():
        raise Refused(400, f"Invalid var name: {name}")
    return name.translate(_SCRUB)


def _lists(account: Account, given: Asked) -> dict[str, bool]:
    for name, value in given.items():
        if str(value) not in _SWITCH:
            raise Refused(400, f"Invalid value for list {name}: 1 or 0 is needed")
    found = {name: _SWITCH[str(value)] for name, value in given.items()}
    for name, on in found.items():
        account.check_natural(name, new=on)
    return found


def _unknown(key: str, value: str, *, status: int = 400) -> Refused:
    """Return the refusal of a user that does not exist: 400 to a reader, 404 to a deletion."""
    return Refused(status, f"User not found with {key}: {value}")


def _hide(box: "SailthruSandbox", user: User, before: User | None) -> None:
    keys = {*user.keys.items(), *(before.keys.items() if before else ())} if box.visible_after else ()
    box.visible.hide(keys, before, box.visible_after)


def _wanted(asked: Asked) -> tuple[str, ...]:
    return tuple(name for name, want in mapping(asked, "fields").items() if want not in (0, "0"))


def _described(account: Account, user: User, wanted: tuple[str, ...]) -> dict[str, Any]:
    return {name: _FIELDS[name](account, user) for name in wanted if name in _FIELDS}


def _smart_lists(account: Account, user: User) -> list[str]:
    return [found.name for found in account.lists.values() if found.type == "smart" and matches(found.query, user)]


_USUAL = ("keys", "vars", "lists", "engagement", "optout_email")
_FIELDS: dict[str, Callable[[Account, User], Any]] = {
    "keys": lambda _account, user: user.keys,
    "vars": lambda _account, user: user.vars or None,
    "lists": lambda account, user: account.times(user.lists) or None,
    "smart_lists": _smart_lists,
    "engagement": lambda _account, user: user.engagement,
    "optout_email": lambda _account, user: user.optout_email,
    "activity": lambda account, user: account.times({"create_time": user.created, **user.activity}),
    "device": lambda _account, _user: None,
    "lifetime": lambda _account, user: user.lifetime or None,
    "purchases": lambda _account, _user: [],
    "purchase_incomplete": lambda _account, _user: [],
}

"""The endpoint `user`, and what a line of an `update` job says in the same words."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cdp_sync.sandbox.sailthru.account import Account
from cdp_sync.sandbox.sailthru.asking import Parameters, mapping, text
from cdp_sync.sandbox.sailthru.people import KEYS, User, scrubbed
from cdp_sync.sandbox.sailthru.refusal import Refused, invalid, missing, unknown_user
from cdp_sync.sandbox.sailthru.smart import matches
from cdp_sync.sandbox.sailthru.state import Scene
from cdp_sync.sandbox.sailthru.times import moment, rfc2822

_SID = re.compile(r"[0-9a-f]{24}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_OPTOUTS = frozenset({"none", "basic", "blast", "all"})
_USUAL = ("keys", "vars", "lists", "engagement", "optout_email")
_ON = frozenset({"1", "True", "true"})
_OFF = frozenset({"0", "False", "false", ""})


def get(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Read one user, as it was where a change is not visible yet."""
    key, value = address(asked)
    user = scene.visible.seen(key, value, scene.account.find(key, value))
    if user is None:
        raise unknown_user(key, value)
    return _told(scene.account, user, _wanted(asked) or _USUAL)


def post(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Create or change one user."""
    key, value = address(asked)
    before = scene.account.find(key, value)
    copy = replace(before) if before and scene.visible_after else None
    user = write(scene.account, asked)
    scene.visible.later(user, copy, scene.visible_after)
    return {**_told(scene.account, user, _wanted(asked)), "ok": True}


def delete(scene: Scene, asked: Parameters, _file: bytes | None) -> dict[str, Any]:
    """Delete one user."""
    key, value = address(asked)
    user = scene.account.find(key, value)
    if user is None:
        raise unknown_user(key, value, status=404)
    scene.account.remove(user)
    scene.visible.later(user, user, scene.visible_after)
    return {"ok": True}


def address(asked: Parameters) -> tuple[str, str]:
    """Return by which key somebody is meant, and by which value.

    Without `key`, 24 hexadecimal digits are a sid and everything else is an e-mail address.

    Raises:
        Refused: There is none, or it cannot be.
    """
    value = text(asked, "id")
    if not value:
        raise missing("id")
    key = text(asked, "key") or ("sid" if _SID.fullmatch(value) else "email")
    if key not in {"sid", "cookie", *KEYS}:
        raise invalid(f"Invalid key: {key}")
    return key, (_email(value) if key == "email" else value)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed, checked before anything is.

    Attributes:
        keys: New keys by name.
        vars: Custom fields that are set.
        lists: Lists, and whether the user is to be on them.
        optout: The opt-out, where it is given.
        signup: When it signed up, in seconds since 1970, where it is given.
    """

    keys: dict[str, str]
    vars: dict[str, Any]
    lists: dict[str, bool]
    optout: str | None
    signup: int | None

    @classmethod
    def read(cls, account: Account, asked: Parameters) -> "Change":
        """Read a change.

        Raises:
            Refused: Something in it cannot be.
        """
        signup = asked.get("signup_date")
        return cls(
            _keys(asked),
            _vars(mapping(asked.get("vars"), "vars")),
            _lists(account, mapping(asked.get("lists"), "lists")),
            _optout(asked),
            None if signup is None else moment(signup, account.zone),
        )

    def make(self, account: Account, user: User) -> None:
        """Change a user."""
        if self.vars:
            user.vars = user.vars | self.vars
            account.changes += 1
        signup = account.now if self.signup is None else self.signup
        for name, on in self.lists.items():
            if on:
                account.subscribe(user, name, signup)
            else:
                account.unsubscribe(user, name)
        if self.signup is not None:
            user.activity = user.activity | {"signup_time": self.signup}
        if self.optout is not None:
            user.optout_email = self.optout
            user.optout_time = None if self.optout == "none" else account.now


def write(account: Account, asked: Parameters) -> User:
    """Create or change one user; nothing is done where anything is refused.

    Raises:
        Refused: Somebody cannot be created by that key, a key belongs to another, or a value cannot be.
    """
    key, value = address(asked)
    change = Change.read(account, asked)
    user = account.find(key, value)
    if user is None and key not in KEYS:
        raise unknown_user(key, value)
    if change.keys or user is None:
        user = _known(account, user, change.keys if user else {key: value, **change.keys}, asked)
    change.make(account, user)
    return user


def _known(account: Account, user: User | None, keys: dict[str, str], asked: Parameters) -> User:
    owners = [account.find(key, value) for key, value in keys.items()]
    others = list({owner.sid: owner for owner in owners if owner and owner is not user}.values())
    if others and asked.get("keysconflict") != "merge":
        raise Refused(409, 99, f"Key conflict: {', '.join(keys)} belong to another user")
    kept = user or (others.pop(0) if others else account.add_user())
    for other in others:
        account.merge(kept, other)
    for key, value in keys.items():
        if getattr(kept, key) != value:
            account.set_key(kept, key, value)
    return kept


def _keys(asked: Parameters) -> dict[str, str]:
    if "keys" not in asked and "keysconflict" not in asked:
        return {}  # nearly every line of an update
    given = mapping(asked.get("keys"), "keys")
    conflict = text(asked, "keysconflict")
    if conflict not in {"", "merge", "error"}:
        raise invalid(f"Invalid keysconflict: {conflict}")
    for key in given.keys() - {"sid", "cookie", *KEYS}:
        raise invalid(f"Invalid key: {key}")
    # Who a user is and its cookie are not given; what is empty leaves a key as it is.
    wanted = {key: str(given[key]) for key in KEYS if text(given, key)}
    return {key: _email(value) if key == "email" else value for key, value in wanted.items()}


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise Refused(400, 11, f"Invalid email: {value}")
    return value.lower()


def _vars(given: dict[str, Any]) -> dict[str, Any]:
    for name in given:
        if len(name) > 32 or not name or name[0].isdigit():
            raise invalid(f"Invalid var name: {name}")
    return {scrubbed(name): value for name, value in given.items()}


def _lists(account: Account, given: dict[str, Any]) -> dict[str, bool]:
    found = {name: _switch(name, value) for name, value in given.items()}
    for name, on in found.items():
        known = account.lists.get(name)
        if known is not None and known.type == "smart":
            raise invalid(f"Membership of a smart list cannot be set: {name}")
        if on and known is None:
            account.check_list_name(name)
    return found


def _switch(name: str, value: object) -> bool:
    written = "" if value is None else str(value)
    if written not in _ON | _OFF:
        raise invalid(f"Invalid value for list {name}: 1 or 0 is needed")
    return written in _ON


def _optout(asked: Parameters) -> str | None:
    given = text(asked, "optout_email") or text(asked, "optout")
    if given and given not in _OPTOUTS:
        raise invalid(f"Invalid optout_email: {given}")
    return given or None


def _wanted(asked: Parameters) -> tuple[str, ...]:
    return tuple(name for name, want in mapping(asked.get("fields"), "fields").items() if want not in (0, "0"))


def _told(account: Account, user: User, wanted: tuple[str, ...]) -> dict[str, Any]:
    return {name: _TOLD[name](account, user) for name in wanted if name in _TOLD}


def _times(account: Account, moments: Mapping[str, int]) -> dict[str, str]:
    return {name: rfc2822(seconds, account.zone) for name, seconds in moments.items()}


def _smart_lists(account: Account, user: User) -> list[str]:
    smart = [found for found in account.lists.values() if found.type == "smart"]
    return [found.name for found in smart if matches(found.query, user)]


_TOLD: dict[str, Callable[[Account, User], Any]] = {
    "keys": lambda _account, user: user.keys,
    "vars": lambda _account, user: user.vars or None,
    "lists": lambda account, user: _times(account, user.lists) or None,
    "smart_lists": _smart_lists,
    "engagement": lambda _account, user: user.engagement,
    "optout_email": lambda _account, user: user.optout_email,
    "activity": lambda account, user: _times(account, {"create_time": user.created, **user.activity}),
    "device": lambda _account, _user: None,
    "lifetime": lambda _account, user: user.lifetime or None,
    "purchases": lambda _account, _user: [],
    "purchase_incomplete": lambda _account, _user: [],
}

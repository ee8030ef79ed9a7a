"""The account: its users and lists, what keeps them consistent, and the queries of smart lists."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from itertools import count, zip_longest
from math import nan
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.api import Clock, Keyed, check
from cdp_sync.sandbox.api.times import rfc2822
from cdp_sync.sandbox.sailthru.parameters import needed

KEYS = ("email", "extid", "sms")
"""The keys of a user that can be set."""


@dataclass(slots=True)
class User:
    """A user. Its mappings are replaced and never changed, so that a copy stays as it was.

    `sid` begins with the seconds of creation. `lists` holds the natural lists with the seconds of the signup;
    `activity` the seconds of the last `open_time`, `click_time`, `view_time`, `login_time` and `signup_time`, and of
    `first_purchase_time` and `last_purchase_time`;
    `lifetime` counters such as `lifetime_open`.
    """

    sid: str
    email: str | None = None
    extid: str | None = None
    sms: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    engagement: str = "new"
    optout_email: str = "none"
    optout_time: int | None = None
    activity: dict[str, int] = field(default_factory=dict)
    lifetime: dict[str, int] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """The seconds of its creation."""
        return int(self.sid[:8], 16)

    @property
    def email_hash(self) -> str:
        """MD5 of the address."""
        return md5((self.email or "").encode(), usedforsecurity=False).hexdigest()

    @property
    def keys(self) -> dict[str, str]:
        """All keys that it has; the cookie changes with the address."""
        given = {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}
        return {"sid": self.sid, "cookie": self.email_hash + self.sid, **given}


@dataclass(slots=True)
class MailingList:
    """A list: `normal`, which is a natural list and has members by sid, or `smart`, which has a query."""

    list_id: str
    name: str
    created: int
    type: str = "normal"
    primary: bool = False
    public_name: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    members: dict[str, User] = field(default_factory=dict, repr=False)


class Account:
    """Users by sid and lists by name. They may be read directly; change them through the methods."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self.zone = zone
        self.users: dict[str, User] = {}
        self.lists: dict[str, MailingList] = {}
        self._clock = clock
        self._by: Keyed[User] = Keyed(*KEYS)
        self._numbers = count(1)

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock())

    def times(self, moments: Mapping[str, int]) -> dict[str, str]:
        """Write moments as answers do."""
        return {name: rfc2822(seconds, self.zone) for name, seconds in moments.items()}

    def new_id(self, created: int | None = None) -> str:
        """Return 24 hexadecimal digits that begin with the time, as MongoDB makes them."""
        return f"{self.now if created is None else created:08x}6bfffac4{next(self._numbers):08x}"

    def find(self, key: str, value: str) -> User | None:
        """Return the user with a key."""
        if key in KEYS:
            return self._by.find(key, value)
        found = self.users.get(value[-24:])
        return found if found and value == (found.sid if key == "sid" else found.keys[key]) else None

    def add_user(self, sid: str | None = None) -> User:
        """Add a user without any values."""
        user = User(sid or self.new_id())
        self.users[user.sid] = user
        return user

    def set_keys(self, user: User, keys: Mapping[str, str | None]) -> None:
        """Give a user keys that no other user has; None leaves a key as it is."""
        for key, value in keys.items():
            if value not in (None, getattr(user, key)):
                self._by.set(user, key, value)

    def remove(self, user: User) -> None:
        """Remove a user from the account and from its lists."""
        del self.users[user.sid]
        self._by.remove(user)
        for name in user.lists:
            self.lists[name].members.pop(user.sid, None)

    def merge(self, user: User, other: User) -> None:
        """Merge the other user into the first, whose own values stay."""
        self.remove(other)
        self.set_keys(user, {key: getattr(other, key) for key in KEYS if getattr(user, key) is None})
        for name in ("vars", "activity", "lifetime"):
            setattr(user, name, getattr(other, name) | getattr(user, name))
        for name, signup in other.lists.items():
            self.subscribe(user, name, signup)

    def subscribe(self, user: User, name: str, signup: int) -> None:
        """Put a user on a natural list, which is made where there is none. A member keeps the first signup."""
        if name not in user.lists:
            found = self.lists.get(name) or self.add_list(name)
            user.lists = {**user.lists, name: signup}
            found.members[user.sid] = user

    def unsubscribe(self, user: User, name: str) -> None:
        """Take a user off a list, if it is on it."""
        if name in user.lists:
            user.lists = {kept: signup for kept, signup in user.lists.items() if kept != name}
            self.lists[name].members.pop(user.sid, None)

    def check_natural(self, name: str) -> None:
        """Raise Refused if there can be no natural list of that name."""
        smart = name in self.lists and self.lists[name].type == "smart"
        check(not smart, f"Membership of a smart list cannot be set: {name}")
        check(name and "$" not in name, f"Invalid list name: {name}")

    def add_list(self, name: str, *, type: str = "normal", query: dict[str, Any] | None = None) -> MailingList:  # noqa: A002 - the API's name
        """Add a list, or raise Refused; `natural` and `normal` are the same type."""
        self.check_natural(name)
        if type == "smart":
            check_query(query or {})
        kind = "smart" if type == "smart" else "normal"
        self.lists[name] = MailingList(self.new_id(), name, self.now, kind, query=query or {})
        return self.lists[name]

    def remove_list(self, found: MailingList) -> None:
        """Remove a list, and its members from it."""
        for user in list(found.members.values()):
            self.unsubscribe(user, found.name)
        del self.lists[found.name]

    def members(self, found: MailingList) -> list[User]:
        """Return the users of a list, as they are now."""
        return list(found.members.values()) if found.type == "normal" else self.matching(found.query)

    def matching(self, query: Mapping[str, Any]) -> list[User]:
        """Return the users that a query finds."""
        return [user for user in self.users.values() if matches(query, user)]

    def add_users(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add users without calls: with attributes of `User`, or `created` for `sid`; `lists` may be names alone."""
        for given in users:
            user = self.add_user(given.get("sid") or self.new_id(given.get("created")))
            for name in given.keys() - {"sid", "created", "lists", *KEYS}:
                setattr(user, name, given[name])
            keys = {key: str(given[key]) for key in KEYS if given.get(key) is not None}
            self.set_keys(user, keys | ({"email": keys["email"].lower()} if "email" in keys else {}))
            lists = given.get("lists") or ()
            for name in lists:
                self.subscribe(user, name, lists[name] if isinstance(lists, Mapping) else user.created)


def check_query(query: Mapping[str, Any]) -> None:
    """Raise Refused if there is no query, or one with a criterion that is not in the table below."""
    needed({"query": query}, "query")
    for criterion in _column(query, "criteria"):
        check(criterion in _CRITERIA, f"The sandbox does not know the criterion {criterion}")


def matches(query: Mapping[str, Any], user: User) -> bool:
    """Return whether a query finds a user. Its criteria, fields and values are parallel arrays."""
    sources = _column(query, "multiple_source_list" if query.get("source_list") == ".multiple" else "source_list")
    if sources and not user.lists.keys() & set(sources):
        return False
    columns = [_column(query, name) for name in ("criteria", "field", "value")]
    rows = zip_longest(*(column[: len(columns[0])] for column in columns), fillvalue="")
    met = [_CRITERIA[criterion](user, str(field), value) for criterion, field, value in rows]
    return not met or (any(met) if query.get("query_mode") == "or" else all(met))


def _column(query: Mapping[str, Any], name: str) -> list[Any]:
    found = query.get(name) or []
    return found if isinstance(found, list) else [found]


def _equal(user: User, field: str, value: Any) -> bool:  # noqa: ANN401 - any JSON
    found = user.vars.get(field)
    return value in found if isinstance(found, list) else found == value or str(found) == str(value)


def _above(user: User, field: str, value: Any) -> float:  # noqa: ANN401 - any JSON
    """Return how far a field is above a value; NaN, which no comparison meets, where one is not a number."""
    try:
        return float(user.vars[field]) - float(value)
    except (KeyError, TypeError, ValueError):
        return nan


_CRITERIA: dict[str, Callable[[User, str, Any], bool]] = {
    "match": _equal,
    "not": lambda user, field, value: not _equal(user, field, value),
    "gt": lambda user, field, value: _above(user, field, value) > 0,
    "lt": lambda user, field, value: _above(user, field, value) < 0,
    "min": lambda user, field, value: _above(user, field, value) >= 0,
    "max": lambda user, field, value: _above(user, field, value) <= 0,
    "domain": lambda user, _field, value: (user.email or "").endswith(f"@{value}".lower()),
    "list_member_not": lambda user, _field, value: value not in user.lists,
}

"""The account: users, lists and jobs, and what keeps them in agreement."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.sailthru.people import KEYS, MailingList, User
from cdp_sync.sandbox.sailthru.refusal import Refused, invalid
from cdp_sync.sandbox.sailthru.smart import check_query, matches
from cdp_sync.sandbox.sailthru.times import Clock

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.jobs import Job

_MOST_LISTS = 2000


class Account:
    """Users by sid, lists by name, jobs by id. Read them at will; change them through the methods.

    Args:
        clock: What time it is.
        zone: Where it is that time.
    """

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self.clock = clock
        self.zone = zone
        self.users: dict[str, User] = {}
        self.lists: dict[str, MailingList] = {}
        self.jobs: dict[str, Job] = {}
        self.changes = 0
        """How often something changed."""
        self._by: dict[str, dict[str, User]] = {key: {} for key in KEYS}
        self._numbers = count(1)
        self._counted: dict[str, tuple[int, list[User]]] = {}

    def new_id(self, created: int | None = None) -> str:
        """Return 24 digits that begin with the time, as MongoDB makes them."""
        moment = self.now if created is None else created
        return f"{moment:08x}6bfffac4{next(self._numbers):08x}"

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

    def find(self, key: str, value: str) -> User | None:
        """Return who is known by a key."""
        if key == "sid":
            return self.users.get(value)
        if key == "cookie":
            found = self.users.get(value[-24:])
            return found if found and found.cookie == value else None
        return self._by[key].get(value)

    def add_user(self, sid: str | None = None) -> User:
        """Add somebody of whom nothing is known."""
        user = User(sid or self.new_id())
        self.users[user.sid] = user
        self.changes += 1
        return user

    def set_key(self, user: User, key: str, value: str) -> None:
        """Let a user be known by a key that is free."""
        before = getattr(user, key)
        if before is not None:
            del self._by[key][before]
        setattr(user, key, value)
        self._by[key][value] = user
        self.changes += 1

    def remove(self, user: User) -> None:
        """Forget a user."""
        del self.users[user.sid]
        for key in KEYS:
            self._by[key].pop(getattr(user, key), None)
        for name in user.lists:
            self.lists[name].members.pop(user.sid, None)
        self.changes += 1

    def merge(self, user: User, other: User) -> None:
        """Make one of two: what the second knows and the first does not goes over, and the second is gone."""
        self.remove(other)
        for key in KEYS:
            if getattr(user, key) is None and getattr(other, key) is not None:
                self.set_key(user, key, getattr(other, key))
        user.vars = other.vars | user.vars
        user.activity = other.activity | user.activity
        user.lifetime = other.lifetime | user.lifetime
        for name, signup in other.lists.items():
            self.subscribe(user, name, signup)

    def subscribe(self, user: User, name: str, signup: int) -> None:
        """Put a user on a natural list, which is made where there is none; who is on it already stays so."""
        if name not in user.lists:
            found = self.lists.get(name) or self.add_list(name)
            user.lists = {**user.lists, name: signup}
            found.members[user.sid] = user
            self.changes += 1

    def unsubscribe(self, user: User, name: str) -> None:
        """Take a user from a list; who is not on it stays so."""
        if name in user.lists:
            user.lists = {kept: signup for kept, signup in user.lists.items() if kept != name}
            self.lists[name].members.pop(user.sid, None)
            self.changes += 1

    def check_list_name(self, name: str) -> None:
        """Raise if there can be no list of that name."""
        if not name or "$" in name:
            raise invalid(f"Invalid list name: {name}")
        if name not in self.lists and len(self.lists) >= _MOST_LISTS:
            raise invalid("Too many lists")

    def add_list(
        self, name: str, *, type: str = "normal", query: Mapping[str, Any] | None = None, primary: bool = False  # noqa: A002 - the API's name
    ) -> MailingList:  # fmt: skip
        """Make a list; `natural` and `normal` are the same type.

        Raises:
            Refused: Its name or its query cannot be.
        """
        self.check_list_name(name)
        kind = "smart" if type == "smart" else "normal"
        made = MailingList(self.new_id(), name, self.now, kind, primary, query=dict(query or {}))
        if kind == "smart":
            check_query(made.query)
        self.lists[name] = made
        self.changes += 1
        return made

    def remove_list(self, found: MailingList) -> None:
        """Forget a list; nobody is on it any more."""
        for user in list(found.members.values()):
            self.unsubscribe(user, found.name)
        del self.lists[found.name]
        self.changes += 1

    def members(self, found: MailingList) -> list[User]:
        """Return who is on a list now."""
        if found.type == "normal":
            return list(found.members.values())
        changes, members = self._counted.get(found.name, (-1, []))
        if changes != self.changes:
            members = self.who(found.query)
            self._counted[found.name] = (self.changes, members)
        return members

    def who(self, query: Mapping[str, Any]) -> list[User]:
        """Return whom a query finds.

        Raises:
            Refused: Something in the query is not played here.
        """
        check_query(query)
        return [user for user in self.users.values() if matches(query, user)]

    def add_users(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add users quickly, for a start.

        Args:
            users: Each with any of email, extid, sms, vars, lists (names, or signup seconds by name), sid, created
                (seconds), engagement, optout_email, optout_time, activity and lifetime.

        Raises:
            Refused: A key is another's already.
        """
        for given in users:
            self._add_given(given)

    def _add_given(self, given: Mapping[str, Any]) -> None:
        user = self.add_user(given.get("sid") or self.new_id(given.get("created")))
        for key in KEYS:
            if given.get(key) is not None:
                self._take(user, key, str(given[key]))
        for name in _PLAIN & given.keys():
            setattr(user, name, given[name])
        lists = given.get("lists") or ()
        for name in lists:
            self.subscribe(user, name, lists[name] if isinstance(lists, Mapping) else user.created)

    def _take(self, user: User, key: str, value: str) -> None:
        written = value.lower() if key == "email" else value
        if written in self._by[key]:
            raise Refused(409, 99, f"Key conflict: {key} belongs to another user")
        self.set_key(user, key, written)


_PLAIN = frozenset({"vars", "engagement", "optout_email", "optout_time", "activity", "lifetime"})

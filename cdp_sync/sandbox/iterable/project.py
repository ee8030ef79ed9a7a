"""The project: its users and lists, who a user is in each type of project, and what changes one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import md5, sha256
from itertools import count
from typing import Any, Literal

from cdp_sync.sandbox.api import Clock, Keyed, Refused
from cdp_sync.sandbox.iterable.fields import SYSTEM, Fields, Registry, moment

ProjectType = Literal["email", "user_id", "hybrid"]
ListType = Literal["Standard", "Dynamic", "Suppression", "Internal"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_USER_ID = re.compile(r"[\x20-\x7e]{0,51}[\x21-\x7e]")
_UNIQUE: Mapping[ProjectType, tuple[str, ...]] = {
    "email": ("email",), "user_id": ("user_id",), "hybrid": ("email", "user_id"),
}  # fmt: skip
"""The identifiers that no two users share."""


@dataclass(slots=True, eq=False)
class User:
    """A user. Its fields are replaced and never changed, so that a copy stays as it was.

    `fields` holds what callers set, and the subscriptions; `list_ids` is None until a first list is set.
    """

    number: int
    created: float
    updated: float
    email: str | None = None
    user_id: str | None = None
    source: str = "API"
    fields: Fields = field(default_factory=dict)
    list_ids: tuple[int, ...] | None = None

    @property
    def identifiers(self) -> Fields:
        """Those that it has, by the name that calls use."""
        return {name: value for name, value in (("email", self.email), ("userId", self.user_id)) if value is not None}


@dataclass(slots=True, eq=False)
class MailingList:
    """A list. A dynamic one has a rule, a field and its value, and no members of its own."""

    list_id: int
    name: str
    created: float
    type: ListType = "Standard"
    description: str | None = None
    rule: tuple[str, Any] | None = None
    members: dict[int, User] = field(default_factory=dict, repr=False)


class Project:
    """Users and lists. They may be read directly; change them through the methods.

    Args:
        kind: Who a user is.
        clock: Of creations and changes.
    """

    def __init__(self, kind: ProjectType, clock: Clock) -> None:
        self.kind = kind
        self.project_id = 9079
        self.users: dict[int, User] = {}
        self.lists: dict[int, MailingList] = {}
        self.fields = Registry("user", SYSTEM, 1000)
        self.forgotten: dict[str, set[str]] = {"email": set(), "user_id": set()}
        self.list_field = "emailListIds" if kind == "email" else "userListIds"
        self._clock = clock
        self._unique: Keyed[User] = Keyed(*_UNIQUE[kind])
        self._shared: dict[str, dict[int, User]] = {}
        """In projects with one unique identifier: users by the other."""
        self._numbers = count(1)
        self._list_numbers = count(1068682)

    def find(self, key: str, value: str) -> User | None:
        """Return the user with an identifier; the oldest of several."""
        if key in _UNIQUE[self.kind]:
            return self._unique.find(key, value)
        return next(iter(self._shared.get(value, {}).values()), None)

    def sharing(self, key: str, value: str) -> list[User]:
        """Return all users with an identifier."""
        if key in _UNIQUE[self.kind]:
            return [user for user in [self._unique.find(key, value)] if user]
        return list(self._shared.get(value, {}).values())

    def add_user(self, identifiers: Mapping[str, str | None], source: str = "API") -> User:
        """Add a user without values."""
        now = self._clock()
        user = User(next(self._numbers), now, now, source=source)
        self.users[user.number] = user
        self.identify(user, identifiers)
        return user

    def identify(self, user: User, identifiers: Mapping[str, str | None]) -> None:
        """Give a user identifiers in the place of its former ones; None leaves one as it is.

        Raises:
            Refused: Another user has a unique one.
        """
        given = {key: value for key, value in identifiers.items() if value not in (None, getattr(user, key))}
        for key, value in given.items():
            if key in _UNIQUE[self.kind] and self._unique.find(key, str(value)):
                raise conflict(key, str(value))
        for key, value in given.items():
            if key in _UNIQUE[self.kind]:
                self._unique.set(user, key, str(value))
            else:
                self._shared.get(getattr(user, key), {}).pop(user.number, None)
                setattr(user, key, value)
                self._shared.setdefault(str(value), {})[user.number] = user

    def remove(self, user: User) -> None:
        """Remove a user, also from all lists."""
        del self.users[user.number]
        self._unique.remove(user)
        for key in ("email", "user_id"):
            self._shared.get(getattr(user, key) or "", {}).pop(user.number, None)
        for list_id in user.list_ids or ():
            self.lists[list_id].members.pop(user.number, None)

    def add_list(
        self, name: str, kind: ListType = "Standard", *, rule: tuple[str, Any] | None = None,
        description: str | None = None, list_id: int | None = None,
    ) -> MailingList:  # fmt: skip
        """Add a list. A rule, a field and the value it has, makes it dynamic."""
        number = list_id or next(each for each in self._list_numbers if each not in self.lists)
        found = MailingList(number, name, self._clock(), "Dynamic" if rule else kind, description, rule)
        self.lists[number] = found
        return found

    def remove_list(self, found: MailingList) -> None:
        """Remove a list, and its members from it."""
        for user in list(found.members.values()):
            self.set_lists(user, [each for each in user.list_ids or () if each != found.list_id])
        del self.lists[found.list_id]

    def set_lists(self, user: User, list_ids: Iterable[int]) -> None:
        """Put a user on these static lists and take it off all others."""
        wanted = tuple(dict.fromkeys(list_ids))
        for list_id in user.list_ids or ():
            self.lists[list_id].members.pop(user.number, None)
        for list_id in wanted:
            self.static_list(list_id).members[user.number] = user
        user.list_ids = wanted

    def subscribe(self, user: User, list_id: int) -> None:
        """Put a user on a static list."""
        if list_id not in (user.list_ids or ()):
            user.list_ids = (*(user.list_ids or ()), list_id)
            self.lists[list_id].members[user.number] = user

    def unsubscribe(self, user: User, list_id: int) -> None:
        """Take a user off a list, if it is on it."""
        if list_id in (user.list_ids or ()):
            user.list_ids = tuple(each for each in user.list_ids or () if each != list_id)
            self.lists[list_id].members.pop(user.number, None)

    def static_list(self, list_id: Any) -> MailingList:  # noqa: ANN401 - any JSON
        """Return a list that can be written to, or raise Refused."""
        found = self.lists.get(list_id) if isinstance(list_id, int) else None
        if found is None or found.type == "Dynamic":
            raise self.invalid_list(list_id)
        return found

    def invalid_list(self, list_id: Any) -> Refused:  # noqa: ANN401 - any JSON
        """Return the refusal of a list that is not there or cannot be written to; its code says `Success`."""
        params = {"projectId": self.project_id, "listId": list_id}
        return Refused(400, f"error.lists.invalidListId({list_id})", "Success", **params)

    def is_on(self, user: User, found: MailingList) -> bool:
        """Return whether a user is on a list."""
        if found.rule is None:
            return found.list_id in (user.list_ids or ())
        name, value = found.rule
        has = user.fields.get(name)
        return value in has if isinstance(has, list) else bool(has == value)

    def described(self, user: User) -> Fields:
        """Return all fields of a user, as answers and exports have them."""
        described: Fields = {**user.identifiers, **user.fields}
        if user.list_ids is not None:
            described[self.list_field] = list(user.list_ids)
        described |= {
            "signupDate": moment(user.created),
            "signupSource": user.source,
            "profileUpdatedAt": moment(user.updated),
        }
        internal = {"documentCreatedAt": moment(user.created), "documentUpdatedAt": moment(user.updated)}
        domain = {"emailDomain": user.email.rpartition("@")[2]} if user.email else {}
        return {**described, "itblInternal": {**domain, **internal}}

    def dump(self) -> Iterator[dict[str, Any]]:
        """Yield lists, then users, as JSON."""
        for each in self.lists.values():
            yield {"list": each.name, "list_id": each.list_id, "type": each.type, "rule": each.rule,
                   "created": each.created}  # fmt: skip
        for user in self.users.values():
            lists = None if user.list_ids is None else [self.lists[each].name for each in user.list_ids]
            yield {**user.identifiers, "dataFields": user.fields, "lists": lists, "created": user.created,
                   "updated": user.updated}  # fmt: skip

    def load(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Add lists and users without calls, as `dump` yields them; a list that a user names is made."""
        by_name = {found.name: found for found in self.lists.values()}
        for given in objects:
            if "list" in given:
                by_name[given["list"]] = self._load_list(given)
                continue
            user = self._load_user(given)
            for name in given.get("lists") or ():
                found = by_name.get(name) or by_name.setdefault(name, self.add_list(name))
                self.subscribe(user, found.list_id)

    def _load_list(self, given: Mapping[str, Any]) -> MailingList:
        rule = given.get("rule")
        kind, list_id = given.get("type", "Standard"), given.get("list_id")
        found = self.add_list(given["list"], kind, rule=tuple(rule) if rule else None, list_id=list_id)
        found.created = given.get("created", found.created)
        return found

    def _load_user(self, given: Mapping[str, Any]) -> User:
        user = self.add_user({"email": given.get("email"), "user_id": given.get("userId")})
        user.created = given.get("created", user.created)
        user.updated = given.get("updated", user.created)
        checked = self.fields.check(given.get("dataFields") or {}, create=True)
        self.fields.accept(checked)
        user.fields = {name: value for name, value in checked.values.items() if value is not None}
        return user


class Unwritten(Refused):
    """A user cannot be written: an error to a single call, an entry of `failedUpdates` to one for many users.

    Args:
        status: Of the single call.
        code: Of the single call.
        failure: The list of `failedUpdates`, without `Emails` or `UserIds`.
        key: Which of them: `email` or `user_id`.
        value: The identifier that stands in the list.
        message: Of the single call.
        details: Of the single call.
    """

    def __init__(
        self, status: int, code: str, failure: str, key: str, value: str, message: str | None = None, **details: object
    ) -> None:  # fmt: skip
        super().__init__(status, message or f"{code}: {value}", code, **details)
        self.failure = f"{failure}{'Emails' if key == 'email' else 'UserIds'}"
        self.value = value


def conflict(key: str, value: str) -> Unwritten:
    """Return the refusal of an identifier that another user has."""
    return Unwritten(409, "EmailAlreadyExists" if key == "email" else "UserIdAlreadyExists", "conflict", key, value)


def read_email(value: object) -> str:
    """Return an address in lower case, or raise Refused."""
    if isinstance(value, str) and _EMAIL.fullmatch(value):
        return value.lower()
    raise Unwritten(400, "InvalidEmailAddressError", "invalid", "email", str(value), f"Invalid email: {value}")


def read_user_id(value: object) -> str:
    """Return a userId, or raise Refused."""
    if isinstance(value, str) and _USER_ID.fullmatch(value):
        return value
    raise Unwritten(400, "InvalidUserIdError", "invalid", "user_id", str(value), f"Invalid userId: {value}")


def placeholder(user_id: str) -> str:
    """Return the address of a user that was created by its userId in a project of addresses."""
    return f"{md5(user_id.encode(), usedforsecurity=False).hexdigest()}@placeholder.email"


def hashed(value: str) -> str:
    """Return the hash of an identifier that was forgotten."""
    return sha256(value.strip().lower().encode()).hexdigest()

"""How a call changes users: one of them, or many, of which some are refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Refused, check, mapping
from cdp_sync.sandbox.iterable.fields import Fields, mismatched
from cdp_sync.sandbox.iterable.project import (
    Project,
    Unwritten,
    User,
    conflict,
    hashed,
    placeholder,
    read_email,
    read_user_id,
)

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

_KEPT = ("signupDate", "signupSource", "profileUpdatedAt", "itblInternal")
"""Fields that callers cannot change."""
_FAILURES = tuple(
    f"{failure}{kind}"
    for failure in ("invalid", "notFound", "invalidData", "conflict", "forgotten")
    for kind in ("Emails", "UserIds")
)


@dataclass(slots=True)
class Written:
    """What a call did to a user."""

    user: User
    created_fields: Sequence[str] = ()
    dropped_fields: Sequence[str] = ()
    changed: bool = True


@dataclass(slots=True)
class Tally:
    """What a call did to many users, as its answer counts them."""

    successes: int = 0
    failed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _FAILURES})
    created_fields: dict[str, None] = field(default_factory=dict)
    dropped_fields: dict[str, None] = field(default_factory=dict)
    unchanged: Fields = field(default_factory=lambda: {"noOpEmails": [], "noOpUserIds": []})

    @property
    def answer(self) -> Fields:
        """The whole answer."""
        return {
            "successCount": self.successes, "failCount": sum(map(len, self.failed.values())),
            "invalidEmails": self.failed["invalidEmails"], "invalidUserIds": self.failed["invalidUserIds"],
            "filteredOutFields": list(self.dropped_fields), "createdFields": list(self.created_fields),
            "failedUpdates": self.failed,
        }  # fmt: skip

    def note(self, done: Written) -> None:
        """Count a user that was written."""
        self.successes += 1
        self.created_fields |= dict.fromkeys(done.created_fields)
        self.dropped_fields |= dict.fromkeys(done.dropped_fields)
        if not done.changed:
            user = done.user
            self.unchanged["noOpEmails" if user.email else "noOpUserIds"].append(user.email or user.user_id)


def write_each(entries: Sequence[Asked], write: Callable[[Asked], Written]) -> Tally:
    """Write users one by one; one that is refused is listed and the others are written."""
    tally = Tally()
    for asked in entries:
        try:
            tally.note(write(asked))
        except Unwritten as refused:
            tally.failed[refused.failure].append(refused.value)
    return tally


def write_user(
    box: "IterableSandbox", asked: Asked, *, create_fields: object = None, existing_only: bool = False,
    then: Callable[[User], None] | None = None, source: str = "API",
) -> Written:  # fmt: skip
    """Create or change a user; nothing of it is changed where anything is refused.

    Args:
        box: The sandbox.
        asked: Identifiers, `dataFields` and switches.
        create_fields: Whether unknown fields are created; the project's setting where it is no boolean.
        existing_only: Whether an unknown user is refused.
        then: Changes the user further.
        source: How a new user came in.
    """
    project, values = box.project, mapping(asked, "dataFields")
    user, identifiers = resolve(project, asked)
    create = create_fields if isinstance(create_fields, bool) else box.creates_fields
    checked = project.fields.check(values, create=create)
    if checked.errors:
        raise _invalid_data(asked, mismatched(checked.errors))
    if user is None and existing_only:
        raise _unknown(identifiers)
    wanted = identifiers | _new_identifiers(project, values)
    project.fields.accept(checked)
    before = None if user is None else replace(user)
    if user is None:
        user = project.add_user(wanted, source)
    else:
        project.identify(user, wanted)
    user.fields = merged(user.fields, checked.values, nested=bool(asked.get("mergeNestedObjects")))
    list_ids = values.get(project.list_field, values.get("emailListIds"))
    if isinstance(list_ids, list):
        project.set_lists(user, [each for each in list_ids if each in project.lists])
    if then:
        then(user)
    return _noted(box, user, before, Written(user, list(checked.created), checked.dropped))


def resolve(project: Project, asked: Asked) -> tuple[User | None, Fields]:
    """Return the user that a call means, and the identifiers that it gives, by the project's rules.

    Raises:
        Refused: An identifier is missing, not valid, forgotten, unknown where it must be known, or contradicts.
    """
    email = None if asked.get("email") is None else read_email(asked["email"])
    user_id = None if asked.get("userId") is None else read_user_id(asked["userId"])
    check(email or user_id, "email or userId is required", "BadParams")
    identifiers = {"email": email, "user_id": user_id}
    _refuse_forgotten(project, identifiers)
    if project.kind == "hybrid":
        return _resolve_hybrid(project, email, user_id), identifiers
    key = "email" if project.kind == "email" and email else "user_id"
    value = identifiers[key]
    user = project.find(key, value) if value else None
    if project.kind == "email" and user is None and email is None and asked.get("preferUserId"):
        identifiers["email"] = placeholder(str(user_id))
    elif user is None and (value is None or (project.kind == "email" and email is None)):
        raise _unknown(identifiers)
    return user, identifiers


def _refuse_forgotten(project: Project, identifiers: Fields) -> None:
    for key, value in identifiers.items():
        if value and project.forgotten[key] and hashed(value) in project.forgotten[key]:
            raise Unwritten(409, "ForgottenUserError", "forgotten", key, value)


def merged(fields: Fields, values: Fields, *, nested: bool) -> Fields:
    """Return fields with new values: null removes one, an object replaces the former one unless it is merged."""
    result = dict(fields)
    for name, value in values.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            former = result.get(name) if nested else None
            inner = (former if isinstance(former, dict) else {}) | value
            result[name] = {key: each for key, each in inner.items() if each is not None}
        elif name not in _IDENTITY:
            result[name] = value
    return result


_IDENTITY = frozenset(("email", "userId", "emailListIds", "userListIds", *_KEPT))


def hide_change(box: "IterableSandbox", user: User, before: User | None) -> None:
    """Let readers see a user as it was, for as long as the sandbox says."""
    if box.visible_after:
        names = {(name, value) for each in (user, before) if each for name, value in each.identifiers.items()}
        box.visible.hide([user.number, *names], before, box.visible_after)


def _noted(box: "IterableSandbox", user: User, before: User | None, done: Written) -> Written:
    """Note the time of a change; a call that changes nothing is no update."""
    same = before and (before.fields, before.list_ids, before.identifiers) == (
        user.fields, user.list_ids, user.identifiers,
    )  # fmt: skip
    if same:
        done.changed = False
    else:
        user.updated = box.clock()
        hide_change(box, user, before)
    return done


def _resolve_hybrid(project: Project, email: str | None, user_id: str | None) -> User | None:
    by_email = project.find("email", email) if email else None
    by_id = project.find("user_id", user_id) if user_id else None
    if by_email and user_id and by_email.user_id not in (None, user_id):
        raise conflict("email", str(email))
    if by_id and email and by_id.email not in (None, email):
        raise conflict("user_id", str(user_id))
    if by_email and by_id and by_email is not by_id:
        raise conflict("email", str(email))
    return by_email or by_id


def _new_identifiers(project: Project, values: Fields) -> Fields:
    """Return the identifiers that data fields change; in projects of addresses, an address is not changed there."""
    found: Fields = {}
    if values.get("userId") is not None:
        found["user_id"] = read_user_id(values["userId"])
    if values.get("email") is not None and project.kind != "email":
        found["email"] = read_email(values["email"])
    return found


def _unknown(identifiers: Fields) -> Unwritten:
    key = "email" if identifiers["email"] else "user_id"
    code = "UnknownEmailError" if key == "email" else "UnknownUserIdError"
    return Unwritten(400, code, "notFound", key, identifiers[key])


def _invalid_data(asked: Asked, why: Refused) -> Unwritten:
    key = "email" if asked.get("email") is not None else "user_id"
    value = asked["email"] if key == "email" else asked["userId"]
    return Unwritten(400, why.code, "invalidData", key, str(value), why.message, **why.details)


def entries_of(asked: Asked, name: str) -> list[Any]:
    """Return the objects of a call for many; raise Refused where it has none."""
    found = asked.get(name)
    valid = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    check(valid, f"Invalid JSON body: {name} must be an array of objects", "BadJsonBody")
    return list(found or ())

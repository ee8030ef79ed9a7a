"""The endpoints `users`."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Call, Refused, check
from cdp_sync.sandbox.iterable.fields import Fields
from cdp_sync.sandbox.iterable.project import User, conflict, hashed, read_email, read_user_id
from cdp_sync.sandbox.iterable.writing import (
    entries_of,
    hide_change,
    resolve,
    write_each,
    write_user,
)

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

SUCCESS: Fields = {"msg": "", "code": "Success", "params": None}
_SUBSCRIPTIONS = ("subscribedMessageTypeIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds")


def read_user(box: "IterableSandbox", call: Call) -> Fields:
    """Return one user, as readers see it; an unknown one is an empty object."""
    key, value = identifier_of(call)
    user = box.visible.seen(("email" if key == "email" else "userId", value), box.project.find(key, value))
    return {} if user is None else {"user": {**user.identifiers, "dataFields": box.project.described(user)}}


def update_user(box: "IterableSandbox", call: Call) -> Fields:
    """Create or change one user."""
    write_user(box, call.body, create_fields=call.body.get("createNewFields"))
    return SUCCESS


def update_users(box: "IterableSandbox", call: Call) -> Fields:
    """Create or change many users."""
    users = entries_of(call.body, "users")
    box.check_batch(users, call.body)
    tally = write_each(users, partial(write_user, box, create_fields=call.body.get("createNewFields")))
    return tally.answer | tally.unchanged


def read_fields(box: "IterableSandbox", _call: Call) -> Fields:
    """Return all fields and their types."""
    return {"fields": box.project.fields.types}


def delete_user(box: "IterableSandbox", call: Call) -> Fields:
    """Delete users: an unknown address is a success, an unknown userId is none."""
    key, value = identifier_of(call)
    check(key == "user_id" or box.project.kind != "user_id", "Users are deleted by userId here", "BadParams")
    users = box.project.sharing(key, value)
    check(users or key == "email", f"User does not exist. Email:  UserId: {value}", "BadParams")
    for user in users:
        remove_user(box, user)
    return SUCCESS


def forget_user(box: "IterableSandbox", call: Call) -> Fields:
    """Delete a user and refuse it from now on."""
    key, value = _identifier_to_forget(box, call.body)
    for user in box.project.sharing(key, value):
        for other in ("email", "user_id"):
            if getattr(user, other) and box.project.kind == "hybrid":
                box.project.forgotten[other].add(hashed(getattr(user, other)))
        remove_user(box, user)
    box.project.forgotten[key].add(hashed(value))
    return SUCCESS


def unforget_user(box: "IterableSandbox", call: Call) -> Fields:
    """Accept a forgotten user again."""
    key, value = _identifier_to_forget(box, call.body)
    box.project.forgotten[key].discard(hashed(value))
    return SUCCESS


def read_forgotten(box: "IterableSandbox", _call: Call) -> Fields:
    """Return hashes of the forgotten addresses."""
    check(box.project.kind != "user_id", "This project has no addresses to forget", "BadParams")
    return {"hashedEmails": sorted(box.project.forgotten["email"])}


def read_forgotten_ids(box: "IterableSandbox", _call: Call) -> Fields:
    """Return hashes of the forgotten userIds."""
    check(box.project.kind != "email", "This project has no userIds to forget", "BadParams")
    return {"hashedUserIds": sorted(box.project.forgotten["user_id"])}


def update_email(box: "IterableSandbox", call: Call) -> Fields:
    """Change the address of a user, in a project of addresses."""
    project, asked = box.project, call.body
    check(project.kind == "email", "Use users/update in this type of project", "BadParams")
    known = {"email": asked.get("currentEmail"), "userId": asked.get("currentUserId")}
    user, _ = resolve(project, {"email": known["email"]} if known["email"] else known)
    new = read_email(asked.get("newEmail"))
    resolve(project, {"email": new})
    if user is None:
        raise Refused(400, f"Unknown email: {known['email']}", "UnknownEmailError")
    if project.find("email", new) not in (None, user):
        raise conflict("email", new)
    before = replace(user)
    project.identify(user, {"email": new})
    user.updated = box.clock()
    hide_change(box, user, before)
    return SUCCESS


def update_subscriptions(box: "IterableSandbox", call: Call) -> Fields:
    """Replace subscriptions of one user."""
    _subscriptions(box, call.body)
    return SUCCESS


def update_many_subscriptions(box: "IterableSandbox", call: Call) -> Fields:
    """Replace subscriptions of many users."""
    tally = write_each(entries_of(call.body, "updateSubscriptionsRequests"), partial(_subscriptions, box))
    others = {kind: [each for name, found in tally.failed.items() if name.endswith(kind) for each in found
                     if not name.startswith(f"invalid{kind}")] for kind in ("Emails", "UserIds")}  # fmt: skip
    return {
        "successCount": tally.successes, "failCount": sum(map(len, tally.failed.values())),
        "invalidEmails": tally.failed["invalidEmails"], "invalidUserIds": tally.failed["invalidUserIds"],
        "validEmailFailures": others["Emails"], "validUserIdFailures": others["UserIds"],
    }  # fmt: skip


def identifier_of(call: Call) -> tuple[str, str]:
    """Return key and value of the identifier in a call's path or query."""
    given = {**call.request.query_params, **call.request.path_params}
    if "email" in given:
        return "email", read_email(given["email"])
    check("userId" in given, "email or userId is required", "BadParams")
    return "user_id", given["userId"]


def remove_user(box: "IterableSandbox", user: User) -> None:
    """Delete a user."""
    before = replace(user)
    box.project.remove(user)
    if box.visible_after:
        keys: list[Any] = [user.number, *user.identifiers.items()]
        box.visible.hide(keys, before, box.visible_after)


def _subscriptions(box: "IterableSandbox", asked: Asked) -> Any:  # noqa: ANN401 - of the module `writing`
    given = {name: asked[name] for name in _SUBSCRIPTIONS if asked.get(name) is not None}
    if asked.get("emailListIds") is not None:
        given[box.project.list_field] = asked["emailListIds"]
        for list_id in asked["emailListIds"]:
            box.project.static_list(list_id)
    return write_user(box, {name: asked.get(name) for name in ("email", "userId")} | {"dataFields": given})


def _identifier_to_forget(box: "IterableSandbox", asked: Asked) -> tuple[str, str]:
    kind = box.project.kind
    if asked.get("email") is not None and kind != "user_id":
        return "email", read_email(asked["email"])
    check(asked.get("userId") is not None and kind != "email", f"Another identifier is needed: {kind}", "BadParams")
    return "user_id", read_user_id(asked["userId"])

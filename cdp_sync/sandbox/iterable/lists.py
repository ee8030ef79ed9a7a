"""The endpoints `lists`, and `channels`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from cdp_sync.sandbox.api import Call, Refused, check
from cdp_sync.sandbox.iterable.fields import Fields
from cdp_sync.sandbox.iterable.project import MailingList, User
from cdp_sync.sandbox.iterable.writing import Written, entries_of, write_each, write_user

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

_CHANNEL = {"id": 1, "name": "News", "channelType": "Marketing", "messageMedium": "Email"}


def read_channels(_box: "IterableSandbox", _call: Call) -> Fields:
    """Return the channels."""
    return {"channels": [_CHANNEL]}


def read_lists(box: "IterableSandbox", _call: Call) -> Fields:
    """Return all lists, the newest first."""
    return {"lists": [summary(found) for found in reversed(box.project.lists.values())]}


def create_list(box: "IterableSandbox", call: Call) -> Fields:
    """Create a static list."""
    name, description = call.body.get("name"), call.body.get("description")
    check(isinstance(name, str) and name.strip(), "name is required", "BadParams")
    check(len(description or "") <= 140, "description may have 140 characters", "BadParams")
    return {"listId": box.project.add_list(str(name), description=description).list_id}


def delete_list(box: "IterableSandbox", call: Call) -> Fields:
    """Delete a list."""
    found = _find(box, call.request.path_params["list_id"])
    if found.list_id in box.lists_in_use:
        raise Refused(409, f"List {found.list_id} is in use", "GenericError")
    box.project.remove_list(found)
    message = f"List {found.list_id} in Project {box.project.project_id} was successfully deleted."
    return {"msg": message, "code": "Success", "params": None}


def read_members(box: "IterableSandbox", call: Call) -> str:
    """Return who is on a list, one identifier a line."""
    return "\n".join(_identifiers(box, call))


def preview_members(box: "IterableSandbox", call: Call) -> str:
    """Return some who are on a list, one identifier a line."""
    size = call.request.query_params.get("size", "1000")
    check(size.isdecimal() and 1 <= int(size) <= 5000, f"Invalid size: {size}", "BadParams")
    return "\n".join(each for each, _ in zip(_identifiers(box, call), range(int(size)), strict=False))


def read_size(box: "IterableSandbox", call: Call) -> str:
    """Return how many are on a list, as text."""
    found = _find(box, call.request.path_params["list_id"])
    return str(sum(1 for _ in members(box, found)))


def subscribe(box: "IterableSandbox", call: Call) -> Fields:
    """Put users on a static list; unknown ones are created, and data fields are written as well."""
    found, asked = _writable(box, call), call.body
    entries = entries_of(asked, "subscribers")
    box.check_batch(entries, asked)
    only_existing = bool(asked.get("updateExistingUsersOnly")) and box.project.kind != "email"
    write = partial(
        write_user, box, existing_only=only_existing, source="ListAPI",
        then=lambda user: box.project.subscribe(user, found.list_id),
    )  # fmt: skip
    return write_each(entries, write).answer


def unsubscribe(box: "IterableSandbox", call: Call) -> Fields:
    """Take users off a static list; also off its channel, where it is asked for. Nobody is created."""
    found = _writable(box, call)
    channel = (
        {"dataFields": {"unsubscribedChannelIds": [_CHANNEL["id"]]}} if call.body.get("channelUnsubscribe") else {}
    )

    def write(asked: Fields) -> Written:
        who = {name: asked.get(name) for name in ("email", "userId")}
        return write_user(
            box, who | channel, existing_only=True, then=lambda user: box.project.unsubscribe(user, found.list_id)
        )

    return write_each(entries_of(call.body, "subscribers"), write).answer


def summary(found: MailingList) -> Fields:
    """Return what answers say of a list."""
    described: Fields = {"id": found.list_id, "name": found.name}
    if found.description:
        described["description"] = found.description
    described |= {"createdAt": int(found.created * 1000), "listType": found.type}
    return described | ({"isGlobalSuppressionEnabled": False} if found.type == "Suppression" else {})


def members(box: "IterableSandbox", found: MailingList) -> Iterator[User]:
    """Yield who is on a list, as readers see it."""
    users = box.project.users.values() if found.rule else found.members.values()
    return (user for user in box.seen(users) if box.project.is_on(user, found))


def _identifiers(box: "IterableSandbox", call: Call) -> Iterator[str]:
    query = call.request.query_params
    check(query.get("listId", "").isdecimal(), "listId is required", "BadParams")
    prefer_id = box.project.kind == "user_id" or (
        box.project.kind == "hybrid" and query.get("preferUserId", "").lower() == "true"
    )
    name: Callable[[User], str | None] = (
        (lambda user: user.user_id or user.email) if prefer_id else (lambda user: user.email or user.user_id)
    )
    return filter(None, map(name, members(box, _find(box, int(query["listId"])))))


def _find(box: "IterableSandbox", list_id: int) -> MailingList:
    found = box.project.lists.get(list_id)
    if found is None:
        raise box.project.invalid_list(list_id)
    return found


def _writable(box: "IterableSandbox", call: Call) -> MailingList:
    """Return the list that a call changes; one that was just created is not known for a while."""
    found = box.project.static_list(call.body.get("listId"))
    if box.clock() < found.created + box.lists_usable_after:
        raise box.project.invalid_list(found.list_id)
    return found

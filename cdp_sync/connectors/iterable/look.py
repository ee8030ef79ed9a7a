"""What `cdp-sync scan` shows of a project: lists, and fields with types and the values of some users; or events."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cdp_sync.connectors.iterable import answers
from cdp_sync.connectors.iterable.answers import MailingList, list_named
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.event_data import EVENT_TIME
from cdp_sync.connectors.iterable.goals import UserImportGoal, key_of
from cdp_sync.connectors.iterable.protocol import UserQuery
from cdp_sync.errors import ListUnknown
from cdp_sync.model import SourceLook
from cdp_sync.model.counting import counted

_SHOWN = 3
"""Users whose values are shown."""
_LATELY = timedelta(days=1)
"""Of a goal over all users, those who changed in this period are shown; of one over events, those of this period."""

Json = Mapping[str, Any]


def look(client: IterableClient, goal: UserImportGoal, now: datetime) -> SourceLook:
    """Return the goal's lists, or all of them; beside it the project's fields, and what some users have there."""
    if goal.events_from:
        return _look_at_events(client, goal, now)
    there = client.lists()
    rows = tuple(_row(client, there, named, sized=bool(goal.lists)) for named in goal.lists or [e.id for e in there])
    users = counted(sum(row[3] or 0 for row in rows), "user")
    summary = f"{counted(len(rows), 'list')}, {users}" if goal.lists else "all users"
    found = tuple(_some_users(client, goal, there, now))
    fields = _fields(client.fields(), goal, found)
    sample = b"".join(json.dumps(user).encode() + b"\n" for user in found)
    columns = ("list", "id", "kind", "users", "created")
    return SourceLook("list", columns, rows, summary, (fields,), sample, counted(len(found), "user"))


def _look_at_events(client: IterableClient, goal: UserImportGoal, now: datetime) -> SourceLook:
    """Return some lines of each type of events of the last day; the limit is four types a minute."""
    queries = {name: UserQuery(now - _LATELY, now, data_type=name) for name in goal.events_from}
    found = {name: client.first_lines(query, _SHOWN) for name, query in queries.items()}
    events = [(name, event) for name, lines in found.items() for event in answers.users(lines)]
    rows = tuple((name, _value(event, EVENT_TIME), ", ".join(sorted(event))) for name, event in events)
    sample = b"".join(json.dumps(event).encode() + b"\n" for _, event in events)
    shown = counted(len(events), "event")
    return SourceLook("event", ("type", "time", "fields"), rows, f"{shown} of the last day", (), sample, shown)


def _row(
    client: IterableClient, there: tuple[MailingList, ...], named: str | int, *, sized: bool
) -> tuple[str, int | None, str, int | None, datetime | None]:
    """Return what there is to know of a list; its size only where it is wanted, as that is five calls a minute."""
    try:
        found = list_named(there, named)
    except ListUnknown:
        why = "not unique" if any(each.name == named for each in there) else "not there"
        return str(named), None, why, None, None
    return found.name, found.id, found.kind, client.list_size(found.id) if sized else None, found.created_at


def _fields(types: Mapping[str, str], goal: UserImportGoal, users: tuple[Json, ...]) -> SourceLook:
    """Return the fields: those that the goal links or maps first, with their properties and the values of users."""
    properties: dict[str, list[str]] = {}
    pairs = [(link.field, link.property) for link in goal.link] + [(each.field, each.property) for each in goal.map]
    for field, prop in pairs:
        properties.setdefault(field, []).append(prop)
    rows = [
        (field, types.get(field, "not there"), ", ".join(found), *(_value(user, field) for user in users))
        for field, found in properties.items()
    ]
    rows += [(field, kind, "", *("" for _ in users)) for field, kind in types.items() if field not in properties]
    columns = ("field", "type", "property", *(f"user {number + 1}" for number in range(len(users))))
    return SourceLook("field", columns, tuple(rows), counted(len(types), "field"))


def _some_users(
    client: IterableClient, goal: UserImportGoal, there: tuple[MailingList, ...], now: datetime
) -> Iterator[Json]:
    """Yield some users on the first list of the goal, or some who changed lately."""
    if not goal.lists:
        yield from answers.users(client.first_lines(UserQuery(now - _LATELY, now), _SHOWN))
        return
    try:
        members = client.preview_list(list_named(there, goal.lists[0]).id, _SHOWN)
    except ListUnknown:
        return
    for member in members:
        if user := client.user(key_of(member, client.project.keys), member):
            yield user


def _value(user: Json, field: str) -> str:
    """Return a field's value as text: it stands under its name, or in nested objects."""
    found: Any = user
    if field in user:
        found = user[field]
    else:
        for name in field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

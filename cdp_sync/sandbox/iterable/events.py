"""The endpoints `events` and `commerce`, and what is stored of an event."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Asked, Call, Clock, check, mapping
from cdp_sync.sandbox.iterable.fields import Fields, Registry, flat, moment
from cdp_sync.sandbox.iterable.project import User
from cdp_sync.sandbox.iterable.users import SUCCESS, identifier_of
from cdp_sync.sandbox.iterable.writing import Written, entries_of, write_each, write_user

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable.sandbox import IterableSandbox

_MOST_FIELDS = 8000
_MILLISECONDS = 100_000_000_000
"""A time from here on is in milliseconds."""

_SHOWN = (
    "_id", "eventName", "email", "userId", "createdAt", "eventUpdatedAt", "campaignId", "templateId", "itblInternal",
)  # fmt: skip
"""What answers say of an event beside its type and data fields."""
_STANDARD = ("shoppingCartItems", "total", "messageId", "url")
"""The fields of events that are the vendor's own."""


@dataclass(slots=True, eq=False)
class Event:
    """An event of a user: a custom one, which has a name, or a purchase."""

    event_id: str
    type: str
    user: User
    created: float
    updated: float
    name: str | None = None
    fields: Fields = field(default_factory=dict)
    about: Fields = field(default_factory=dict)

    @property
    def line(self) -> Fields:
        """All of it, as exports have it before they make it flat."""
        return self.line_of()

    def line_of(self, *, apart: bool = False) -> Fields:
        """Return all of it; its own fields but for those of the standard in `dataFields` where they stand apart."""
        name = {} if self.name is None else {"eventName": self.name}
        times = {"createdAt": moment(self.created), "eventUpdatedAt": moment(self.updated)}
        internal = {"documentCreatedAt": moment(self.created), "documentUpdatedAt": moment(self.updated)}
        own = {"dataFields": {n: v for n, v in self.fields.items() if n not in _STANDARD}} if apart else {}
        fields = {n: v for n, v in self.fields.items() if not apart or n in _STANDARD}
        fields = {**self.about, **fields, **own, "itblInternal": internal}
        return {"_id": self.event_id, **name, **self.user.identifiers, **times, **fields}


class Events:
    """All events, by id and by user."""

    def __init__(self, clock: Clock) -> None:
        self.by_id: dict[str, Event] = {}
        self.by_user: defaultdict[int, list[Event]] = defaultdict(list)
        self._clock = clock
        self._types: defaultdict[str, Registry] = defaultdict(lambda: Registry("event", {}, _MOST_FIELDS))
        self._new_ids = (f"{number:032x}" for number in count(1))

    def save(self, kind: str, user: User, asked: Asked, values: Fields, *, create: bool) -> Event:
        """Add an event, or replace the one with its id; raise Refused where a field has another type."""
        event_id = str(asked.get("id") or next(each for each in self._new_ids if each not in self.by_id))
        check(len(event_id.encode()) <= 512, "id may have 512 bytes", "BadParams")
        types = self._types[asked.get("eventName") or kind]
        checked = types.check(values, create=create)
        types.accept(checked)
        now = self._clock()
        found = self.by_id.get(event_id)
        if found is None:
            found = self.by_id[event_id] = Event(event_id, kind, user, _created(asked, now), now)
            self.by_user[user.number].append(found)
        found.name, found.updated = asked.get("eventName"), now
        found.created = _created(asked, found.created)
        found.fields = checked.values
        found.about = {name: asked[name] for name in ("campaignId", "templateId") if asked.get(name) is not None}
        return found

    def record(self, kind: str, user: User, created: float, **values: Any) -> Event:  # noqa: ANN401 - any JSON
        """Add an event of any type, such as `emailOpen`, which no call stores."""
        return self.save(kind, user, {"createdAt": created}, values, create=True)

    def dump(self) -> Iterator[Fields]:
        """Yield the events as JSON."""
        for each in self.by_id.values():
            yield {"event": each.type, "id": each.event_id, **each.user.identifiers, "eventName": each.name,
                   "createdAt": each.created, "dataFields": each.fields, **each.about}  # fmt: skip

    def of(self, user: User | None) -> list[Event]:
        """Return the events of a user, the newest first."""
        found = self.by_user.get(user.number, []) if user else []
        return sorted(found, key=lambda event: -event.created)


def track(box: "IterableSandbox", call: Call) -> Fields:
    """Store one event."""
    _track(box, call.body)
    return SUCCESS


def track_many(box: "IterableSandbox", call: Call) -> Fields:
    """Store many events."""
    events = entries_of(call.body, "events")
    box.check_size(events)
    answer = write_each(events, partial(_track, box)).answer
    users_only = ("invalidData", "conflict")
    failed = {name: found for name, found in answer["failedUpdates"].items() if not name.startswith(users_only)}
    return {**answer, "disallowedEventNames": [], "failedUpdates": failed}


def track_purchase(box: "IterableSandbox", call: Call) -> Fields:
    """Store a purchase, write its user, and empty the user's cart."""
    asked = call.body
    items = _items(asked)
    check(isinstance(asked.get("total"), int | float), "total is required", "BadParams")
    user = _user_of(box, asked, {"shoppingCartItems": None})
    values = {**mapping(asked, "dataFields"), "shoppingCartItems": items, "total": float(asked["total"])}
    event = box.events.save("purchase", user, asked, values, create=True)
    return {**SUCCESS, "params": {"id": event.event_id}}


def update_cart(box: "IterableSandbox", call: Call) -> Fields:
    """Replace the cart of a user, and store that as an event."""
    items = _items(call.body)
    user = _user_of(box, call.body, {"shoppingCartItems": items})
    event = {"eventName": "updateCart"}
    box.events.save("customEvent", user, event, {"updatedShoppingCartItems": items}, create=True)
    return SUCCESS


def read_events(box: "IterableSandbox", call: Call) -> Fields:
    """Return the newest events of a user."""
    limit = call.request.query_params.get("limit", "30")
    check(limit.isdecimal() and 1 <= int(limit) <= 200, f"Invalid limit: {limit}", "BadParams")
    return {"events": [_described(event) for event in box.events.of(_user(box, call))[: int(limit)]]}


def user_event_rows(box: "IterableSandbox", call: Call) -> list[Fields]:
    """Return all events of a user for an export."""
    custom = call.request.query_params.get("includeCustomEvents", "").lower() == "true"
    found = [event for event in box.events.of(_user(box, call)) if custom or event.type != "customEvent"]
    return [{"_type": event.type, **flat(event.line)} for event in found]


def _track(box: "IterableSandbox", asked: Asked) -> Written:
    check(asked.get("eventName"), "eventName is required", "BadParams")
    create = asked.get("createNewFields")
    done = write_user(box, {name: asked.get(name) for name in ("email", "userId")})
    box.events.save(
        "customEvent", done.user, asked, mapping(asked, "dataFields"),
        create=create if isinstance(create, bool) else box.creates_fields,
    )  # fmt: skip
    return done


def _user_of(box: "IterableSandbox", asked: Asked, values: Fields) -> User:
    given = mapping(asked, "user")
    return write_user(box, {**given, "dataFields": {**mapping(given, "dataFields"), **values}}).user


def _items(asked: Asked) -> list[Fields]:
    items = entries_of(asked, "items")
    for item in items:
        missing = [name for name in ("id", "name", "price", "quantity") if item.get(name) is None]
        check(not missing, f"Missing in items: {', '.join(missing)}", "BadParams")
    return [{**item, "price": float(item["price"])} for item in items]


def _user(box: "IterableSandbox", call: Call) -> User | None:
    return box.project.find(*identifier_of(call))


def _described(event: Event) -> Fields:
    line = event.line
    return {
        "eventType": event.type,
        **{name: line[name] for name in _SHOWN if name in line},
        "dataFields": event.fields,
    }


def _created(asked: Asked, otherwise: float) -> float:
    """Return when an event happened; both seconds and milliseconds are taken."""
    given: Any = asked.get("createdAt")
    if given is None:
        return otherwise
    check(isinstance(given, int | float), "createdAt: Number value expected", "BadJsonBody")
    return float(given / 1000 if given >= _MILLISECONDS else given)

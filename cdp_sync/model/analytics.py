"""Which events the figures of analytics are counted from, and when they are counted and written by themselves."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from cdp_sync.model.declared import Declared
from cdp_sync.model.event import EventType
from cdp_sync.model.property import Property
from cdp_sync.model.schedule import Schedule
from cdp_sync.model.suggestion import allowed

MESSAGES = ("sent", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")
"""What happens to a message; each names the type of its events."""

Period = Literal["total", "day", "week", "month"]
"""What a row of figures is about: the whole timeframe, or a part of the calendar in UTC. Weeks begin on Monday."""

_NUMBERS = ("number", "decimal")


class Analytics(Declared):
    """The types of events that figures are counted from, and their properties. A type that is not declared has none."""

    sent: str = "email_sent"
    """Type of the events that a message was sent."""
    delivered: str = "email_delivered"
    """Type of the events that it was delivered."""
    bounced: str = "email_bounced"
    """Type of the events that it was not."""
    opened: str = "email_opened"
    """Type of the events that it was opened."""
    clicked: str = "email_link_clicked"
    """Type of the events that a link in it was clicked."""
    unsubscribed: str = "email_unsubscribed"
    """Type of the events that its recipient unsubscribed."""
    complained: str = "email_spam_reported"
    """Type of the events that its recipient reported it as spam."""
    order: str = "order"
    """Type of the events that a profile ordered something."""
    revenue: str = "total_revenue"
    """Property of an order: its amount."""
    campaign: str = "campaign_id"
    """Property of these messages: the campaign."""
    campaign_name: str = "campaign_name"
    """Property of these messages: what people call the campaign."""
    message: str = "message_id"
    """Property of these messages: the message of the campaign."""
    bounce_kind: str = "kind"
    """Property of a bounce: `hard` or `soft`."""
    attribution_days: Annotated[int, Field(ge=1, le=365)] = 7
    """An order counts for the campaign that its profile last clicked, or else opened, at most so many days before."""
    identified_by: str | None = None
    """A profile with a value of this property is identified; absent: of an identifier of type `email`, or of any."""
    days: Annotated[int, Field(ge=1, le=731)] = 30
    """The timeframe of the assets: so many whole days in UTC that have passed."""
    by: Period = "day"
    """What a row of the assets is about: `total`, `day`, `week` or `month`."""
    file: Literal["csv", "json"] | None = None
    """Write each view to a file in `data/analytics` as well, in this format."""
    schedule: Annotated[Schedule | None, Field(examples=[{"times_per_day": 1, "starting_at": "06:00"}])] = None
    """When the job `analytics` counts the figures by itself."""

    def event(self, role: str, types: Mapping[str, EventType]) -> EventType | None:
        """Return the declared type of events that stands for one of `MESSAGES` or for `order`, if there is one."""
        return types.get(getattr(self, role))

    def property_of(self, key: str, event: EventType) -> Property | None:
        """Return the property of a type that a key such as `campaign` names, if it is usable; None otherwise."""
        return _usable(key, event).get(getattr(self, key))

    def problems(self, types: Mapping[str, EventType], properties: Mapping[str, Property]) -> Iterator[str]:
        """Yield what does not fit the profile, of all that is written: a default that does not fit has no figures."""
        for role in (*MESSAGES, "order"):
            if role in self.model_fields_set and getattr(self, role) not in types:
                yield f"{role}: {getattr(self, role)!r} is unknown; {allowed(getattr(self, role), types)}"
        for key, roles in _ROLES.items():
            found = [event for role in roles if (event := self.event(role, types))]
            if key in self.model_fields_set and not any(self.property_of(key, event) for event in found):
                named, single = getattr(self, key), "is no single number" if key == "revenue" else "is no single value"
                what = single if any(named in event.by_name for event in found) else "is unknown"
                names = dict.fromkeys(name for event in found for name in _usable(key, event))
                yield f"{key}: {named!r} {what}; {allowed(named, names)}"
        if self.identified_by and self.identified_by not in properties:
            yield f"identified_by: {self.identified_by!r} is unknown; {allowed(self.identified_by, properties)}"


def _usable(key: str, event: EventType) -> dict[str, Property]:
    """Return the properties of a type that a key such as `campaign` can name: those of one value, or of one number."""
    of_one = {name: prop for name, prop in event.by_name.items() if not (prop.items or prop.multiple)}
    return {name: prop for name, prop in of_one.items() if key != "revenue" or prop.type in _NUMBERS}


_ROLES = {
    "revenue": ("order",),
    "campaign": MESSAGES,
    "campaign_name": MESSAGES,
    "message": MESSAGES,
    "bounce_kind": ("bounced",),
}
"""The types of events that have a property, by the key that names it."""

"""A second reading of the definitions in docs/analytics.md: plain Python over lists of events, without SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from cdp_sync.analytics import Timeframe

Event = Mapping[str, Any]
COUNTED = {
    "sends": "email_sent",
    "deliveries": "email_delivered",
    "bounces": "email_bounced",
    "opens": "email_opened",
    "clicks": "email_link_clicked",
    "unsubscribes": "email_unsubscribed",
    "complaints": "email_spam_reported",
}
RATES = {
    "delivery_rate": ("deliveries", "sends"),
    "bounce_rate": ("bounces", "sends"),
    "open_rate": ("unique_opens", "deliveries"),
    "click_rate": ("unique_clicks", "deliveries"),
    "click_to_open_rate": ("unique_clicks", "unique_opens"),
    "unsubscribe_rate": ("unsubscribes", "deliveries"),
    "complaint_rate": ("complaints", "deliveries"),
    "conversion_rate": ("attributed_orders", "deliveries"),
}


def rate(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """Return a part of a whole to four digits, half up."""
    with localcontext(prec=60):
        return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), ROUND_HALF_UP) if whole else None


def period_of(moment: datetime, by: str) -> date:
    """Return the first day of a moment's period."""
    day = moment.astimezone(UTC).date()
    if by == "week":
        while day.strftime("%A") != "Monday":
            day -= timedelta(days=1)
    return date(day.year, day.month, 1) if by == "month" else day


@dataclass(frozen=True)
class World:
    """Profiles, and events with a profile and a time."""

    profiles: Sequence[Mapping[str, Any]]
    events: Sequence[Event]
    days: int = 7
    """Of attribution."""

    def within(self, frame: Timeframe, kind: str | None = None) -> list[Event]:
        """Return the events of the days of a timeframe, of one type or of all."""
        return [
            event
            for event in self.events
            if kind in (None, event["type"])
            and frame.since <= event["happened_at"].astimezone(UTC).date() <= frame.until
        ]

    def touch(self, order: Event) -> Event | None:
        """Return the event that an order is attributed to."""
        for kind in ("email_link_clicked", "email_opened"):
            before = [
                event
                for event in self.events
                if event["type"] == kind
                and event["profile_id"] == order["profile_id"]
                and timedelta(0) <= order["happened_at"] - event["happened_at"] <= timedelta(days=self.days)
            ]
            if before:
                return max(before, key=lambda event: (event["happened_at"], event["event_id"]))
        return None

    def messages(self, events: Iterable[Event]) -> dict[str, Any]:
        """Return the figures of messages of some events."""
        events = list(events)
        figures = {name: sum(event["type"] == kind for event in events) for name, kind in COUNTED.items()}
        for kind in ("hard", "soft"):
            figures[f"{kind}_bounces"] = sum(
                event["type"] == "email_bounced" and event["kind"] == kind for event in events
            )
        for name in ("opens", "clicks"):
            one = {
                (event["profile_id"], event["campaign_id"], event["message_id"])
                for event in events
                if event["type"] == COUNTED[name]
            }
            figures[f"unique_{name}"] = len(one)
        return figures

    def performance(self, frame: Timeframe, day: date | None = None, campaign: str | None = None) -> dict[str, Any]:
        """Return the figures of a timeframe, of one of its periods, or of one campaign."""
        events = [event for event in self.within(frame) if day in (None, period_of(event["happened_at"], frame.by))]
        orders = [event for event in events if event["type"] == "order"]
        touched = [(order, touch) for order in orders if (touch := self.touch(order))]
        if campaign:
            events = [event for event in events if event.get("campaign_id") == campaign]
            touched = [(order, touch) for order, touch in touched if touch["campaign_id"] == campaign]
        figures = self.messages(events)
        figures["orders"], figures["revenue"] = len(orders), revenue_of(orders)
        figures["attributed_orders"] = len(touched)
        figures["attributed_revenue"] = revenue_of(order for order, _ in touched)
        return figures | {name: rate(figures[part], figures[whole]) for name, (part, whole) in RATES.items()}

    def customers(self, frame: Timeframe, day: date | None = None) -> dict[str, Any]:
        """Return the figures of customers of a timeframe, or of one of its periods."""
        orders = [
            event for event in self.within(frame, "order") if day in (None, period_of(event["happened_at"], frame.by))
        ]
        people = {order["profile_id"] for order in orders}
        firsts = {}
        for event in sorted(self.events, key=lambda event: event["happened_at"]):
            if event["type"] == "order":
                firsts.setdefault(event["profile_id"], event["happened_at"])
        new = {
            person
            for person in people
            if firsts[person] >= datetime(frame.since.year, frame.since.month, frame.since.day, tzinfo=UTC)
            and day in (None, period_of(firsts[person], frame.by))
        }
        total = revenue_of(orders)
        return {
            "customers": len(people),
            "new_customers": len(new),
            "returning_customers": len(people - new),
            "orders": len(orders),
            "revenue": total,
            "returning_rate": rate(len(people - new), len(people)),
            "orders_per_customer": rate(len(orders), len(people)),
            "average_order_value": rate(total, len(orders)),
        }

    def identification(self, frame: Timeframe, day: date | None = None) -> dict[str, Any]:
        """Return the figures of identification of a timeframe, or of one of its periods."""
        known = {profile["profile_id"] for profile in self.profiles if profile["email"]}
        events = [event for event in self.within(frame) if day in (None, period_of(event["happened_at"], frame.by))]
        people = {event["profile_id"] for event in events}
        created = [
            profile
            for profile in self.profiles
            if frame.since <= profile["created_at"].date() <= frame.until
            and day in (None, period_of(profile["created_at"], frame.by))
        ]
        of_known = [event for event in events if event["profile_id"] in known]
        return {
            "active_profiles": len(people),
            "identified_profiles": len(people & known),
            "events": len(events),
            "identified_events": len(of_known),
            "profiles_created": len(created),
            "identified_profiles_created": len([profile for profile in created if profile["email"]]),
            "identification_rate": rate(len(people & known), len(people)),
            "identified_event_rate": rate(len(of_known), len(events)),
        }


def revenue_of(orders: Iterable[Event]) -> Decimal:
    """Return the sum of the amounts; an order without one counts nothing."""
    return sum((order["total_revenue"] or Decimal(0) for order in orders), Decimal(0))

"""The views: which figures each has, and how they are counted. Every figure is defined in docs/analytics.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cdp_sync.analytics.figures import Figures, Row, with_shares
from cdp_sync.analytics.sources import Sources
from cdp_sync.analytics.timeframe import Timeframe
from cdp_sync.errors import UnknownName
from cdp_sync.model import Profiles
from cdp_sync.model.suggestion import one_of
from cdp_sync.warehouse import Session, fixed

_MESSAGES = {
    "sends": "sent",
    "deliveries": "delivered",
    "bounces": "bounced",
    "hard_bounces": "bounced",
    "soft_bounces": "bounced",
    "opens": "opened",
    "unique_opens": "opened",
    "clicks": "clicked",
    "unique_clicks": "clicked",
    "unsubscribes": "unsubscribed",
    "complaints": "complained",
}
"""Figures of messages, and the events that each counts."""
_ATTRIBUTED = ("attributed_orders", "attributed_revenue")
_RATES = {
    "delivery_rate": ("deliveries", "sends"),
    "bounce_rate": ("bounces", "sends"),
    "open_rate": ("unique_opens", "deliveries"),
    "click_rate": ("unique_clicks", "deliveries"),
    "click_to_open_rate": ("unique_clicks", "unique_opens"),
    "unsubscribe_rate": ("unsubscribes", "deliveries"),
    "complaint_rate": ("complaints", "deliveries"),
    "conversion_rate": ("attributed_orders", "deliveries"),
}
"""Shares of figures of messages: a part, and the whole."""
_CUSTOMERS = ("customers", "new_customers", "returning_customers", "orders", "revenue")
_CUSTOMER_RATES = {
    "returning_rate": ("returning_customers", "customers"),
    "orders_per_customer": ("orders", "customers"),
    "average_order_value": ("revenue", "orders"),
}
_PROFILES = (
    "active_profiles", "identified_profiles", "events", "identified_events", "profiles_created",
    "identified_profiles_created",
)  # fmt: skip
_PROFILE_RATES = {
    "identification_rate": ("identified_profiles", "active_profiles"),
    "identified_event_rate": ("identified_events", "events"),
}
_NAMES_SHOWN = 20

_ALL = object()
"""The key of the figures of the whole timeframe."""

_LATEST_NAME = "(max({happened_at: happened_at, name: name}) filter (name is not null)).name"
"""What a campaign was last called."""


def view_figures(session: Session, profiles: Profiles, view: str, timeframe: Timeframe) -> Figures:
    """Return one of `VIEWS` over a timeframe.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    return _VIEWS[view](_Counting(session, Sources.of(session, profiles), timeframe))


def view_campaign(session: Session, profiles: Profiles, name: str, timeframe: Timeframe) -> Figures:
    """Return the figures of one campaign by period; `name` is its id, or else what people call it.

    Campaigns that are called the same are counted together.

    Raises:
        UnknownName: No event in the timeframe is of this campaign.
    """
    counting = _Counting(session, Sources.of(session, profiles), timeframe)
    known = {row["campaign"]: row["name"] for row in _campaigns(counting).rows if row["campaign"] is not None}
    ids = [name] if name in known else [each for each, called in known.items() if called == name]
    if not ids:
        raise UnknownName(
            f"No event from {timeframe.since} to {timeframe.until} is of a campaign {name!r}.",
            needed=one_of(name, [*known][:_NAMES_SHOWN], none="None is of any campaign."),
        )
    found = counting.messages(only=ids), counting.orders(only=ids)
    return counting.by_period("campaign", found, (*_MESSAGES, *_ATTRIBUTED), _RATES)


class _Counting:
    """The queries of the views over one timeframe. Each returns figures by key; those of all have the key `_ALL`."""

    def __init__(self, session: Session, sources: Sources, timeframe: Timeframe) -> None:
        self._session = session
        self._sources = sources
        self.timeframe = timeframe

    def messages(self, *, only: Sequence[str] = (), by_campaign: bool = False) -> Mapping[Any, Row]:
        """Return what happened to messages: to all, or to those of some campaigns."""
        found = self._query(
            "messages",
            only,
            key="campaign" if by_campaign else self._period(),
            called=_LATEST_NAME if by_campaign else "null",
            events=self._sources.messages(),
        )
        unknown = {name: None for name, role in _MESSAGES.items() if not self._sources.is_declared(role)}
        return {key: {**row, **unknown} for key, row in found.items()}

    def orders(self, *, only: Sequence[str] = (), by_campaign: bool = False) -> Mapping[Any, Row]:
        """Return orders and their revenue, and those that are attributed: to any campaign, or to some of them."""
        found = self._query(
            "orders",
            only,
            {"hours": self._sources.analytics.attribution_days * 24},
            key="campaign" if by_campaign else self._period(),
            called=_LATEST_NAME if by_campaign else "null",
            orders=self._sources.orders(),
            clicks=self._sources.messages(["clicked"]),
            opens=self._sources.messages(["opened"]),
            attributed="is_attributed" if by_campaign else "true",
        )
        return self._known_orders(found)

    def customers(self) -> Mapping[Any, Row]:
        """Return the profiles with an order."""
        first = self._period("first_at")
        found = self._query("customers", key=self._period(), first_key=first, orders=self._sources.orders())
        for row in found.values():
            row["returning_customers"] = row["customers"] - row["new_customers"]
        return self._known_orders(found)

    def activity(self) -> Mapping[Any, Row]:
        """Return the profiles with an event."""
        sources = self._sources
        return self._query(
            "activity", key=self._period(), events=sources.activity(), identified=sources.is_identified()
        )

    def created(self) -> Mapping[Any, Row]:
        """Return the profiles that were created."""
        return self._query("created", key=self._period("created_at"), identified=self._sources.is_identified())

    def by_period(
        self, view: str, found: Sequence[Mapping[Any, Row]], names: Sequence[str], rates: Mapping[str, tuple[str, str]]
    ) -> Figures:
        """Return the figures of several queries by period; a period without any has a row as well."""
        frame = self.timeframe
        total = with_shares(_joined(found, _ALL, names), rates)
        rows = [{"period": day, **with_shares(_joined(found, day, names), rates)} for day in frame.periods()]
        rows = rows or [{"period": frame.words, **total}]
        return Figures(view, frame, ("period",), (*names, *rates), tuple(rows), total)

    def _known_orders(self, found: dict[Any, dict[str, Any]]) -> Mapping[Any, Row]:
        """Return rows without the figures that have no source: of undeclared orders, and of orders without amount."""
        if not self._sources.is_declared("order"):
            return {key: dict.fromkeys(row) for key, row in found.items()}
        unknown = {} if self._sources.has_revenue else {"revenue": None, "attributed_revenue": None}
        return {key: {**row, **unknown} for key, row in found.items()}

    def _period(self, moment: str = "happened_at") -> str:
        """Return the expression for the first day of the period of a moment, in UTC."""
        by = self.timeframe.by
        return "null::date" if by == "total" else f"date_trunc('{by}', make_timestamp(epoch_us({moment})))::date"

    def _query(
        self, name: str, only: Sequence[str] = (), values: Mapping[str, object] | None = None, **parts: str
    ) -> dict[Any, dict[str, Any]]:
        """Return the rows of a statement of this package by key."""
        bound: dict[str, object] = {"start": self.timeframe.start, "end": self.timeframe.end, **(values or {})}
        parts["only"] = "list_contains($campaigns::varchar[], campaign)" if only else "true"
        if only:
            bound["campaigns"] = list(only)
        made = fixed(name, f"analytics/{name}", bound, **parts)
        found = {}
        for row in self._session.records(made.sql, made.values):
            key, is_total = row.pop("key"), row.pop("is_total")
            found[_ALL if is_total else key] = row
        return found


def _joined(found: Sequence[Mapping[Any, Row]], key: object, names: Sequence[str]) -> dict[str, Any]:
    """Return the figures of several queries for one key; where a query has no row, as many as of nothing."""
    row: dict[str, Any] = {}
    for rows in found:
        nothing = {name: None if value is None else value * 0 for name, value in rows[_ALL].items() if name in names}
        row |= rows.get(key, nothing)
    return {name: row[name] for name in names}


def _performance(counting: _Counting) -> Figures:
    found = counting.messages(), counting.orders()
    return counting.by_period("performance", found, (*_MESSAGES, "orders", "revenue", *_ATTRIBUTED), _RATES)


def _campaigns(counting: _Counting) -> Figures:
    """Return the figures by campaign, that with most deliveries first; events of no campaign have a row without one."""
    messages, orders = counting.messages(by_campaign=True), counting.orders(by_campaign=True)
    names = (*_MESSAGES, *_ATTRIBUTED)
    keys = [key for key in {**messages, **orders} if key is not _ALL]
    rows = [
        {
            "campaign": key,
            "name": messages.get(key, {}).get("name") or orders.get(key, {}).get("name"),
            **with_shares(_joined([messages, orders], key, names), _RATES),
        }
        for key in keys
    ]
    rows.sort(key=lambda row: (-(row["deliveries"] or 0), row["campaign"] is None, str(row["campaign"])))
    total = with_shares(_joined([messages, orders], _ALL, names), _RATES)
    return Figures("campaigns", counting.timeframe, ("campaign", "name"), (*names, *_RATES), tuple(rows), total)


def _customers(counting: _Counting) -> Figures:
    return counting.by_period("customers", [counting.customers()], _CUSTOMERS, _CUSTOMER_RATES)


def _identification(counting: _Counting) -> Figures:
    found = counting.activity(), counting.created()
    return counting.by_period("identification", found, _PROFILES, _PROFILE_RATES)


_VIEWS: Mapping[str, Callable[[_Counting], Figures]] = {
    "identification": _identification,
    "customers": _customers,
    "performance": _performance,
    "campaigns": _campaigns,
}
VIEWS = tuple(_VIEWS)
"""The views of everything; that of one campaign is `view_campaign`."""

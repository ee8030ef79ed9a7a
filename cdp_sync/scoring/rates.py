"""Rates and shares: beta-binomial models of events that fade, fitted by moments."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from cdp_sync.model import Rate, Share
from cdp_sync.scoring.measure import SQL, Measure
from cdp_sync.segments.events import Events
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step, fixed, quote_identifier

EVER = datetime(1, 1, 1, tzinfo=UTC)

WEAKEST, STRONGEST = 1.0, 1000.0
"""Limits of the prior's strength, in messages."""

_NO_EVENTS = "select null::uuid, null::timestamptz where false"

_WEIGHT = "exp(-$fading * (epoch_us($until) - epoch_us(happened_at)) / 86400e6)"
_COUNTS = "happened_at > $since and happened_at <= $until and "


class RateMeasure(Measure):
    """How many of the messages a profile responds to, or which part of its events meets a condition."""

    nothing = "null"
    fitted = 'select mean as "mean rate", strength as "strength of the prior" from prior'

    def values(self, until: datetime) -> Iterator[Step]:
        """Yield the steps that make `score_value`."""
        yield self._weighed(EVER, until, math.log(2) / self.score.half_life_days)
        yield fixed("prior", f"{SQL}/prior", {"weakest": WEAKEST, "strongest": STRONGEST})
        yield fixed("score_value", f"{SQL}/smoothed")

    def period(self, yields: str, since: datetime, until: datetime) -> Iterator[Step]:
        """Yield the steps that make the responses of a period, and the rate; there is none without messages."""
        yield self._weighed(since, until, fading=0.0)
        yield fixed(yields, f"{SQL}/rate_in_period", table=yields)

    def _weighed(self, since: datetime, until: datetime, fading: float) -> Step:
        messages, responses = self._of_share(self.score.share, until) if self.score.share else self._of_rate()
        moments = {"since": since, "until": until, "fading": fading}
        parts = {
            "messages": messages.sql,
            "responses": responses.sql,
            "weight": _WEIGHT,
            "counts": _COUNTS + self.sampled,
        }
        return fixed("weighed", f"{SQL}/weighed", {**responses.values, **moments}, **parts)

    def _of_rate(self) -> tuple[Step, Step]:
        """Return the queries for the messages, and for the responses."""
        rate = self.score.rate or Rate(of=(), among=())
        messages, responses = ([table for table in map(self.table, names) if table] for names in (rate.among, rate.of))
        return _events(messages), _events(responses, rate.once_per)

    def _of_share(self, share: Share, until: datetime) -> tuple[Step, Step]:
        """Return the queries for all events, and for those that meet the condition."""
        events = Events(self.profiles.event[share.of], until, self.columns)
        if not events.are_stored:
            return Step("event", _NO_EVENTS), Step("event", _NO_EVENTS)
        every = sa.select(events.column("profile_id"), events.column("happened_at")).select_from(events.table)
        return step("event", every), step("event", every.where(events.meets(share.where)))


def _events(tables: list[str], once_per: str | None = None) -> Step:
    """Return the query for events; with `once_per` the first one of those that have the same value of it."""
    if not tables:
        return Step("event", _NO_EVENTS)
    if not once_per:
        return Step("event", " union all ".join(f"select profile_id, happened_at from {table}" for table in tables))
    message = f"coalesce({quote_identifier(once_per)}::varchar, event_id)"
    every = " union all ".join(f"select profile_id, happened_at, {message} as message from {table}" for table in tables)
    return Step("event", f"select profile_id, min(happened_at) from ({every}) group by profile_id, message")

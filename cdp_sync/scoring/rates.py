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

_NO_EVENTS = "select null::uuid, null::timestamptz, null::boolean, null::boolean where false"
_NAMES = "select * from (\n{}\n) as event (profile_id, happened_at, is_message, is_response)"


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
        events = self._events(until)
        moments = {"since": since, "until": until, "fading": fading, "one_in": self.one_in}
        return fixed("weighed", f"{SQL}/weighed", {**events.values, **moments}, events=_NAMES.format(events.sql))

    def _events(self, until: datetime) -> Step:
        """Return the query for the events: whose, when, whether they count as message, and as response."""
        if self.score.share:
            return self._of_share(self.score.share, until)
        return self._of_rate(self.score.rate) if self.score.rate else Step("event", _NO_EVENTS)

    def _of_rate(self, rate: Rate) -> Step:
        """Return the query for the messages and the responses."""
        messages = [
            f"select profile_id, happened_at, true, false from {table}"
            for table in map(self.table, rate.among)
            if table
        ]
        responses = [table for table in map(self.table, rate.of) if table]
        return Step("event", "\nunion all\n".join([*messages, *_responses(responses, rate.once_per)]) or _NO_EVENTS)

    def _of_share(self, share: Share, until: datetime) -> Step:
        """Return the query for the events, each with whether it meets the condition."""
        events = Events(self.profiles.event[share.of], until, self.columns)
        if not events.are_stored:
            return Step("event", _NO_EVENTS)
        columns = events.column("profile_id"), events.column("happened_at"), sa.true(), events.meets(share.where)
        return step("event", sa.select(*columns).select_from(events.table))


def _responses(tables: list[str], once_per: str | None) -> list[str]:
    """Return the queries for responses; with `once_per` the first one of those that have the same value of it."""
    if not once_per or not tables:
        return [f"select profile_id, happened_at, false, true from {table}" for table in tables]
    message = f"coalesce({quote_identifier(once_per)}::varchar, event_id)"
    every = " union all ".join(f"select profile_id, happened_at, {message} as message from {table}" for table in tables)
    return [f"select profile_id, min(happened_at), false, true from ({every}) group by profile_id, message"]

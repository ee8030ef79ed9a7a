"""Expected values: how often a profile buys, whether it still does, and for how much. All fitted in SQL by moments.

Purchases of an active profile are a Poisson process whose rate differs between profiles by a gamma distribution; after
each purchase a profile stops for good with one probability (a BG/NBD model with one dropout probability; Fader, Hardie
and Lee 2005). What was forecast for the last horizon is compared with what came, and corrects the forecast.
"""

from collections.abc import Iterator
from datetime import datetime

from cdp_sync.scoring.measure import SQL, Measure
from cdp_sync.warehouse import Step, fixed, quote_identifier

ROUNDS = 20
"""Rounds of the fit."""

_IS_ACTIVE = """1 / (1 + dropout / (1 - dropout)
            * exp(least((shape + purchases - 1) * ln((scale + age) / (scale + active)), 700)))"""
"""The probability that a buyer is still active."""

_NO_EVENTS = "select null::uuid as profile_id, null::timestamptz as happened_at, null::double as amount where false"


class ExpectedValue(Measure):
    """What the purchases of the coming days sum up to."""

    nothing = "0"
    fitted = """
        select
            scale / shape as "days between purchases",
            dropout as "dropout after a purchase",
            mean as "mean amount",
            own_after as "purchases until the own mean counts half"
        from purchasing, typical_amount"""

    def values(self, until: datetime) -> Iterator[Step]:
        """Yield the steps that make `score_value`."""
        earlier = until - self.horizon
        yield from self._forecast(earlier)
        yield from self.period("came", earlier, until)
        yield fixed("correction", f"{SQL}/correction")
        yield from self._forecast(until)
        yield fixed("typical_amount", f"{SQL}/typical_amount")
        yield fixed("score_value", f"{SQL}/expected_value")

    def period(self, yields: str, since: datetime, until: datetime) -> Iterator[Step]:
        """Yield the step that makes the purchases of a period, and their sum."""
        parts = {"table": yields, "events": self._events, "sampled": self.sampled}
        yield fixed(yields, f"{SQL}/purchases_in_period", {"since": since, "until": until}, **parts)

    def _forecast(self, until: datetime) -> Iterator[Step]:
        """Yield the steps that make `forecast`: the purchases that are expected after a moment."""
        yield fixed("buyer", f"{SQL}/buyer", {"until": until}, events=self._events, sampled=self.sampled)
        yield fixed("purchasing", f"{SQL}/purchasing", {"rounds": ROUNDS}, is_active=_IS_ACTIVE)
        yield fixed("forecast", f"{SQL}/forecast", {"horizon": self.score.horizon_days}, is_active=_IS_ACTIVE)

    @property
    def _events(self) -> str:
        event, name = self.score.amount
        table = self.table(event)
        if table is None:
            return _NO_EVENTS
        stored = self.columns is None or f"{self.profiles.event[event].table}.{name}" in self.columns
        amount = quote_identifier(name) if stored else "null::double"
        return f"select profile_id, happened_at, {amount} as amount from {table}"

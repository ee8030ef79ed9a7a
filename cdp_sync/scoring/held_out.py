"""The hold-out of a score: whether the past would have said what happened since."""

from dataclasses import replace
from datetime import datetime

from cdp_sync.scoring.measure import SQL, Measure
from cdp_sync.scoring.report import HoldOut
from cdp_sync.warehouse import Session, statement

FEWEST = 20
"""Profiles that a hold-out needs: with fewer, chance decides."""

SAMPLE = 100_000
"""Profiles that suffice; where there are more, a part of them is measured."""


def hold_out(session: Session, measure: Measure, now: datetime) -> HoldOut | None:
    """Compare the score as of one horizon before now with what happened in that horizon; None with too little data."""
    live: int = session.value("select count(*) from warehouse.live_profile")
    sampled, then = replace(measure, one_in=max(1, live // SAMPLE)), now - measure.horizon
    session.run(sampled.period("happened_before", then - measure.horizon, then))
    session.run(sampled.period("happened_after", then, now))
    session.run(sampled.values(then))
    query = statement(f"{SQL}/hold_out").format(nothing=measure.nothing)
    profiles, of_score, of_baseline = session.row(query)
    if profiles < FEWEST or of_score is None:
        return None
    return HoldOut(measure.score.horizon_days, profiles, of_score, of_baseline)

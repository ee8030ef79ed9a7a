"""Computes scores, and replaces what the warehouse has of them."""

from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime

from cdp_sync.model import Profiles, Score
from cdp_sync.scoring.held_out import hold_out
from cdp_sync.scoring.measure import SQL, Measure
from cdp_sync.scoring.purchases import ExpectedValue
from cdp_sync.scoring.rates import RateMeasure
from cdp_sync.scoring.report import Scored
from cdp_sync.scoring.stored import tenths_of
from cdp_sync.segments.questions import Columns
from cdp_sync.warehouse import Session, readable_columns, statement

SCORED, HELD_OUT = "warehouse.score", "warehouse.score_hold_out"
"""The tables of scores, and of their hold-outs."""


def compute_scores(session: Session, profiles: Profiles, names: Iterable[str], now: datetime) -> list[Scored]:
    """Compute scores of all live profiles at a moment, which has an offset from UTC; each is replaced as a whole.

    Scores that are not declared any more are removed.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
    """
    columns = readable_columns(session, profiles)
    for table in (SCORED, HELD_OUT):
        gone = f"delete from {table} where not list_contains($declared::text[], score)"
        session.execute(gone, {"declared": list(profiles.score)})
    return [_compute(session, measure_of(profiles.score[name], profiles, columns), now) for name in names]


def measure_of(score: Score, profiles: Profiles, columns: Columns = None) -> Measure:
    """Return the statements of a score; `columns` are those of the warehouse, None: all that are declared."""
    kind = ExpectedValue if score.expected_value else RateMeasure
    return kind(score, profiles, columns)


def _compute(session: Session, measure: Measure, now: datetime) -> Scored:
    held_out = hold_out(session, measure, now)
    session.run(measure.values(now))
    name = measure.score.name
    session.begin()
    for table in (SCORED, HELD_OUT):
        session.execute(f"delete from {table} where score = $score", {"score": name})
    session.execute(statement(f"{SQL}/percentile"), {"score": name, "now": now})
    if held_out:
        session.execute(f"insert into {HELD_OUT} values (?, ?, ?, ?, ?)", [name, *astuple(held_out)])
    session.commit()
    tenths = tenths_of(session, name)
    fitted = next(iter(session.records(measure.fitted)), {}) if tenths else {}
    return Scored(name, sum(tenth.profiles for tenth in tenths), tenths, fitted, held_out)

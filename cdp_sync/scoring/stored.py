"""Scores as they were last computed."""

from dataclasses import dataclass
from datetime import datetime

from cdp_sync.model import Profiles
from cdp_sync.scoring.measure import SQL
from cdp_sync.scoring.report import HoldOut, Tenth
from cdp_sync.warehouse import Session, statement


@dataclass(frozen=True)
class StoredScore:
    """One score in the warehouse."""

    name: str
    profiles: int
    """How many profiles have it."""
    scored_at: datetime | None
    """When it was computed; None where nobody has it."""
    tenths: tuple[Tenth, ...]
    held_out: HoldOut | None
    """None where there was too little to compare."""


def stored_scores(session: Session, profiles: Profiles) -> list[StoredScore]:
    """Return the declared scores as the warehouse has them."""
    found = []
    for name in profiles.score:
        tenths = tenths_of(session, name)
        scored_at = session.value("select max(scored_at) from warehouse.score where score = $score", {"score": name})
        query = "select days, profiles, of_score, of_baseline from warehouse.score_hold_out where score = $score"
        held_out = next((HoldOut(*row) for row in session.rows(query, {"score": name})), None)
        found.append(StoredScore(name, sum(tenth.profiles for tenth in tenths), scored_at, tenths, held_out))
    return found


def tenths_of(session: Session, name: str) -> tuple[Tenth, ...]:
    """Return the profiles with a score by tenth of its percentiles, without those that nobody is in."""
    return tuple(Tenth(*row) for row in session.rows(statement(f"{SQL}/distribution"), {"score": name}))

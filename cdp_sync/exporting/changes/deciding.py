"""Decides whether a run of an export goal looks at everybody: the only place that does, with the reason in words."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cdp_sync import __version__
from cdp_sync.exporting.changes.reads import Reads, reads_of
from cdp_sync.exporting.run import ExportRun
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.clock import clock_of

_RULES = 1
"""Raised where the product decides otherwise than before who is exported, or how."""


@dataclass(frozen=True)
class Former:
    """What the last run of the goal has left."""

    number: int
    mark: datetime
    moment: datetime
    digest: str
    counters: dict[str, int]


@dataclass(frozen=True)
class Pass:
    """How a run finds who is to be delivered."""

    reads: Reads
    mark: datetime
    """The warehouse's clock as the run reads it."""
    digest: str
    former: Former | None
    full: str
    """Why it looks at everybody; empty: it looks at those who may have changed."""

    @property
    def is_kept(self) -> bool:
        """Whether the next run can follow from it."""
        return not self.reads.unbounded


def decide(session: Session, run: ExportRun, columns: Collection[str]) -> Pass:
    """Return how a run finds who is to be delivered, given the columns of the warehouse. Only reads the warehouse."""
    reads, digest, former = reads_of(run), _digest(session, run, columns), former_of(session, run)
    return Pass(reads, clock_of(session), digest, former, reads.unbounded or _full(session, run, digest, former))


def _full(session: Session, run: ExportRun, digest: str, former: Former | None) -> str:
    if run.full:
        return "it was asked for"
    if former is None:
        return "nothing is known of an earlier run"
    if former.digest != digest:
        return "declarations, or the version, are others than in the last run"
    query = "select exists (from warehouse.profile_touch where profile_id is null and touched_at > $mark)"
    if session.value(query, {"mark": former.mark}):
        return "everybody may have changed since the last run"
    return ""


def former_of(session: Session, run: ExportRun) -> Former | None:
    """Return what the last run of the goal has left; None where that is nothing."""
    found = session.rows(
        """select number, mark, moment, digest, counters
        from warehouse.export_state
        join warehouse.exported_goal on number = goal_number
        where connection = $connection and goal = $goal""",
        {"connection": run.connection, "goal": run.goal.name},
    )
    return Former(*found[0]) if found else None


def _digest(session: Session, run: ExportRun, columns: Collection[str]) -> str:
    """Return the digest of everything declared, of what the warehouse holds, and of the rules that apply to them."""
    declared = {
        "rules": [_RULES, __version__, session.value("select version()")],
        "goal": run.goal.model_dump(mode="json", by_alias=True),
        "profiles": run.profiles.model_dump(mode="json", by_alias=True),
        "lifecycles": [each.model_dump(mode="json", by_alias=True) for each in run.profiles.lifecycles],
        "objectives": run.objectives,
        "columns": sorted(columns),
    }
    return hashlib.sha256(json.dumps(declared, sort_keys=True, default=str).encode()).hexdigest()

"""Reserves the touches of a run before it delivers, and settles them when the delivery is recorded.

A run reserves in the session in which it selects. That session holds the warehouse alone, so no other goal can select
the same profile in between, and all goals of a stage stay within the cap, whichever process they run in.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from cdp_sync.errors import CdpSyncError
from cdp_sync.exporting.run import ExportRun
from cdp_sync.warehouse import Session, Step, statement

_OF_GOAL = "where connection = $connection and goal = $goal"


def reserve(session: Session, run: ExportRun) -> None:
    """Write the touches of the staged profiles, in place of what earlier runs of the goal left; all or nothing."""
    session.begin()
    session.run(_taken_back(run))
    if session.value("select count(*) from staging.selected where ending = 'written'"):
        session.run([_touches(run)])
        session.execute(
            "insert into warehouse.touch_reservation by name select $connection as connection, "
            "$goal as goal, $run_id as run_id",
            run.key,
        )
    session.commit()


def release(run: ExportRun) -> None:
    """Remove the touches of a run that failed before it delivered, if the warehouse is free; the next run does it too.

    Errors on the way are ignored.
    """
    if not run.reserves_touches:
        return
    at_once = replace(run.warehouse, lock_timeout=1.0)
    with suppress(CdpSyncError), at_once.open("write") as session:
        session.begin()
        session.run(_taken_back(run))
        session.commit()


def touch_steps(run: ExportRun) -> Iterator[Step]:
    """Yield the steps that make the goal's touches final, and replace its capped profiles."""
    named = _named(run)
    if run.reserves_touches:
        yield Step("touchpoint", statement("exporting/touches/undelivered"), named)
        yield _touches(run)
        yield Step("touch_reservation", f"delete from warehouse.touch_reservation {_OF_GOAL}", named)
    if run.goal.lifecycle:
        yield Step("capped_profile", f"delete from warehouse.capped_profile {_OF_GOAL}", named)
        yield Step("capped_profile", statement("exporting/touches/capped_profile"), named)


def caps_end(session: Session) -> tuple[datetime, datetime] | None:
    """Return when the first and the last cap of the staged profiles end; None where no profile is capped."""
    first, last = session.row(
        "select min(capped_until), max(capped_until) from staging.selected where ending = 'capped'"
    )
    return (first, last) if first else None


def has_capped(session: Session, run: ExportRun) -> bool:
    """Return whether an earlier run of the goal has found profiles at their cap."""
    return bool(session.value(f"select exists (from warehouse.capped_profile {_OF_GOAL})", _named(run)))


def _taken_back(run: ExportRun) -> Iterator[Step]:
    named = _named(run)
    yield Step("touchpoint", statement("exporting/touches/taken_back"), named)
    yield Step("touch_reservation", f"delete from warehouse.touch_reservation {_OF_GOAL}", named)


def _touches(run: ExportRun) -> Step:
    values = {**run.key, "now": run.now, "lifecycle": run.goal.lifecycle and run.goal.lifecycle.name}
    return Step("touchpoint", statement("exporting/touches/touchpoint"), values)


def _named(run: ExportRun) -> dict[str, object]:
    return {"connection": run.connection, "goal": run.goal.name}

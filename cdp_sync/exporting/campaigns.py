"""Campaigns: goals that keep the columns of their first run, whatever is declared later, and wait until due."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cdp_sync.errors import GoalFailed
from cdp_sync.exporting.run import FileRun
from cdp_sync.model import ExportColumn
from cdp_sync.warehouse import Step, statement


def planned(run: FileRun, *, create: bool = True) -> FileRun:
    """Return the run of a campaign with the columns of its first run, and whether it waits; any other run as it is.

    The first run is recorded, unless it is a preview: `create` is off.

    Raises:
        GoalFailed: Something that it exports is not declared any more.
    """
    if not run.goal.keeps_columns:
        return run
    columns, created_at, exported_at = _known(run) or _created(run, create=create)
    goal = run.goal.model_copy(update={"map": columns})
    if problems := list(goal.map_problems(run.profiles)):
        raise GoalFailed(
            f"The campaign {goal.name} cannot export what it was created with: {problems[0]}.",
            needed="A campaign exports the definitions of its first run.",
            remedy="Declare them again, or declare a new campaign under another name.",
        )
    waits = goal.waits(created_at, exported_at, run.now)
    return replace(run, goal=goal, waiting_for=waits, difference=_difference(run, columns, created_at))


def exported_campaign(run: FileRun) -> Step:
    """Return the step that records that the campaign exported."""
    values = {"connection": run.connection, "goal": run.goal.name, "exported_at": run.now}
    return Step("campaign", statement("exporting/exported_campaign"), values)


def _known(run: FileRun) -> tuple[tuple[ExportColumn, ...], datetime, datetime | None] | None:
    """Return what the first run recorded, and when the last export was: of a renamed one under either name."""
    query = """
        select definitions, created_at, max(exported_at) over () as exported_at
        from warehouse.campaign
        where connection = $connection and goal = $goal
        order by created_at"""
    with run.open("read") as session:
        rows = session.rows(query, {"connection": run.connection, "goal": run.goal.name})
    if not rows:
        return None
    definitions, created_at, exported_at = rows[0]
    return tuple(map(ExportColumn.model_validate, json.loads(definitions))), created_at, exported_at


def _created(run: FileRun, *, create: bool) -> tuple[tuple[ExportColumn, ...], datetime, datetime | None]:
    if create:
        values = {"connection": run.connection, "goal": run.goal.name, "created_at": run.now}
        values |= {"definitions": json.dumps(_plain(run.goal.map))}
        with run.open("write") as session:
            session.execute(statement("exporting/created_campaign"), values)
    return run.goal.map, run.now, None


def _plain(columns: Sequence[ExportColumn]) -> list[dict[str, Any]]:
    return [column.model_dump(mode="json", exclude_none=True) for column in columns]


def _difference(run: FileRun, columns: Sequence[ExportColumn], created_at: datetime) -> str:
    """Return in a sentence how the declared definitions differ from those of the campaign; empty: they do not."""
    if _plain(columns) == _plain(run.goal.map):
        return ""
    fields, now = [column.field for column in columns], [column.field for column in run.goal.map]
    added = ", ".join(name for name in now if name not in fields)
    gone = ", ".join(name for name in fields if name not in now)
    change = "; ".join(part for part in (added and f"new are {added}", gone and f"gone are {gone}") if part)
    return (
        f"The definitions have changed since {run.goal.name} was created on {created_at:%Y-%m-%d}"
        f" ({change or 'other values or another order'}). It exports those of its creation; declare a new campaign "
        "to export the new ones."
    )

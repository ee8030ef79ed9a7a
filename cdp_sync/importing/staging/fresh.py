"""The rows that are to be applied, converted: `staging.fresh`.

It is a view of the staged rows, or a table where those are the smaller part. Cells of a file that was imported before
are converted here: only then it is known which rows differ.
"""

from dataclasses import dataclass

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.plan import converted_step
from cdp_sync.model import ImportGoal
from cdp_sync.warehouse import Session, Step


@dataclass(frozen=True)
class StagedRows:
    """What is staged."""

    rows: int
    deferred: int
    """Rows whose cells are not converted yet."""
    unchanged: int
    partly: bool
    """Rows of some files are not imported: those of files that failed, and rows as they were read before."""


def select_fresh_rows(session: Session, run: GoalRun, columns: Columns) -> None:
    """Make `staging.fresh`: the staged rows but for those that are unchanged or set aside."""
    found = StagedRows(
        *session.row(
            """select count(*), count(*) filter (cells is not null), (select count(*) from staging.unchanged),
                exists (from staging.file where state not in ('staged', 'retried')) or exists (from staging.read_before)
            from staging.staged"""
        )
    )
    if found.deferred:
        session.set("TimeZone", run.goal.format.time_zone)
    session.run(fresh_steps(run.goal, columns, found))
    if found.deferred:
        session.set("TimeZone", "UTC")


def fresh_steps(goal: ImportGoal, columns: Columns, found: StagedRows) -> tuple[Step, ...]:
    """Return the steps that make `staging.fresh`."""
    left_out: dict[str, str] = {}
    if found.unchanged or found.deferred:
        left_out["staging.unchanged"] = "rowid not in (select row from staging.unchanged)"
    if goal.row_key:
        left_out["staging.set_aside"] = "rowid not in (select row from staging.set_aside)"
    if found.partly:
        left_out["staging.file"] = "file in (select file from staging.file where state in ('staged', 'retried'))"
    converted = ["cells is null", *left_out.values()] if found.deferred else [*left_out.values()]
    where = f"where {' and '.join(converted)}" if converted else ""
    rows = f"select rowid as row, * exclude (cells) from staging.staged {where}"
    reads = ("staging.staged", *left_out)
    if not (found.deferred or found.unchanged * 2 > found.rows):
        return (Step("staging.fresh", f"create or replace view staging.fresh as {rows}", reads=reads),)
    return (
        Step("staging.fresh_row", f"create or replace table staging.fresh_row as {rows}", reads=reads),
        *([converted_step(goal, columns, left_out)] if found.deferred else []),
        Step(
            "staging.fresh",
            "create or replace view staging.fresh as from staging.fresh_row",
            reads=("staging.fresh_row",),
        ),
    )

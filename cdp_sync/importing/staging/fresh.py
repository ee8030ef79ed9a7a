"""The rows that are to be applied, converted: `staging.fresh`.

It is a view of the staged rows, or a table where those are the smaller part. Cells of a file that was imported before
are converted here: only then it is known which rows differ.
"""

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.plan import converted_step
from cdp_sync.warehouse import Session, Step


def select_fresh_rows(session: Session, run: GoalRun, columns: Columns) -> None:
    """Make `staging.fresh`: the staged rows but for those that are unchanged or set aside.

    Rows are left out file by file only where files failed, or were read as before as well.
    """
    rows, deferred, unchanged, partly = session.row(
        """select count(*), count(*) filter (cells is not null), (select count(*) from staging.unchanged),
            exists (from staging.file where state not in ('staged', 'retried')) or exists (from staging.read_before)
        from staging.staged"""
    )
    conditions = []
    if unchanged or deferred:
        conditions.append("rowid not in (select row from staging.unchanged)")
    if run.goal.row_key:
        conditions.append("rowid not in (select row from staging.set_aside)")
    if partly:
        conditions.append("file in (select file from staging.file where state in ('staged', 'retried'))")
    converted = ["cells is null", *conditions] if deferred else conditions
    where = f"where {' and '.join(converted)}" if converted else ""
    selected = f"select rowid as row, * exclude (cells) from staging.staged {where}"
    view = "create or replace view staging.fresh as"
    if not (deferred or unchanged * 2 > rows):
        session.run([Step("staging.fresh", f"{view} {selected}")])
        return
    session.run([Step("staging.fresh_row", f"create or replace table staging.fresh_row as {selected}")])
    if deferred:
        session.set("TimeZone", run.goal.format.time_zone)
        session.run([converted_step(run.goal, columns, conditions)])
        session.set("TimeZone", "UTC")
    session.run([Step("staging.fresh", f"{view} from staging.fresh_row")])

"""Delta `replace`: a file replaces the previous import of its path, and only the rows that differ are applied.

Rows compare by the digest of their cells, and as often as they occur. With `row_key` a row compares with what its key
last brought, in whatever file of the goal.
"""

from cdp_sync.importing.delta.watermarks import appends
from cdp_sync.importing.run import GoalRun
from cdp_sync.warehouse import Session, Step, statement


def compare_rows(session: Session, run: GoalRun) -> None:
    """Compare the staged rows with the previous imports, or with what was read of a text that grows.

    Makes `staging.unchanged`, `staging.previous` and, without `row_key`, `staging.gone_row`.

    Rows that were compared at the warehouse's present revision are not compared again.
    """
    current = "select exists (from staging.compared join warehouse.revision on number = revision)"
    if not session.value(current):
        session.run(compare_steps(run, appended=appends(session)))


def compare_steps(run: GoalRun, *, appended: bool = False) -> tuple[Step, ...]:
    """Return the steps that compare staged rows; with `appended`, some files append to what was read before.

    Watermarks are read when rows are compared, not when they arrive: another run may have read further since.
    """
    by_line = ("staged", "part", "line_gap", "watermark")
    declared = {**run.goal_named, "fingerprint": run.unchanged_under, "links": run.goal.links_as_json}
    compared = "create or replace table staging.compared as select number as revision from warehouse.revision"
    if run.goal.row_key:
        by_key = ("file", "staged", "set_aside", "previous_by_key")
        unchanged = [
            _step("previous_by_key", "previous_by_key", ("staged",), source=run.source),
            _step("set_aside", "set_aside", ("file", "staged")),
            _step("unchanged", "unchanged_by_key", by_key, fingerprint=run.unchanged_under),
        ]
    else:
        unchanged = [_step("unchanged", "unchanged", ("file", "staged", "previous_row"))]
    return (
        _step("file", "same_declaration", ("file",), **declared),
        _step("previous_row", "previous_row", ("file", "staged")),
        *unchanged,
        *([_step("unchanged", "unchanged_by_line", by_line, **run.goal_named)] if appended else []),
        *([] if run.goal.row_key else [_step("gone_row", "gone_row", ("file", "previous_row", "unchanged"))]),
        _step("previous", "previous", ("file", "staged", "read_before", "previous_row", "unchanged")),
        Step("staging.compared", compared),
    )


def _step(yields: str, name: str, reads: tuple[str, ...], **values: object) -> Step:
    sql = statement(f"importing/delta/{name}")
    return Step(f"staging.{yields}", sql, values, tuple(f"staging.{table}" for table in reads))

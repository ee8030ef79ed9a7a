"""Which staged rows are to be applied: those that differ from the previous import of their file.

A file replaces the previous import of its path. Rows compare by the digest of their cells, and as often as they
occur. With `row_key` a row compares with what its key last brought, in whatever file of the goal.
"""

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.plan import converted_step
from cdp_sync.warehouse import Session, Step, fixed


def compare_rows(session: Session, run: ImportRun) -> None:
    """Compare the staged rows with the previous imports, or with what was read of a text that grows.

    Makes `staging.unchanged`, `staging.previous` and, without `row_key`, `staging.gone_row`.

    Rows that were compared at the warehouse's present revision are not compared again. Watermarks are read when rows
    are compared, not when they arrive: another run may have read further since.
    """
    if session.value("select exists (from staging.compared join warehouse.revision on number = revision)"):
        return
    declared = {**run.goal_named, "fingerprint": run.unchanged_under, "links": run.goal.links_as_json}
    steps = [_step("file", "same_declaration", declared), _step("previous_row", "previous_row")]
    if run.goal.row_key:
        steps += [
            _step("previous_by_key", "previous_by_key", {"source": run.source}),
            _step("set_aside", "set_aside"),
            _step("unchanged", "unchanged_by_key", {"fingerprint": run.unchanged_under}),
        ]
    else:
        steps.append(_step("unchanged", "unchanged"))
    if session.value("select exists (from staging.watermark where kind = 'append')"):
        steps.append(_step("unchanged", "unchanged_by_line", run.goal_named))
    if not run.goal.row_key:
        steps.append(_step("gone_row", "gone_row"))
    compared = "create or replace table staging.compared as select number as revision from warehouse.revision"
    session.run([*steps, _step("previous", "previous"), Step("staging.compared", compared)])


def _step(yields: str, name: str, values: dict[str, object] | None = None) -> Step:
    return fixed(f"staging.{yields}", f"importing/delta/{name}", values)


def select_fresh_rows(session: Session, run: ImportRun, columns: Columns) -> None:
    """Make `staging.fresh`: the staged rows but for those that are unchanged or set aside."""
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
    if run.goal.processors:
        conditions.append("filtered = 0")  # an equality: DuckDB knows how many rows it leaves, and plans joins by that
    if partly:
        conditions.append("file in (select file from staging.file where state in ('staged', 'retried'))")
    converted = ["cells is null", *conditions] if deferred else conditions
    where = f"where {' and '.join(converted)}" if converted else ""
    selected = f"select rowid as row, * exclude (cells, filtered) from staging.staged {where}"
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

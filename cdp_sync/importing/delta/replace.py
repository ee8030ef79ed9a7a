"""Which staged rows are to be applied: those that differ from the previous import of their file.

A file replaces the previous import of its path. Rows compare by the digest of their cells, and as often as they
occur. With `row_key` a row compares with what its key last brought, in whatever file of the goal.
"""

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.plan import converted_step
from cdp_sync.importing.staging.tables import add_columns, typed
from cdp_sync.warehouse import Session, Step, fixed

_SQL = "importing/delta"

_CHANGED = "select (file, row_hash) from staging.changed_hash"

_NOT_UNCHANGED = "rowid not in (select row from staging.unchanged)"

_DIFFERS = f"""((file, row_hash) in ({_CHANGED})
        or file not in (select file from staging.file where same_fingerprint and state = 'staged'))
    and rowid not in (select row from staging.unchanged where (file, row_hash) in ({_CHANGED}))"""
"""The same of rows that compare by digests: few are looked up where few differ."""


def compare_rows(session: Session, run: ImportRun) -> None:
    """Compare the staged rows with the previous imports, or with what was read of a text that grows.

    Makes `staging.unchanged`, `staging.previous` and, without `row_key`, `staging.gone_row`. All digests of a
    redelivered file are counted once; what else is done costs by the rows that differ.

    Rows that were compared at the warehouse's present revision are not compared again. Watermarks are read when rows
    are compared, not when they arrive: another run may have read further since.
    """
    if session.value("select exists (from staging.compared join warehouse.revision on number = revision)"):
        return
    declared = {**run.goal_named, "fingerprint": run.unchanged_under, "links": run.goal.links_as_json}
    appends = _appends(session)
    by_digest = not (run.goal.row_key or appends)
    differing = f"(file.file, row.row_hash) in ({_CHANGED})"
    compared = f"(not file.same_fingerprint or {differing})" if by_digest else "true"
    steps = [_step("file", "same_declaration", declared)]
    steps += [_step("changed_hash", "changed_hash")] if by_digest else []
    steps.append(fixed("staging.previous_row", f"{_SQL}/previous_row", compared=compared))
    if run.goal.row_key:
        steps += [
            _step("previous_by_key", "previous_by_key", {"source": run.source}),
            _step("set_aside", "set_aside"),
            _step("unchanged", "unchanged_by_key", {"fingerprint": run.unchanged_under}),
        ]
    if appends:
        steps.append(_step("unchanged", "unchanged_by_line", run.goal_named))
    if by_digest:
        steps.append(_step("unchanged", "unchanged"))
    if run.goal.expected:
        steps.append(_step("set_aside", "refused"))
    if not run.goal.row_key:
        steps.append(_step("gone_row", "gone_row"))
    now = "create or replace table staging.compared as select number as revision from warehouse.revision"
    session.run([*steps, _step("previous", "previous"), Step("staging.compared", now)])


def _appends(session: Session) -> bool:
    return bool(session.value("select exists (from staging.watermark where kind = 'append')"))


def _step(yields: str, name: str, values: dict[str, object] | None = None) -> Step:
    return fixed(f"staging.{yields}", f"{_SQL}/{name}", values)


def select_fresh_rows(session: Session, run: ImportRun, columns: Columns) -> None:
    """Make `staging.fresh`: the staged rows but for those that are unchanged or set aside."""
    rows, deferred, unchanged, partly = session.row(
        """select count(*), count(*) filter (cells is not null), (select count(*) from staging.unchanged),
            exists (from staging.file where state not in ('staged', 'retried')) or exists (from staging.read_before)
        from staging.staged"""
    )
    few = deferred or unchanged * 2 > rows
    conditions = []
    if unchanged or deferred:
        by_digest = not (run.goal.row_key or _appends(session))
        conditions.append(_DIFFERS if by_digest and few else _NOT_UNCHANGED)
    if run.goal.row_key or run.goal.expected:
        conditions.append("rowid not in (select row from staging.set_aside)")
    if run.goal.processors:
        conditions.append("filtered = 0")  # an equality: DuckDB knows how many rows it leaves, and plans joins by that
    if partly:
        conditions.append("file in (select file from staging.file where state in ('staged', 'retried'))")
    where = f"where {' and '.join(conditions)}" if conditions else ""
    selected = "select rowid as row, * exclude (cells, filtered) from staging.staged"
    view = "create or replace view staging.fresh as"
    if not few:
        add_columns(session, columns)
        session.run([Step("staging.fresh", f"{view} {selected} {where}")])
        return
    chosen = "rowid in (select row from chosen_row)"
    rows_chosen = f"create or replace temp table chosen_row as select rowid as row from staging.staged {where}"
    fresh_row = f"create or replace table staging.fresh_row (row bigint, {typed(columns.declared)})"
    converted = f"insert into staging.fresh_row by name {selected} where {chosen} and cells is null"
    session.run(
        (
            Step("chosen_row", rows_chosen),
            Step("staging.fresh_row", fresh_row),
            Step("staging.fresh_row", converted),
        )
    )
    if deferred:
        session.set("TimeZone", run.goal.format.time_zone)
        session.run([converted_step(run.goal, columns, [chosen])])
        session.set("TimeZone", "UTC")
    session.run([Step("staging.fresh", f"{view} from staging.fresh_row")])

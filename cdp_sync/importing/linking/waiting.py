"""Rows that no profile matched wait for one: they are retried when a profile with one of their identifiers appears.

Their files are not read again. Only goals over files that create no profiles have such rows.
"""

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns, plan_columns
from cdp_sync.importing.staging.plan import waiting_step
from cdp_sync.importing.staging.tables import create_tables
from cdp_sync.model import FileReport, FileState
from cdp_sync.warehouse import Session, Step, quote_literal, statement


def count_due(session: Session, run: GoalRun) -> int:
    """Return how many waiting rows of a goal would find a profile now."""
    if not run.goal.keeps_unmatched:
        return 0
    return int(session.value(f"select count(*) from ({_due(run)})", _of(run)))


def stage_waiting(run: GoalRun) -> list[FileReport]:
    """Stage the waiting rows that would find a profile now, but for those of files that are staged anyway."""
    with run.open("read") as session:
        create_tables(session, plan_columns(run.goal, run.profiles))
        session.set("TimeZone", run.goal.format.time_zone)
        session.run(retried_steps(run))
        for file, path, fields in session.rows(_PARTS):
            _stage_part(session, run, file, path, fields)
        paths = session.rows("select path from staging.file where state = 'retried' order by file")
    return [FileReport(path, FileState.RETRIED) for (path,) in paths]


def retried_steps(run: GoalRun) -> tuple[Step, ...]:
    """Return the steps that note the rows to retry, and their files."""
    due = f"""insert into staging.retried
from ({_due(run)})
where source not in (select source from staging.file where state = 'staged')
order by file, path, line"""
    return (
        Step("staging.retried", due, _of(run), ("staging.retried", "staging.file")),
        Step("staging.file", _FILES, reads=("staging.file", "staging.retried")),
    )


_FILES = """insert into staging.file by name
select
    (select count(*) from staging.file) + row_number() over (order by file) - 1 as file,
    file as path, source, any_value(fields) as fields, 'retried' as state,
    []::text[] as warnings, false as same_fingerprint, false as same_links
from staging.retried
group by file, source"""

_PARTS = """
select file.file, retried.path, retried.fields
from staging.retried retried
join staging.file file using (source)
where file.state = 'retried'
group by all
order by all"""

_PART = """insert into staging.part
select $part, $file, $path, $first_row, (select count(*) from staging.staged) - $first_row, 1"""

_LINE_GAPS = """insert into staging.line_gap
select $part, $first_row + nth, line - nth - 1
from (
    select line, row_number() over (order by rowid) - 1 as nth
    from staging.retried
    where path = $path and fields = $fields
)"""


def _stage_part(session: Session, run: GoalRun, file: int, path: str, fields: list[str]) -> None:
    columns = plan_columns(run.goal, run.profiles, fields)
    create_tables(session, columns)
    part, first_row = session.row("select (select count(*) from staging.part), (select count(*) from staging.staged)")
    placed = {"part": part, "first_row": first_row, "path": path}
    numbers = {"file": file, "part": part, "path": path, "fields": fields}
    session.run(
        (
            waiting_step(run.goal, columns, fields, numbers),
            Step("staging.part", _PART, {**placed, "file": file}, ("staging.part", "staging.staged")),
            Step("staging.line_gap", _LINE_GAPS, {**placed, "fields": fields}, ("staging.line_gap", "staging.retried")),
        )
    )


def waiting_steps(run: GoalRun, columns: Columns) -> tuple[Step, ...]:
    """Return the steps that let unmatched rows wait, in the transaction that lands the others."""
    named = run.goal_named
    forget = _step("waiting_row", "forgotten_row", ("staging.file", "staging.retried"), named)
    if not run.goal.keeps_unmatched:
        return (forget,)
    links = [
        f"list_transform(fresh.{link.column}, lambda v: {{property: {quote_literal(link.prop.name)}, value: v}})"
        if link.prop.multiple
        else f"[{{property: {quote_literal(link.prop.name)}, value: fresh.{link.column}}}]"
        for link in columns.links
    ]
    named_links = " || ".join(f"coalesce({values}, [])" for values in links)
    usable = f"list_filter({named_links}, lambda link: link.value is not null)"
    row_key = ", staged.row_key" if columns.keyed else ""
    rows = ("staging.assigned", "staging.staged", "staging.fresh", "staging.file", "staging.part", "staging.line_gap")
    replaced = """delete from warehouse.waiting_row
where connection = $connection and goal = $goal
    and row_key in (select row_key from warehouse.keyed_row where source = $source)"""
    return (
        _step("quarantine", "forgotten_complaint", ("staging.retried",), named),
        forget,
        _step("waiting_row", "waiting_row", rows, named, links=usable, row_key=row_key),
        *([Step("warehouse.waiting_row", replaced, {**named, "source": run.source})] if columns.keyed else []),
    )


def _step(table: str, name: str, reads: tuple[str, ...], values: dict[str, object], **parts: str) -> Step:
    sql = statement(f"importing/linking/{name}")
    return Step(f"warehouse.{table}", sql.format(**parts) if parts else sql, values, reads)


def _due(run: GoalRun) -> str:
    identifiers = plan_columns(run.goal, run.profiles).entity.identifier_table
    return statement("importing/linking/waiting_due").format(identifiers=identifiers)


def _of(run: GoalRun) -> dict[str, object]:
    return {**run.goal_named, "fingerprint": run.fingerprint}

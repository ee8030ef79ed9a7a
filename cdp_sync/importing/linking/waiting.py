"""Rows that no profile matched wait until one has an identifier of theirs; their files are not read again."""

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns, plan_columns
from cdp_sync.importing.staging.plan import waiting_step
from cdp_sync.importing.staging.tables import add_columns, create_tables
from cdp_sync.model import FileReport, FileState
from cdp_sync.warehouse import Session, Step, fixed, quote_literal, statement

_SQL = "importing/linking"


def count_due(session: Session, run: ImportRun) -> int:
    """Return how many waiting rows of a goal would find a profile now."""
    due, values = _due(run)
    return int(session.value(f"select count(*) from ({due})", values))


def stage_waiting(run: ImportRun) -> list[FileReport]:
    """Stage the waiting rows that would find a profile now, but for those of files that are staged anyway."""
    due, values = _due(run)
    retried = f"""insert into staging.retried
from ({due})
where source not in (select source from staging.file where state = 'staged')
order by file, path, line"""
    with run.open("read") as session:
        create_tables(session, plan_columns(run.goal, run.profiles))
        session.set("TimeZone", run.goal.format.time_zone)
        session.run((Step("staging.retried", retried, values), fixed("staging.file", f"{_SQL}/retried_file")))
        parts = """
            select file.file, retried.path, retried.fields
            from staging.retried retried
            join staging.file file using (source)
            where file.state = 'retried'
            group by all
            order by all"""
        for file, path, fields in session.rows(parts):
            columns = plan_columns(run.goal, run.profiles, fields)
            add_columns(session, columns)
            part, first_row = session.row(
                "select (select count(*) from staging.part), (select count(*) from staging.staged)"
            )
            placed = {"part": part, "path": path}
            of_part, of_gap = (
                {**placed, "file": file, "first_row": first_row},
                {"first_row": first_row, "fields": fields},
            )
            session.run(
                (
                    waiting_step(run.goal, columns, fields, {**placed, "file": file, "fields": fields}),
                    fixed("staging.part", f"{_SQL}/retried_part", of_part),
                    fixed("staging.line_gap", f"{_SQL}/retried_gap", {**placed, **of_gap}),
                )
            )
        paths = session.rows("select path from staging.file where state = 'retried' order by file")
    return [FileReport(path, FileState.RETRIED) for (path,) in paths]


def _due(run: ImportRun) -> tuple[str, dict[str, object]]:
    entity = plan_columns(run.goal, run.profiles).entity
    sql = statement(f"{_SQL}/waiting_due").format(**entity.names)
    return sql, {**run.goal_named, "fingerprint": run.fingerprint}


def waiting_steps(run: ImportRun, columns: Columns) -> list[Step]:
    """Return the steps that let unmatched rows wait, in the transaction that lands the others."""
    named, table = run.goal_named, "warehouse.waiting_row"
    forget = fixed(table, f"{_SQL}/forgotten_row", named)
    if not run.goal.keeps_unmatched:
        return [forget]
    links = [
        f"list_transform(fresh.{link.column}, lambda v: {{property: {quote_literal(link.prop.name)}, value: v}})"
        if link.prop.multiple
        else f"[{{property: {quote_literal(link.prop.name)}, value: fresh.{link.column}}}]"
        for link in columns.links
    ]
    named_links = " || ".join(f"coalesce({values}, [])" for values in links)
    usable = f"list_filter({named_links}, lambda link: link.value is not null)"
    row_key = ", staged.row_key" if columns.keyed else ""
    complaint = fixed("warehouse.quarantine", f"{_SQL}/forgotten_complaint", named)
    steps = [complaint, forget, fixed(table, f"{_SQL}/waiting_row", named, links=usable, row_key=row_key)]
    if columns.keyed:
        replaced = """delete from warehouse.waiting_row
where connection = $connection and goal = $goal
    and row_key in (select row_key from warehouse.keyed_row where source = $source)"""
        steps.append(Step(table, replaced, {**named, "source": run.source}))
    return steps

"""Gives every row a profile: one that exists, a new one, or none.

Rules: match, take, spread, new; each is a group of the statements beside this module. The warehouse's revision shows
whether another process has written since; linking is then done again under the lock.
"""

from cdp_sync.importing.delta.append import append_steps
from cdp_sync.importing.delta.watermarks import appends
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns, plan_columns
from cdp_sync.importing.staging.plan import converted_step
from cdp_sync.warehouse import Session, quote_literal, statement

_MOST_ROUNDS = 10_000


def link_identifiers(run: GoalRun) -> None:
    """Link the staged rows, reading the warehouse only."""
    with run.open("read") as session:
        session.set("force_compression", "uncompressed")  # as parsing does: what is written here is soon gone
        link(session, run)


def link(session: Session, run: GoalRun) -> None:
    """Link the staged rows in an open session: fills `staging.unchanged`, `.former`, `.granted`, `.assigned`."""
    columns = staged_columns(session, run)
    session.execute("create or replace table staging.linked as select number from warehouse.revision")
    tell_unchanged(session, run)
    _match(session, columns)
    _join_rows(session, columns)
    _take_and_spread(session, columns)
    session.execute(statement("importing/linking/new_profile"))
    session.execute(statement("importing/linking/assigned"), {"allow_new": run.goal.allow_new_profiles})


def staged_columns(session: Session, run: GoalRun) -> Columns:
    """Return the staging columns, detected fields of all files included."""
    found = session.rows(
        "select distinct unnest(fields) from staging.file where state in ('staged', 'retried') order by 1"
    )
    return plan_columns(run.goal, run.profiles, [field for (field,) in found])


def tell_unchanged(session: Session, run: GoalRun) -> None:
    """Tell the rows that were applied before from `staging.fresh`, those that are to be linked."""
    session.execute(
        statement("importing/delta/same_fingerprint"),
        {
            "connection": run.connection,
            "goal": run.goal.name,
            "fingerprint": run.unchanged_under,
            "links": run.goal.links_as_json,
        },
    )
    session.execute(statement("importing/delta/remembered"))
    if run.goal.row_key:
        session.execute(statement("importing/delta/keyed_before"), {"source": run.source})
        session.execute(statement("importing/delta/set_aside"))
        session.execute(statement("importing/delta/unchanged_by_key"), {"fingerprint": run.unchanged_under})
    else:
        session.execute(statement("importing/delta/repeated"))
        session.execute(statement("importing/delta/unchanged"))
    if appends(session):
        session.run(append_steps(run))
    session.execute(statement("importing/delta/former"))
    _set_fresh_apart(session, run)


def _set_fresh_apart(session: Session, run: GoalRun) -> None:
    """Make `staging.fresh`, the rows that are to be linked: a view, or a copy where they are the smaller part."""
    staged, deferred, unchanged = session.row(
        """select count(*), count(*) filter (cells is not null), (select count(*) from staging.unchanged)
        from staging.staged"""
    )
    left_out = ["cells is null"] if deferred else []
    if unchanged:
        left_out.append("rowid not in (select row from staging.unchanged)")
    if run.goal.row_key:
        left_out.append("rowid not in (select row from staging.set_aside)")
    not_staged = "select count(*) from staging.file where state not in ('staged', 'retried')"
    if session.value(not_staged) or session.value("select count(*) from staging.read_before"):
        left_out.append("file in (select file from staging.file where state in ('staged', 'retried'))")
    where = f"where {' and '.join(left_out)}" if left_out else ""
    fresh = f"select rowid as row, * exclude (cells) from staging.staged {where}"
    if deferred or unchanged * 2 > staged:
        session.execute(f"create or replace table staging.fresh_copy as {fresh}")
        fresh = "from staging.fresh_copy"
    if deferred:
        _convert(session, run)
    session.execute(f"create or replace view staging.fresh as {fresh}")


def _convert(session: Session, run: GoalRun) -> None:
    """Convert the rows that waited for it and are to be linked."""
    session.execute(
        """create or replace temp view deferred as
        select rowid as row, * from staging.staged
        where cells is not null
            and rowid not in (select row from staging.unchanged)
            and rowid not in (select row from staging.set_aside)
            and file in (select file from staging.file where state in ('staged', 'retried'))"""
    )
    session.set("TimeZone", run.goal.format.time_zone)
    session.run([converted_step(run.goal, staged_columns(session, run))])
    session.set("TimeZone", "UTC")


def _match(session: Session, columns: Columns) -> None:
    """Rule 1. A row belongs to the profile that its links find."""
    values = "\nunion all\n".join(_link_values(columns))
    kind = "view" if _has_one_value(columns) else "table"
    session.execute(f"create or replace temp {kind} link_value as {values}")
    unnamed = " and ".join(f"{link.column} is null" for link in columns.links)
    session.execute(f"create or replace temp view nameless as select row from staging.fresh where {unnamed}")
    session.execute(statement("importing/linking/found"))
    session.execute(statement("importing/linking/stays"))
    session.execute(statement("importing/linking/matched"))


def _has_one_value(columns: Columns) -> bool:
    """Whether every row has one link value at the most."""
    return len(columns.links) == 1 and not columns.links[0].prop.multiple


def _link_values(columns: Columns) -> list[str]:
    selects = []
    for link in columns.links:
        told = f"{link.number} as link, {quote_literal(link.prop.name)} as property"
        if link.prop.multiple:
            source = f"""(select row, unnest({link.column}) as value, generate_subscripts({link.column}, 1) as place
                from staging.fresh where {link.column} is not null)"""
            selects.append(f"select row, {told}, place, value, true as multiple from {source}")
        else:
            source = f"staging.fresh where {link.column} is not null"
            selects.append(f"select row, {told}, 1 as place, {link.column} as value, false as multiple from {source}")
    return selects


def _join_rows(session: Session, columns: Columns) -> None:
    """Join unmatched rows that share a value, directly or through others: `label(row, label)`."""
    session.execute(statement("importing/linking/member"))
    if _has_one_value(columns):
        session.execute(statement("importing/linking/label_of_value"))
        return
    session.execute(statement("importing/linking/label"))
    if not session.value("select count(*) from label where label <> row"):
        return  # no two of them share one
    for _ in range(_MOST_ROUNDS):
        session.execute(statement("importing/linking/next_label"))
        moved = session.value("select count(*) from label join next_label n using (row) where n.label <> label.label")
        if not moved:
            return
        session.execute("create or replace temp table label as from next_label")


def _take_and_spread(session: Session, columns: Columns) -> None:
    """Rules 2 and 3. Matched profiles take free values; unmatched rows follow a value that was taken."""
    session.execute(
        """create or replace table staging.granted
        (rank hugeint, property text, value text, multiple boolean, profile_id uuid)"""
    )
    session.execute("create or replace temp table spread (label bigint, profile_id uuid)")
    if len(columns.linked_properties) == 1 and not columns.linked_properties[0].multiple:
        return
    session.execute("create or replace temp table owner as select row, profile_id from matched")
    _grant(session, phase=0)
    session.execute(statement("importing/linking/spread"))
    if session.value("select count(*) from spread"):
        session.execute(
            "create or replace temp table owner as select row, profile_id from label join spread using (label)"
        )
        _grant(session, phase=1)


def _grant(session: Session, *, phase: int) -> None:
    """Grant wishes in the order of their rows, until none is left that can be."""
    session.execute(statement("importing/linking/wish"), {"phase": phase})
    while session.value("select count(*) from wish"):
        session.execute(statement("importing/linking/grant"))
        session.execute("insert into staging.granted by name from granted_now")
        session.execute(statement("importing/linking/wish_left"))
        session.execute("create or replace temp table wish as from wish_left")

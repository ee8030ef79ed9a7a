"""Gives every fresh row a profile: one that exists, a new one, or none.

Four rules: match, take, spread, new. Rows that share a link value, directly or through others, are one connected
component; a component is named by its smallest row number.
"""

from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.segments.consent import ConsentColumns, may_process
from cdp_sync.warehouse import Session, Step, event_columns, fixed, quote_identifier, quote_literal, stored_columns

_SQL = "importing/linking"
_MOST_ROUNDS = 10_000
_LINKED = Step(
    "staging.linked",
    "create or replace table staging.linked as select number as revision from warehouse.revision",
)


def link_rows(session: Session, run: ImportRun, columns: Columns) -> None:
    """Assign the rows of `staging.fresh` to profiles: makes `staging.granted` and `staging.assigned`."""
    if not columns.links:
        _assign_without_people(session, run, columns)
        return
    match_rows(session, columns)
    connect_rows(session, columns)
    grant_values(session, columns)
    assign_rows(session, columns, allow_new=run.goal.allow_new_profiles)


def match_rows(session: Session, columns: Columns) -> None:
    """Rule 1: each row belongs to the profile that its links find."""
    selects = []
    usable = f" and {columns.is_usable}" if columns.is_usable else ""
    for link in columns.links:
        place, value, several = "1::bigint", link.column, "false"
        if link.prop.multiple:
            place, value, several = f"generate_subscripts({link.column}, 1)", f"unnest({link.column})", "true"
        selects.append(
            f"""select row, {link.number} as link, {quote_literal(link.prop.name)} as property, {place} as place,
                {value} as value, {several} as multiple
            from staging.fresh where {link.column} is not null{usable}"""
        )
    kind = "view" if columns.has_one_link_value else "table"
    link_value = f"create or replace temp {kind} link_value as " + "\nunion all\n".join(selects)
    matched = fixed("matched", f"{_SQL}/matched", {}, **columns.entity.names)
    session.run((Step("link_value", link_value), matched))


def connect_rows(session: Session, columns: Columns) -> None:
    """Put unmatched rows that share a value into one component: `component(row, component)`."""
    if columns.has_one_link_value:
        session.run([fixed("component", f"{_SQL}/component_of_value")])
        return
    unmatched = "select row, property, value from link_value anti join matched using (row)"
    session.run(
        (
            Step("unmatched_value", f"create or replace temp table unmatched_value as {unmatched}"),
            fixed("component", f"{_SQL}/component"),
        )
    )
    if not session.value("select exists (from component where component <> row)"):
        return  # no two rows share a value
    differs = "select exists (from component c join next_component n using (row) where n.component <> c.component)"
    for _ in range(_MOST_ROUNDS):
        session.run([fixed("next_component", f"{_SQL}/next_component")])
        if not session.value(differs):
            return
        session.run([Step("component", "create or replace temp table component as from next_component")])


def grant_values(session: Session, columns: Columns) -> None:
    """Rules 2 and 3: matched profiles take free values; components follow a value that was taken."""
    granted = "(rank hugeint, property text, value text, multiple boolean, profile_id uuid)"
    owned = "(component bigint, profile_id uuid)"
    session.run(
        (
            Step("staging.granted", f"create or replace table staging.granted {granted}"),
            Step("component_profile", f"create or replace temp table component_profile {owned}"),
        )
    )
    if len(columns.linked_properties) == 1 and not columns.linked_properties[0].multiple:
        return
    _grant(session, columns, 0, "matched")
    session.run([fixed("component_profile", f"{_SQL}/component_profile")])
    if session.value("select exists (from component_profile)"):
        of_components = "(select row, profile_id from component join component_profile using (component))"
        _grant(session, columns, 1, of_components)


def _grant(session: Session, columns: Columns, phase: int, claimant: str) -> None:
    """Grant claims in the order of their rows, until none is left that can be granted."""
    session.run([fixed("claim", f"{_SQL}/claim", {"phase": phase}, claimant=claimant, **columns.entity.names)])
    while session.value("select exists (from claim)"):
        # The earliest claims are granted, and claims that they exclude are dropped.
        session.run((fixed("staging.granted", f"{_SQL}/granted"), fixed("claim", f"{_SQL}/remaining_claim")))


def assign_rows(session: Session, columns: Columns, *, allow_new: bool) -> None:
    """Rule 4: every fresh row gets its profile and its outcome. With `allow_new`, other components are new profiles."""
    unnamed = " and ".join(f"{link.column} is null" for link in columns.links)
    parts = {"unnamed": unnamed, "usable": columns.is_usable or "true"}
    session.run((fixed("staging.assigned", f"{_SQL}/assigned", {"allow_new": allow_new}, **parts), _LINKED))


def _assign_without_people(session: Session, run: ImportRun, columns: Columns) -> None:
    """Give every fresh row its outcome, where rows only add to events by their ids: other rows say whose those are.

    On a connection with objectives, the person of the event must consent as well.
    """
    granted = "(rank hugeint, property text, value text, multiple boolean, profile_id uuid)"
    judged = run.objectives and columns.consent
    refused = _rows_of_refused_events(session, run, columns) if judged else ""
    withheld = f"when row in ({refused}) then 'without_consent'" if refused else ""
    assigned = f"""create or replace {"table" if judged else "view"} staging.assigned as
select row, null::uuid as profile_id,
    case when not ({columns.is_usable}) then 'rejected' {withheld} else 'applied' end as outcome,
    false as ambiguous, false as alone
from staging.fresh"""
    made = Step("staging.granted", f"create or replace table staging.granted {granted}")
    session.run((made, Step("staging.assigned", assigned), _LINKED))


def _rows_of_refused_events(session: Session, run: ImportRun, columns: Columns) -> str:
    """Return the query for the rows about events of people whose consent does not allow it; empty without any table."""
    stored = event_columns(session)
    consent = ConsentColumns.of_profile(run.profiles, stored_columns(session, "profile"))
    allowed = may_process(run.objectives, run.profiles, consent)
    return "\nunion all\n".join(
        f"""select fresh.row
from staging.fresh fresh
join warehouse.{quote_identifier(event.declared.table)} stored on stored.event_id = fresh.{event.id_column}
join {columns.entity.stored} profile using (profile_id)
where not {allowed}"""
        for event in columns.events
        if event.declared.name in stored
    )


def put_off(session: Session) -> None:
    """Note that no row is linked yet."""
    session.run([Step("staging.linked", "create or replace table staging.linked as select null::bigint as revision")])


def is_linked(session: Session) -> bool:
    """Return whether rows are linked at the warehouse's present revision: no other process wrote since."""
    return bool(session.value("select exists (from staging.linked join warehouse.revision on number = revision)"))

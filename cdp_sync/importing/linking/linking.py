"""Gives every fresh row a profile: one that exists, a new one, or none.

Four rules: match, take, spread, new. Rows that share a link value, directly or through others, are one connected
component; a component is named by its smallest row number.
"""

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.warehouse import Session, Step, quote_literal, statement

_MOST_ROUNDS = 10_000


def link_rows(session: Session, run: GoalRun, columns: Columns) -> None:
    """Assign the rows of `staging.fresh` to profiles: makes `staging.granted` and `staging.assigned`."""
    session.run(match_steps(columns))
    _connect(session, columns)
    _take_and_spread(session, columns)
    session.run(assign_steps(columns, allow_new=run.goal.allow_new_profiles))


def match_steps(columns: Columns) -> tuple[Step, ...]:
    """Return the steps of rule 1: each row belongs to the profile that its links find."""
    kind = "view" if columns.has_one_link_value else "table"
    values = "\nunion all\n".join(_link_values(columns))
    return (
        Step("link_value", f"create or replace temp {kind} link_value as {values}", reads=("staging.fresh",)),
        Step("matched", _sql("matched", columns), reads=("link_value", "staging.previous", "staging.file")),
    )


def _link_values(columns: Columns) -> list[str]:
    selects = []
    for link in columns.links:
        place, value, several = "1::bigint", link.column, "false"
        if link.prop.multiple:
            place, value, several = f"generate_subscripts({link.column}, 1)", f"unnest({link.column})", "true"
        selects.append(
            f"""select row, {link.number} as link, {quote_literal(link.prop.name)} as property, {place} as place,
                {value} as value, {several} as multiple
            from staging.fresh where {link.column} is not null"""
        )
    return selects


def connect_steps(columns: Columns) -> tuple[Step, ...]:
    """Return the steps that put unmatched rows that share a value into one component: `component(row, component)`."""
    if columns.has_one_link_value:
        return (Step("component", _sql("component_of_value"), reads=("link_value", "matched")),)
    unmatched = "select row, property, value from link_value anti join matched using (row)"
    return (
        Step(
            "unmatched_value",
            f"create or replace temp table unmatched_value as {unmatched}",
            reads=("link_value", "matched"),
        ),
        Step("component", _sql("component"), reads=("unmatched_value",)),
    )


NEXT_COMPONENT = (
    Step("next_component", statement("importing/linking/next_component"), reads=("unmatched_value", "component")),
)
"""One round: components that share a value become one."""

KEEP_COMPONENT = (
    Step("component", "create or replace temp table component as from next_component", reads=("next_component",)),
)


def _connect(session: Session, columns: Columns) -> None:
    session.run(connect_steps(columns))
    if columns.has_one_link_value or not session.value("select count(*) from component where component <> row"):
        return  # components are complete, or no two rows share a value
    for _ in range(_MOST_ROUNDS):
        session.run(NEXT_COMPONENT)
        differs = "select exists (from component c join next_component n using (row) where n.component <> c.component)"
        if not session.value(differs):
            return
        session.run(KEEP_COMPONENT)


def nothing_taken_steps() -> tuple[Step, ...]:
    """Return the steps that make the tables of rules 2 and 3, without a row."""
    granted = "(rank hugeint, property text, value text, multiple boolean, profile_id uuid)"
    return (
        Step("staging.granted", f"create or replace table staging.granted {granted}"),
        Step("component_profile", "create or replace temp table component_profile (component bigint, profile_id uuid)"),
    )


def claim_steps(columns: Columns, phase: int) -> tuple[Step, ...]:
    """Return the steps that find what profiles can take: matched ones in phase 0, those of components in phase 1."""
    of_components = "(select row, profile_id from component join component_profile using (component))"
    claimants = (("matched",), ("component", "component_profile"))[phase]
    sql = _sql("claim", columns, claimant=("matched", of_components)[phase])
    return (Step("claim", sql, {"phase": phase}, ("link_value", "staging.granted", *claimants)),)


GRANT = (
    Step("staging.granted", statement("importing/linking/granted"), reads=("staging.granted", "claim")),
    Step("claim", statement("importing/linking/remaining_claim"), reads=("staging.granted", "claim")),
)
"""One round: the earliest claims are granted, and claims that they exclude are dropped."""

SPREAD = (
    Step(
        "component_profile",
        statement("importing/linking/component_profile"),
        reads=("unmatched_value", "component", "staging.granted"),
    ),
)


def _take_and_spread(session: Session, columns: Columns) -> None:
    """Rules 2 and 3. Matched profiles take free values; components follow a value that was taken."""
    session.run(nothing_taken_steps())
    if len(columns.linked_properties) == 1 and not columns.linked_properties[0].multiple:
        return
    _grant(session, columns, phase=0)
    session.run(SPREAD)
    if session.value("select exists (from component_profile)"):
        _grant(session, columns, phase=1)


def _grant(session: Session, columns: Columns, *, phase: int) -> None:
    """Grant claims in the order of their rows, until none is left that can be granted."""
    session.run(claim_steps(columns, phase))
    while session.value("select exists (from claim)"):
        session.run(GRANT)


def assign_steps(columns: Columns, *, allow_new: bool) -> tuple[Step, ...]:
    """Return the steps of rule 4: every fresh row gets its profile and its outcome.

    With `allow_new`, components without a profile become new ones.
    """
    unnamed = " and ".join(f"{link.column} is null" for link in columns.links)
    reads = ("staging.fresh", "matched", "component", "component_profile")
    linked = "create or replace table staging.linked as select number as revision from warehouse.revision"
    return (
        Step("staging.assigned", _sql("assigned", unnamed=unnamed), {"allow_new": allow_new}, reads),
        Step("staging.linked", linked),
    )


def is_linked(session: Session) -> bool:
    """Return whether rows are linked at the warehouse's present revision: no other process wrote since."""
    return bool(session.value("select exists (from staging.linked join warehouse.revision on number = revision)"))


def _sql(name: str, columns: Columns | None = None, **further: str) -> str:
    """Return a statement of this folder with the tables of the entity in it."""
    entity = columns.entity if columns else None
    tables = {"table": entity.stored, "live": entity.live, "identifiers": entity.identifier_table} if entity else {}
    return statement(f"importing/linking/{name}").format(**tables, **further)

"""Takes identifiers out of a profile, for a part of it that is somebody else."""

from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from cdp_sync.errors import CannotUnmerge
from cdp_sync.merging.evidence import SQL
from cdp_sync.merging.joining import Moment, separate
from cdp_sync.model import Profiles
from cdp_sync.warehouse import Session, fixed, quote_identifier, quote_literal
from cdp_sync.warehouse.clock import touch


def split_identifiers(
    session: Session, profiles: Profiles, live: UUID, identifiers: Sequence[str], moment: Moment, decided_by: str
) -> list[UUID]:
    """Return the profiles that leave a live one with these identifiers, made one by hand.

    Parts all of whose identifiers are named leave as they are; what others lose goes to a new profile.

    Raises:
        CannotUnmerge: A value is none of the profile's identifiers, or they are all that it has.
    """
    named = {"identifiers": [value.strip() for value in identifiers]}
    session.run(
        (
            fixed("every_part", f"{SQL}/every_part", {**named, "live": live}),
            fixed("leaving_value", f"{SQL}/leaving_value", named),
        )
    )
    known = {value for (value,) in session.rows("select value from leaving_value")}
    unknown = sum(not known & {value, value.lower()} for value in named["identifiers"])
    if unknown:
        raise CannotUnmerge(
            f"{unknown} of the values are no identifiers of the profile.",
            remedy="`cdp-sync profile` shows what it has.",
        )
    whole = session.rows("select profile_id from every_part where is_whole order by profile_id")
    if session.value("select bool_and(is_whole) from every_part"):
        raise CannotUnmerge("These are all identifiers that the profile has.", needed="Some of them have to stay.")
    single = [prop.name for prop in profiles.identifiers if not prop.multiple]
    several = session.rows(
        """select property from leaving_value
        where not is_whole and property in (select unnest($single))
        group by property having count(distinct value) > 1""",
        {"single": single},
    )
    if several:
        raise CannotUnmerge(
            f"The new profile would have two values of {', '.join(name for (name,) in several)}, which holds one.",
            remedy="Split them off one after the other.",
        )
    leaving = [_uuid(part) for (part,) in whole]
    if session.value("select exists (from leaving_value where not is_whole)"):
        session.execute("create or replace temp table split_part as select profile_id from every_part")
        separate(session, "split_part")
        leaving.append(_new_profile(session, profiles, moment))
    for left, right in pairwise(leaving):
        values = {"left": left, "right": right, **moment.values, "by": decided_by}
        session.run([fixed("warehouse.decision", f"{SQL}/decided_by_hand", values)])
    return leaving


def _new_profile(session: Session, profiles: Profiles, moment: Moment) -> UUID:
    """Move identifiers from profiles by themselves to a new one; return its id."""
    new = _uuid(session.value("select uuidv7()"))
    held = "warehouse.profile_identifier"
    columns = []
    session.execute("create or replace temp view lost_value as from leaving_value where not is_whole")
    for prop in profiles.identifiers:
        mine = f"select list(distinct value order by value) from lost_value where property = {quote_literal(prop.name)}"
        columns.append(f"({mine}){'' if prop.multiple else '[1]'}::{prop.sql_type} as {quote_identifier(prop.name)}")
    values = {"new": new, "now": moment.now}
    made = ", ".join(["$new as profile_id", "$now as created_at", "$now as updated_at", *columns])
    session.execute(f"insert into warehouse.profile by name select {made}", values)
    for prop in profiles.identifiers:
        name, lost = quote_identifier(prop.name), f"lost.property = {quote_literal(prop.name)}"
        left = (
            f"nullif(list_filter({name}, lambda x: not list_contains(lost.lost_values, x::text)), [])"
            if prop.multiple
            else f"case when list_contains(lost.lost_values, {name}::text) then null else {name} end"
        )
        session.execute(
            f"""update warehouse.profile profile
            set {name} = {left}, updated_at = $now
            from (select profile_id, property, list(value) as lost_values from lost_value group by all) lost
            where lost.profile_id = profile.profile_id and {lost}""",
            {"now": moment.now},
        )
    lost = "select (property, value, profile_id) from lost_value"
    session.execute(f"delete from {held} where (property, value, profile_id) in ({lost})")
    session.execute(
        f"insert into {held} by name select distinct property, value, $new as profile_id from lost_value", {"new": new}
    )
    touch(session, moment.now, "select profile_id from lost_value union all select $new::uuid", {"new": new})
    values = {"run_id": moment.run_id, "new": new, "now": moment.now}
    session.execute(
        "insert into warehouse.profile_change by name "
        "select $run_id as run_id, $new as profile_id, 'created' as kind, $now as changed_at",
        values,
    )
    return new


def _uuid(value: object) -> UUID:
    return UUID(str(value))

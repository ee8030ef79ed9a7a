"""Tells which users of a file have arrived: those who are on its lists, with the values that were sent.

Sailthru tells of a file of users neither which lines it took nor, for certain, how many. Whoever cannot be told to have
arrived, because values are written otherwise there, too, is sent once more by themselves; that changes nothing more.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cdp_sync.exporting.run import UserRun
from cdp_sync.warehouse import Session, quote_identifier, quote_literal

# A view: what everybody was sent and holds would fill the memory, and each is looked at once.
_ON_LIST = """create or replace temp view on_list as
with member as (
{members}
),
told as (
    select row_number() over (order by rowid) - 1 as place, json_extract(line, [{paths}]) as told
    from staging.selected
    where ending = 'written'
),
person as (
    select place, told[1] ->> '$' as id, told[2] ->> '$' as key{sent}
    from told
)
select * from person join member on person.id = member.sid where key = 'sid'
union all by name
select * from person join member on md5(person.id) = member.digest where key = 'email'"""

_ARRIVED = """copy (
    select
        place, 'sent', any_value(sid),
        to_json(list({{list: list, moment: epoch(joined)}})),
        ''
    from on_list
    where {agrees}
    group by place
    having count(distinct list) = $lists
) to {target} (format csv, header false)"""


def note_arrived(run: UserRun, lists: Mapping[str, Path]) -> None:
    """Write down the outcome of the users who are on all lists as they were sent.

    Args:
        run: The run; its users were sent.
        lists: Its goal's lists, as Sailthru exports them.
    """
    fields = [column.field for column in run.goal.map]
    agrees = [f"held_{number} is not distinct from sent_{number}" for number in range(len(fields))]
    paths = ("$.id", "$.key", *(f"$.vars.{quote_identifier(field)}" for field in fields))
    sent = (f", {_as_listed(f'told[{number + 3}]')} as sent_{number}" for number in range(len(fields)))
    with run.open("none") as session:
        session.set("TimeZone", run.time_zone)
        members = "\nunion all\n".join(_members(session, name, path, fields) for name, path in lists.items())
        found = {"members": members, "paths": ", ".join(map(quote_literal, paths)), "sent": "".join(sent)}
        session.execute(_ON_LIST.format(**found))
        session.execute(
            _ARRIVED.format(agrees=" and ".join(("true", *agrees)), target=quote_literal(str(run.outcomes))),
            {"lists": len(lists)},
        )


def _members(session: Session, name: str, path: Path, fields: Sequence[str]) -> str:
    """Return the query for the people on a list."""
    source = f"""read_csv({quote_literal(str(path))}, header = true, all_varchar = true, delim = ',', quote = '"',
        escape = '"', ignore_errors = true)"""
    columns = {column for column, *_ in session.rows(f"describe from {source}")}

    def held(column: str) -> str:
        return quote_identifier(column) if column in columns else "null::varchar"

    values = "".join(f", {held(field)} as held_{number}" for number, field in enumerate(fields))
    joined = f"try_cast(replace({held('List Signup')}, '/', '-') as timestamptz)"
    return f"""select {quote_literal(name)} as list, {joined} as joined,
        {held("Profile Id")} as sid, lower({held("Email Hash")}) as digest{values}
    from {source}"""


def _as_listed(value: str) -> str:
    """Return the expression for a value's text in a list: several values stand there between commas, 12.0 as 12."""
    return f"""nullif(case json_type({value})
        when 'ARRAY' then array_to_string(from_json({value}, '["VARCHAR"]'), ',')
        when 'DOUBLE' then regexp_replace({value} ->> '$', '\\.0$', '')
        else {value} ->> '$'
    end, '')"""

"""Finds the users of a file that have arrived: those who are on its lists, with the values that were sent.

Sailthru reports of a file of users neither which lines it accepted nor, for certain, how many. A user whose values
cannot be matched in the list export, because Sailthru writes them otherwise, is re-sent individually.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdp_sync.quoting import quote_identifier, quote_literal

_DELIVERED = """
with member as (
{members}
),
parsed as (
    select place, json_extract(line, [{paths}]) as part from sent
),
person as (
    select place, part[1] ->> '$' as id, part[2] ->> '$' as key{sent} from parsed
),
on_list as (
    select * from person join member on person.id = member.sid where key = 'sid'
    union all by name
    select * from person join member on md5(person.id) = member.digest where key = 'email'
)
select place, any_value(sid) as platform_id, list({{list: list, moment: epoch(joined)}}) as joined
from on_list
where {agrees}
group by place
having count(distinct list) = {count}"""


def delivered_query(lists: Mapping[str, Path], fields: Sequence[str]) -> str:
    """Return the query for the users who are on all lists as they were sent; see `Users.note_delivered`.

    Args:
        lists: The goal's lists, as Sailthru exports them.
        fields: The custom fields that were sent.
    """
    agrees = [f"held_{number} is not distinct from sent_{number}" for number in range(len(fields))]
    paths = ("$.id", "$.key", *(f"$.vars.{quote_identifier(field)}" for field in fields))
    sent = (f", {_as_listed(f'part[{number + 3}]')} as sent_{number}" for number in range(len(fields)))
    return _DELIVERED.format(
        members="\nunion all\n".join(_members(name, path, fields) for name, path in lists.items()),
        paths=", ".join(map(quote_literal, paths)),
        sent="".join(sent),
        agrees=" and ".join(("true", *agrees)),
        count=len(lists),
    )


def _members(name: str, path: Path, fields: Sequence[str]) -> str:
    """Return the query for the people on a list."""
    with path.open(encoding="utf-8", newline="") as file:
        columns = set(next(csv.reader(file), ()))

    def held(column: str) -> str:
        return quote_identifier(column) if column in columns else "null::varchar"

    values = "".join(f", {held(field)} as held_{number}" for number, field in enumerate(fields))
    joined = f"try_cast(replace({held('List Signup')}, '/', '-') as timestamptz)"
    return f"""select {quote_literal(name)} as list, {joined} as joined,
        {held("Profile Id")} as sid, lower({held("Email Hash")}) as digest{values}
    from read_csv({quote_literal(str(path))}, header = true, all_varchar = true, delim = ',', quote = '"',
        escape = '"', ignore_errors = true)"""


def _as_listed(value: str) -> str:
    """Return the expression for a value's text in a list: several values stand there between commas, 12.0 as 12."""
    return f"""nullif(case json_type({value})
        when 'ARRAY' then array_to_string(from_json({value}, '["VARCHAR"]'), ',')
        when 'DOUBLE' then regexp_replace({value} ->> '$', '\\.0$', '')
        else {value} ->> '$'
    end, '')"""

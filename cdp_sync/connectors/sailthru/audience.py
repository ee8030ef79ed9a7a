"""Users as an export's audience: as one file where that can be verified, else one by one.

`POST job` with `update` takes a file of many users quickly, but no answer says which of its lines were accepted. So it
is used only where lists prove afterwards which users have arrived. Users that are not proved are sent again one by one
(`POST user`), which says why one is refused. Sending a user again is idempotent.

Sailthru reports of a file of users neither which lines it accepted nor, for certain, how many. A user whose values
cannot be matched in the list export, because Sailthru writes them otherwise, is re-sent individually.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import UserExportGoal
from cdp_sync.errors import JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model.audience import Body, Delivered, User, Users
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


class SailthruAudience:
    """The users of an export goal, at an account."""

    def __init__(self, people: SailthruClient, goal: UserExportGoal) -> None:
        self._people, self._goal = people, goal
        self._may_create = goal.create_users or all(link.field == "sid" for link in goal.link)

    def deliver(self, users: Users) -> None:
        """Create and change users, and put them on the goal's lists.

        Raises:
            ListUnknown: One of the lists is smart; nobody is sent.
            ServerRefused: The credentials, a permission: no call would do.
            Transient: Sailthru cannot be reached, or fails again and again.
        """
        if len(users):
            self._people.check_writable(self._goal.lists)
        if self._goal.lists and self._may_create and not users.resumed and len(users) >= self._goal.bulk_from:
            self._deliver_in_bulk(users)
        self._send(users, lambda body: body, must_exist=not self._goal.create_users)

    def remove(self, users: Users) -> None:
        """Take users off lists.

        Raises:
            As `deliver`.
        """
        self._send(users, lambda body: {**body, "lists": dict.fromkeys(body["lists"], 0)}, must_exist=True)

    def _deliver_in_bulk(self, users: Users) -> None:
        """Send the file, and note the users that the lists then have."""
        fields = [column.field for column in self._goal.map]
        lists = {name: users.path.with_name(f"list_{number}.csv") for number, name in enumerate(self._goal.lists)}
        try:
            self._people.update_in_bulk(users.path)
            for name, target in lists.items():
                self._people.fetch_export(self._people.start_export(name, fields or None), target)
        except (JobFailed, JobUnfinished, RequestRefused):
            return  # they are sent one by one
        users.note_delivered(_delivered_query(lists, fields), self._people.time_zone)

    def _send(self, users: Users, change: Callable[[Body], Body], *, must_exist: bool) -> None:
        """Send users one by one. A change by a sid creates no user; where none may be created, others are looked up."""

        def pending(*, by_sid: bool) -> Iterator[User]:
            return ((place, change(body)) for place, body in users if (body["key"] == "sid") is by_sid)

        if must_exist:
            self._update(users, pending(by_sid=True))
            self._update(users, self._existing(users, pending(by_sid=False)))
        else:
            self._update(users, ((place, change(body)) for place, body in users))

    def _update(self, users: Users, sent: Iterable[User]) -> None:
        with closing(self._people.update_each(sent)) as answers:
            for (place, _), answer in answers:
                users.note(place, answer)

    def _existing(self, users: Users, sought: Iterable[User]) -> Iterator[User]:
        """Yield the users who exist, each by their sid; note those who do not."""
        with closing(self._people.find_each(sought)) as found:
            for (place, body), answer in found:
                if not isinstance(answer, Delivered):
                    users.note(place, answer)
                else:
                    yield place, {**body, "id": answer.platform_id, "key": "sid"} if answer.platform_id else body


def _delivered_query(lists: Mapping[str, Path], fields: Sequence[str]) -> str:
    """Return the query for the users who are on all exported lists with the custom fields that were sent."""
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

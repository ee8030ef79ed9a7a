"""Users as an export's audience: in batches by `users/bulkUpdate`, then on lists by `lists/subscribe`.

Every call says who was refused. An accepted user shows the values later; some users, or all, are read back. Which users
exist is asked for where none may be created: a call for many has no switch for that.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.batches import Batch, Entry, Refusal, batches, send
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.event_delivery import send_events
from cdp_sync.connectors.iterable.export import fetch_users
from cdp_sync.connectors.iterable.fields import field_problems
from cdp_sync.connectors.iterable.goals import EMAIL, UserExportGoal
from cdp_sync.connectors.iterable.memberships import Memberships
from cdp_sync.connectors.iterable.protocol import Call, UserQuery
from cdp_sync.connectors.iterable.sent_events import IterableEvents
from cdp_sync.connectors.iterable.verification import Verification
from cdp_sync.errors import (
    CdpSyncError,
    FieldsRefused,
    ListUnknown,
    RemoteFailure,
    RequestRefused,
    UserForgotten,
    UserUnknown,
)
from cdp_sync.model.audience import Delivered, Outcome, Unproved, Users
from cdp_sync.quoting import quote_literal

SAMPLE = 10
"""Users who are read back, unless all are."""
FEW = 1000
"""Users up to which those who exist are found by one call each, which takes ten seconds."""
_WORKERS = 6
"""Calls for many under way: five a second are allowed, and few large bodies are held."""

_ABSENT = """
with known as (
    select distinct {fold}({key}) as id
    from read_json({path}, format = 'newline_delimited', columns = {{{key}: 'VARCHAR'}}, ignore_errors = true)
)
select place
from (select place, line ->> 'id' as id from sent where line ->> 'key' = '{key}')
where {fold}(id) not in (select id from known where id is not null)"""

Outcomes = list[tuple[Sequence[int], Outcome]]
"""The outcomes of a batch: the numbers of users' lines that have each."""


class IterableAudience:
    """The users of an export goal, at a project.

    Args:
        client: Calls the project.
        goal: Says what is exported.
    """

    def __init__(self, client: IterableClient, goal: UserExportGoal) -> None:
        self._client, self._goal = client, goal
        self._keys = tuple(dict.fromkeys(link.field for link in goal.link))

    def deliver(self, users: Users) -> None:
        """Create and change users, put them on the goal's lists, and read some or all of them back.

        Raises:
            FieldsRefused: The project's fields cannot hold what is mapped.
            ListUnknown: A list is not there, or no static one.
            ServerRefused: The key, a permission: no call would do.
            Transient: Iterable cannot be reached, or fails again and again.
        """
        self._check_fields(users)
        lists = Memberships(self._client, self._goal.lists, create=True)
        if not self._goal.create_users:
            self._note_absent(users)
        on_before = self._on_before(users, lists)

        def lists_before(place: int) -> frozenset[str]:
            return frozenset(name for name, flags in on_before.items() if flags[place])

        held = range(len(users)) if self._goal.verify == "all" else _sample(len(users))
        for outcomes in self._each(users, partial(self._write, lists)):
            for places, outcome in outcomes:
                if isinstance(outcome, UserUnknown) and self._goal.create_users:
                    users.note_all(places, _NOT_CREATED)
                elif outcome is _ACCEPTED:
                    proved = [place for place in places if place not in held]
                    _note_by_lists(users, proved, lists_before, lambda before: Delivered(on_before=before))
                elif isinstance(outcome, RemoteFailure):  # the call may have been done
                    _note_by_lists(users, places, lists_before, partial(Unproved, outcome.found))
                else:
                    users.note_all(places, outcome)
        on_lists = partial(self._on_lists, users, lists)
        Verification(self._client, lists.ids.values(), lists_before, on_lists).verify(users)

    def remove(self, users: Users) -> None:
        """Take users off lists; those who do not exist, or lists that do not, count as done.

        Raises:
            As `deliver`.
        """
        named = {name for _, body in users for name in body["lists"]}
        lists = Memberships(self._client, sorted(named), create=False)
        for outcomes in self._each(users, partial(self._take_off, lists)):
            for places, outcome in outcomes:
                users.note_all(places, Delivered() if outcome is _ACCEPTED else outcome)

    def send_events(self, events: Users, declared: IterableEvents) -> None:
        """Send events of users, in their order for each user; those with an id that is there replace it.

        Raises:
            As `deliver`.
        """
        send_events(self._client, events, declared)

    def _check_fields(self, users: Users) -> None:
        if not self._goal.data_fields:
            return
        if problems := list(field_problems(self._goal, users.types, self._client.fields())):
            raise FieldsRefused(
                f"What is mapped does not fit the fields of the project. {' '.join(problems)}",
                remedy="Map to another field, or to a property of another type.",
            )

    def _each(self, users: Users, work: Callable[[Batch, Event], Outcomes]) -> Iterator[Outcomes]:
        """Do work for all users without an outcome, batch by batch; yield the outcomes."""
        under_way: dict[int, list[int]] = {}

        def sent() -> Iterator[Batch]:
            for number, batch in enumerate(batches(users.lines())):
                under_way[number] = [each.place for each in batch]
                yield batch

        with closing(self._client.concurrently(work, sent(), workers=_WORKERS)) as found:
            for number, outcomes in found:
                places = under_way.pop(number)
                if isinstance(outcomes, ListUnknown):
                    raise outcomes
                yield [(places, outcomes)] if isinstance(outcomes, CdpSyncError) else outcomes

    def _write(self, lists: Memberships, batch: Batch, cancelled: Event) -> Outcomes:
        ask = partial(self._client.ask, cancelled=cancelled)
        only = not self._goal.create_users
        refusals: list[Refusal] = []
        if self._goal.map:
            refusals += send(ask, batch, self._bulk_update)
        for name in lists.ids:
            call = partial(lists.subscribe, name, existing_only=only)
            refusals += send(lists.change(ask, name), _without(batch, refusals), call)
        return _outcomes(batch, refusals)

    def _bulk_update(self, batch: Batch) -> Call:
        return protocol.bulk_update([each.user for each in batch], create_fields=self._goal.create_fields)

    def _take_off(self, lists: Memberships, batch: Batch, cancelled: Event) -> Outcomes:
        ask = partial(self._client.ask, cancelled=cancelled)
        refusals: list[Refusal] = []
        to_leave = [(each, json.loads(each.user)["lists"]) for each in batch]
        for name in lists.ids:
            on = [each for each, names in to_leave if name in names]
            refusals += send(ask, on, partial(lists.unsubscribe, name))
        return _outcomes(batch, [each for each in refusals if not isinstance(each[1], (UserUnknown, UserForgotten))])

    def _note_absent(self, users: Users) -> None:
        """Note the users who do not exist."""
        sought = list(users) if len(users) <= FEW else []
        if sought:
            calls = (protocol.get_user(body["key"], body["id"]) for _, body in sought)
            with closing(self._client.each(calls)) as found:
                for number, answer in found:
                    if isinstance(answer, CdpSyncError):
                        users.note(sought[number][0], answer)
                    elif answers.user(answer) is None:
                        users.note(sought[number][0], None)
            return
        target = users.path.with_name("known.json")
        fetch_users(self._client, UserQuery(fields=self._keys), target)
        for key in self._keys:
            fold = "lower" if key == EMAIL else ""
            absent = _ABSENT.format(fold=fold, key=key, path=quote_literal(str(target)))
            users.note_all(users.places(absent), None)

    def _on_before(self, users: Users, lists: Memberships) -> dict[str, bytearray]:
        """Return, by list, a flag for each user who is on it already: the goal may not take that user off it."""
        if not self._goal.remove_from_lists:
            return {}
        flags = {name: bytearray(len(users)) for name in lists.ids if name not in lists.new}
        for name, of_list in flags.items():
            for place in self._members(users, lists, name, users.path.parent):
                of_list[place] = 1
        return flags

    def _members(self, users: Users, lists: Memberships, name: str, folder: Path) -> Iterator[int]:
        for key in self._keys:
            yield from users.places(lists.members_query(name, key, folder))

    def _on_lists(self, users: Users, lists: Memberships) -> Collection[int]:
        """Return who is on all lists by now."""
        with TemporaryDirectory(dir=users.path.parent) as folder:
            members = [set(self._members(users, lists, name, Path(folder))) for name in lists.ids]
        return set.intersection(*members)


_ACCEPTED = Delivered()
_NOT_CREATED = RequestRefused("Iterable has no such user and creates none by that key; project_type may be wrong.")


def _sample(count: int) -> Collection[int]:
    """Return the numbers of some of so many users."""
    return range(0, count, max(1, count // SAMPLE))[:SAMPLE]


def _without(batch: Batch, refusals: Sequence[Refusal]) -> list[Entry]:
    refused = {each.place for each, _ in refusals}
    return [each for each in batch if each.place not in refused]


def _outcomes(batch: Batch, refusals: Sequence[Refusal]) -> Outcomes:
    accepted = [each.place for each in _without(batch, refusals)]
    return [(accepted, _ACCEPTED), *(((each.place,), problem) for each, problem in refusals)]


def _note_by_lists(
    users: Users,
    places: Sequence[int],
    lists_before: Callable[[int], frozenset[str]],
    outcome: Callable[[frozenset[str]], Outcome],
) -> None:
    """Note the outcomes of users, together of those who were on the same lists before."""
    by_lists: dict[frozenset[str], list[int]] = {}
    for place in places:
        by_lists.setdefault(lists_before(place), []).append(place)
    for before, alike in by_lists.items():
        users.note_all(alike, outcome(before))

"""Users as an export's audience: as one file where that can be verified, else one by one.

`POST job` with `update` takes a file of many users quickly, but no answer says which of its lines were accepted. So it
is used only where lists prove afterwards which users have arrived. Users that are not proved are sent again one by one
(`POST user`), which says why one is refused. Sending a user again is idempotent.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import UserExportGoal
from cdp_sync.connectors.sailthru.verify_by_list import delivered_query
from cdp_sync.errors import CdpSyncError, JobFailed, JobUnfinished, RequestRefused
from cdp_sync.model.audience import Body, User, Users


class SailthruAudience:
    """The users of an export goal.

    Args:
        people: The account's users.
        goal: The goal.
    """

    def __init__(self, people: SailthruClient, goal: UserExportGoal) -> None:
        self._people, self._goal = people, goal
        self._may_create = goal.create_users or all(link.field == "sid" for link in goal.link)

    def deliver(self, users: Users) -> None:
        """Create and change users, and put them on the goal's lists.

        Raises:
            ServerRefused: The credentials, a permission: no call would do.
            Transient: Sailthru cannot be reached, or fails again and again.
        """
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
                self._people.fetch_list(name, target, fields)
        except (JobFailed, JobUnfinished, RequestRefused):
            return  # they are sent one by one
        users.note_delivered(delivered_query(lists, fields), self._people.time_zone)

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
                if answer is None or isinstance(answer, CdpSyncError):
                    users.note(place, answer)
                else:
                    yield place, {**body, "id": answer.platform_id, "key": "sid"} if answer.platform_id else body

"""What exporting needs of a platform with users.

How a user is written depends on the declaration alone: see `AudienceGoal.render`.
"""

from typing import Protocol, runtime_checkable

from cdp_sync.model.audience import Users
from cdp_sync.model.sent_events import SentEvents

FORGOTTEN = "The user asked the platform to be forgotten, and is refused there from then on."
"""Why a profile is not sent, and not sent again by later runs."""


class Audience(Protocol):
    """The users of a platform. A connector makes it of a client and the goal.

    Every user gets an outcome. A crash may come at any time, so both methods must be idempotent.
    """

    def deliver(self, users: Users) -> None:
        """Create and change users, put them on the goal's lists, and write down the outcome of each.

        Raises:
            CdpSyncError: What concerns not one user alone.
        """
        ...

    def remove(self, users: Users) -> None:
        """Take users off lists, and write down the outcome of each.

        Raises:
            CdpSyncError: What concerns not one user alone.
        """
        ...


@runtime_checkable
class EventAudience(Audience, Protocol):
    """The users of a platform that takes events as well."""

    def send_events(self, events: Users, declared: SentEvents) -> None:
        """Send events of one target, in order for each user, and write down the outcome of each.

        Each line is the event of a user: `id` and `key` say of which, `user` is what `SentEvents.render` has made.

        Raises:
            CdpSyncError: What concerns not one event alone.
        """
        ...

"""Export goals to the users of a platform."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from cdp_sync.model.audience import AudienceField, Rendered
from cdp_sync.model.declared import Declared
from cdp_sync.model.export import ExportColumn, ExportGoal
from cdp_sync.model.profile import Profiles


class AudienceLink(Declared):
    """A key that the platform knows a user by, and the identifier property that holds it."""

    field: Annotated[str, Field(min_length=1)]
    """The platform's key."""
    property: str
    """Identifier property of the profile; of several values the first counts."""


class AudienceGoal(ExportGoal):
    """Brings a segment's profiles to the users of a platform."""

    identity_key: ClassVar[str] = "id"
    """The key that holds the platform's own id of a user, by which no user can be created."""
    link: Annotated[tuple[AudienceLink, ...], Field(min_length=1)]
    """Which user a profile is: the first of these that it has a value of. Profiles without any are not exported."""
    map: tuple[ExportColumn, ...] = ()
    """The user's fields, each with what it holds."""
    create_users: bool = False
    """Create users that do not exist; otherwise only existing users get values."""

    @abstractmethod
    def render(self, fields: Sequence[AudienceField]) -> Rendered:
        """Return how a user is written.

        Args:
            fields: The fields that hold properties, in order.
        """

    @property
    def memberships(self) -> tuple[str, ...]:
        """The lists that the goal puts users on; none on a platform without lists."""
        return ()

    @property
    def removes(self) -> bool:
        """Whether users are taken off these lists when their profiles leave the segment."""
        return False

    @property
    def destination(self) -> str:
        """Where profiles go, for people."""
        links = ", ".join(f"{link.property} → {link.field}" for link in self.link)
        leave = "; who leaves the segment is taken off" if self.removes else ""
        lists = f"\n- lists: {', '.join(self.memberships)}{leave}" if self.memberships else ""
        return f"linked by {links}; {'creates' if self.create_users else 'never creates'} users{lists}"

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from super().problems(profiles)
        yield from profiles.link_problems(link.property for link in self.link)

"""What an export asks of a platform's users, and what the platform answers: values that engine and connectors share."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Union

from cdp_sync.errors import CdpSyncError


@dataclass(frozen=True)
class AudienceField:
    """A field of a user that holds a property."""

    name: str
    """What the platform calls it."""
    type: str
    """The property's type: text, email, number, decimal, date, datetime or boolean."""
    value: str
    """What the engine's statement calls one value of it: SQL of the type's SQL type."""


@dataclass(frozen=True)
class Named:
    """The value of a field, in a shape of JSON."""

    field: str


@dataclass(frozen=True)
class Linked:
    """The identifier of a user who is known by this key; for all other users another field's value, or none."""

    key: str
    otherwise: Named | None = None


@dataclass(frozen=True)
class Filled:
    """An object without the members that have no value."""

    members: Mapping[str, "Shape"]


Shape = Union[Named, Linked, Filled, str, int, Mapping[str, "Shape"]]  # noqa: UP007 - it names itself
"""JSON in which values of fields stand by name."""


@dataclass(frozen=True)
class Rendered:
    """How a user is written as JSON."""

    values: tuple[str, ...]
    """For each field the SQL expression of one value, in the type that the platform expects."""
    body: Mapping[str, Shape]
    """What a user's object holds beside `id` and `key`, which come first."""


Body = dict[str, Any]
"""A user as JSON: `id`, `key` and the rendered body; of a user who is to be taken off lists `id`, `key` and `lists`."""

User = tuple[int, Body]
"""The number of a user's line, from 0, and the user."""


@dataclass(frozen=True)
class Delivered:
    """A user who exists on the platform, with all that was sent."""

    platform_id: str | None = None
    """The platform's own id; None where it does not say."""
    joined: Mapping[str, datetime] = field(default_factory=dict)
    """When the user joined lists, as far as the platform says."""
    on_before: frozenset[str] = frozenset()
    """Lists that the user was on before it was sent, where the platform does not say since when."""


@dataclass(frozen=True)
class Unproved:
    """A user who may have what was sent, and may be on the goal's lists. It counts as refused, and is sent again."""

    reason: str
    on_before: frozenset[str] = frozenset()
    """Lists that the user was on before it was sent."""


Outcome = Delivered | Unproved | CdpSyncError | None
"""The end of a user's delivery: delivered; not proved; refused, with the reason; None where there is no such user."""


class Users(Protocol):
    """The users of a run. Iterating yields those without an outcome, also when a run is resumed after a crash."""

    @property
    def path(self) -> Path:
        """The file of all users: one JSON object a line."""
        ...

    @property
    def types(self) -> Mapping[str, str]:
        """The type of each mapped field's property; text for what holds no property."""
        ...

    @property
    def resumed(self) -> bool:
        """Whether some of them have an outcome already."""
        ...

    def __len__(self) -> int:
        """Return how many users there are in all."""
        ...

    def __iter__(self) -> Iterator[User]:
        """Yield the users without an outcome, in order."""
        ...

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the users without an outcome, in order, each as its number and the JSON that was written."""
        ...

    def note(self, place: int, outcome: Outcome) -> None:
        """Write down the outcome of a user, by the number of the line."""
        ...

    def note_all(self, places: Collection[int], outcome: Outcome) -> None:
        """Write down the same outcome of many users."""
        ...

    def places(self, query: str) -> list[int]:
        """Return the numbers that a query over `sent`, with the columns `place` and `line`, yields."""
        ...

    def note_delivered(self, query: str, time_zone: str) -> None:
        """Write down the users that a query proves to be delivered.

        Args:
            query: Over `sent`, which has the columns `place` and `line`, yields `place`, `platform_id` and `joined`: a
                list of `{list, moment}`, the moment in seconds since 1970.
            time_zone: Of times without an offset in the query.
        """
        ...

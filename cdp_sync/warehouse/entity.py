"""What rows are linked to and upserted into."""

from dataclasses import dataclass

from cdp_sync.model import Profiles, Property


@dataclass(frozen=True)
class Entity:
    """A kind of record that the warehouse keeps one of for each person, or each other thing that rows name.

    Args:
        table: Its table in the warehouse.
        identifiers: The properties that name one record.
        properties: All properties.
    """

    table: str
    identifiers: tuple[Property, ...]
    properties: tuple[Property, ...]

    @property
    def stored(self) -> str:
        """The table, as SQL names it."""
        return f"warehouse.{self.table}"

    @property
    def live(self) -> str:
        """The view of the records that were not merged into another one, as SQL names it."""
        return f"warehouse.live_{self.table}"

    @property
    def identifier_table(self) -> str:
        """The table with the identifiers of all live records, as SQL names it."""
        return f"{self.stored}_identifier"


def profile_entity(profiles: Profiles) -> Entity:
    """Return the entity that people are."""
    return Entity("profile", tuple(profiles.identifiers), tuple(profiles.every))

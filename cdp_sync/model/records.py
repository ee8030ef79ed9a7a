"""What rows become: people, or groups of a type. Each kind of record has a table and properties."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

from cdp_sync.model.declared import Declared
from cdp_sync.model.property import Property
from cdp_sync.model.suggestion import allowed


class Records(Declared):
    """The declared records of one kind."""

    noun: ClassVar[Literal["profile", "group"]]
    """What one is called; counters are named by it, such as `profiles_created`."""
    key: ClassVar[str]
    """The column of a record's id, a UUID."""

    @property
    def table(self) -> str:
        """The table that holds them."""
        raise NotImplementedError

    @property
    def every(self) -> tuple[Property, ...]:
        """All properties, in column order."""
        raise NotImplementedError

    @property
    def consent(self) -> tuple[Property, ...]:
        """The properties that hold consent, where it is asked for."""
        return ()

    @property
    def reserved(self) -> frozenset[str]:
        """Names that no property can have that is detected in a file."""
        raise NotImplementedError

    @cached_property
    def by_name(self) -> dict[str, Property]:
        """The properties by name."""
        return {prop.name: prop for prop in self.every}

    @property
    def identifiers(self) -> tuple[Property, ...]:
        """The properties that name a record."""
        return tuple(prop for prop in self.every if prop.identifier)

    def unknown(self, name: str) -> str:
        """Return what is wrong with a property that is not declared, and which are."""
        return f"{name!r} is unknown; {allowed(name, self.by_name)}"

    def with_properties(self, more: Iterable[Property]) -> Self:
        """Return these records with further properties after their own."""
        further = tuple(prop for prop in more if prop.name not in self.by_name)
        return type(self)(**self._declared | {"properties": (*self._declared["properties"], *further)})

    @property
    def _declared(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}

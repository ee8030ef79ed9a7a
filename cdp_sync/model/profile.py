"""The properties that a profile has."""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared

PropertyType = Literal["text", "email", "number", "decimal", "date", "datetime", "boolean"]

RESERVED = frozenset({"profile_id", "created_at", "updated_at", "merged_into"})
"""Columns that every profile has; no property may take their names."""

_SQL_TYPES: dict[str, str] = {
    "text": "VARCHAR",
    "email": "VARCHAR",
    "number": "BIGINT",
    "date": "DATE",
    "datetime": "TIMESTAMP WITH TIME ZONE",
    "boolean": "BOOLEAN",
}


class Property(Declared):
    """One property of a profile."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Name of the property and of its column."""
    type: PropertyType = "text"
    """What its values are: `number` is a 64-bit integer, `decimal` exact, `datetime` an instant in UTC."""
    multiple: bool = False
    """Holds a list of unique values instead of one value."""
    identifier: bool = False
    """Names a person uniquely; usable in links."""
    precision: Annotated[int, Field(ge=1, le=38)] = 18
    """Digits of a `decimal` in all."""
    scale: Annotated[int, Field(ge=0, le=38)] = 4
    """Digits of a `decimal` behind the point."""
    title: str | None = None
    """What people call it."""

    @model_validator(mode="after")
    def _check(self) -> "Property":
        if self.name in RESERVED:
            raise ValueError(f"{self.name!r} is a column that every profile has; choose another name")
        if self.scale > self.precision:
            raise ValueError(f"scale {self.scale} is larger than precision {self.precision}")
        if self.identifier and self.type not in ("text", "email", "number"):
            raise ValueError(f"an identifier is text, email or number, not {self.type}")
        return self

    @property
    def value_type(self) -> str:
        """The SQL type of one value."""
        if self.type == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        return _SQL_TYPES[self.type]

    @property
    def sql_type(self) -> str:
        """The SQL type of the column."""
        return f"{self.value_type}[]" if self.multiple else self.value_type


class Profiles(Declared):
    """The declared profile: its properties, in column order."""

    properties: tuple[Property, ...]
    """The properties, in column order."""

    @model_validator(mode="after")
    def _check(self) -> "Profiles":
        names = [prop.name for prop in self.properties]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"declared more than once: {', '.join(repeated)}")
        return self

    @cached_property
    def by_name(self) -> dict[str, Property]:
        """The properties by name."""
        return {prop.name: prop for prop in self.properties}

    @property
    def identifiers(self) -> tuple[Property, ...]:
        """The properties that name a person."""
        return tuple(prop for prop in self.properties if prop.identifier)

    def with_properties(self, more: Iterable[Property]) -> "Profiles":
        """Return these profiles with further properties behind their own."""
        return Profiles(properties=(*self.properties, *(p for p in more if p.name not in self.by_name)))

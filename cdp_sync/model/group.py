"""Types of groups: what people belong to, such as stores, households or companies, each with properties of its own."""

from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN
from cdp_sync.model.property import RESERVED, Property
from cdp_sync.model.records import Records

GROUP_ID = "group_id"
"""The column, and the identifier, that names a group of its type."""


class GroupType(Records):
    """A type of groups. A profile's property of type `group` holds the ids of those that a person belongs to."""

    noun: ClassVar[Literal["profile", "group"]] = "group"
    key: ClassVar[str] = "_group"

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; its table is called `group_` and this name."""
    title: str | None = None
    """What people call it."""
    properties: tuple[Property, ...] = ()
    """Properties of a group, beside its id."""

    @model_validator(mode="after")
    def _check(self) -> "GroupType":
        if self.name.endswith("_identifier"):
            raise ValueError(f"name: {self.name!r} ends with `_identifier`, as other tables do; choose another name")
        names = [prop.name for prop in self.properties]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"properties: declared more than once: {', '.join(repeated)}")
        for prop in self.properties:
            if prop.name == GROUP_ID:
                raise ValueError(f"properties: {GROUP_ID!r} is a column that every group has; choose another name")
            if prop.identifier:
                raise ValueError(f"properties: {prop.name}: a group is named by its id alone; leave identifier out")
            if prop.type == "group":
                raise ValueError(f"properties: {prop.name}: people belong to groups, and groups to none")
        return self

    @property
    def table(self) -> str:
        """The table of its groups."""
        return f"group_{self.name}"

    @cached_property
    def every(self) -> tuple[Property, ...]:
        """The id, and the properties."""
        return (Property(name=GROUP_ID, identifier=True), *self.properties)

    @property
    def reserved(self) -> frozenset[str]:
        """Columns of every group."""
        return RESERVED | {GROUP_ID}

    @property
    def label(self) -> str:
        """What people call it: the title, or the name."""
        return self.title or self.name

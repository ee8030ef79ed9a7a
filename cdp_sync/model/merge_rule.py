"""Rules by which profiles become one: when they are the same person, and which values the merged profile shows."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.property import Property
from cdp_sync.model.suggestion import allowed

SHORTEST = 4
"""Characters of a value that can show that two profiles are the same person (BlueConic, article 247612)."""

MOST_HOLDERS = 20
"""Profiles that may share a value; one that more share identifies nobody (the same article)."""

MOST_MERGES = 1000
"""Profiles that can be merged into one (the same article)."""

Survivor = Literal["newest", "oldest"]
"""Which of the profiles that become one stays, by when it was created."""


class MergeCondition(Declared):
    """What must hold besides: a property with the same value in both profiles, or with this value in each of them."""

    same: str | None = None
    """A property that has the same value in both."""
    property: str | None = None
    """A property that has the value of `equals` in both."""
    equals: str | int | float | bool | None = None
    """The value."""

    @model_validator(mode="after")
    def _is_one(self) -> "MergeCondition":
        if (self.same is None) == (self.property is None) or (self.property is None) != (self.equals is None):
            raise ValueError("needed is either `same: PROPERTY`, or `property` and `equals`")
        return self

    @cached_property
    def name(self) -> str:
        """The property that it asks for."""
        return self.same or self.property or ""

    @cached_property
    def words(self) -> str:
        """What it asks, for people."""
        return f"same {self.same}" if self.same else f"{self.property} = {self.equals}"


class MergeRule(Declared):
    """Profiles that share a value of this identifier are the same person, where all conditions hold as well."""

    property: str
    """An identifier."""
    conditions: Annotated[tuple[MergeCondition, ...], Field(alias="and", examples=[[{"same": "postal_code"}]])] = ()
    """What must hold besides."""

    @cached_property
    def words(self) -> str:
        """The rule for people, by which decisions name it."""
        return " and ".join((self.property, *(condition.words for condition in self.conditions)))

    def problems(self, properties: Mapping[str, Property]) -> Iterator[str]:
        """Yield what does not fit the declared properties, each as `path: what was found; what is allowed`."""
        identifiers = [name for name, prop in properties.items() if prop.identifier]
        if self.property not in identifiers:
            what = "is not an identifier" if self.property in properties else "is unknown"
            yield f"property: {self.property!r} {what}; {allowed(self.property, identifiers)}"
        for place, condition in enumerate(self.conditions):
            key = "same" if condition.same else "property"
            prop = properties.get(condition.name)
            if prop is None:
                yield f"and[{place}].{key}: {condition.name!r} is unknown; {allowed(condition.name, properties)}"
            elif prop.multiple:
                yield f"and[{place}].{key}: {condition.name!r} holds several values; needed is a property with one"

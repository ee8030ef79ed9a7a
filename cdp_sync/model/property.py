"""A property: what its values are, and the SQL types that hold them."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from cdp_sync.model.declared import NAME_PATTERN, Declared, PropertyType

RESERVED = frozenset({"profile_id", "created_at", "updated_at", "merged_into", "_created_by"})
"""Columns that every profile has; no property may take their names."""

_SQL_TYPES: dict[PropertyType, str] = {
    "text": "VARCHAR",
    "email": "VARCHAR",
    "number": "BIGINT",
    "date": "DATE",
    "datetime": "TIMESTAMP WITH TIME ZONE",
    "boolean": "BOOLEAN",
    "group": "VARCHAR",
}

MergeStrategy = Literal["both", "sum", "highest", "lowest", "latest", "oldest", "survivor"]
"""What a merged profile shows of a property, of the values that its parts have."""

_ORDERED: tuple[PropertyType, ...] = ("number", "decimal", "date", "datetime")

TEXT_TYPES: tuple[PropertyType, ...] = ("text", "email", "group")
"""Types whose values are text."""


class Property(Declared):
    """One property of a profile."""

    reserved: ClassVar[frozenset[str]] = RESERVED
    """Columns of every record of this kind; no property may take their names."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Name of the property and of its column."""
    type: PropertyType = "text"
    """What its values are: `number` is a 64-bit integer, `decimal` exact, `datetime` an instant in UTC, `group` the
    id of a group."""
    group_type: str | None = None
    """The type of those groups, of a `group`."""
    multiple: bool = False
    """Holds a list of unique values instead of one value."""
    identifier: bool = False
    """Names a person uniquely; usable in links."""
    precision: Annotated[int, Field(ge=1, le=38)] = 18
    """Digits of a `decimal` in all."""
    scale: Annotated[int, Field(ge=0, le=38)] = 4
    """Digits of a `decimal` after the point."""
    among: tuple[str, ...] = ()
    """The only values it can have, of a `text`; absent: any."""
    title: str | None = None
    """What people call it."""
    merge: MergeStrategy | None = None
    """What profiles that become one show: the survivor's value, or with `multiple` those of `both`, by default."""
    unique: bool = False
    """Profiles with different values of it are different people, whatever merge rules say."""
    personal: bool | None = None
    """Leaves only with profiles of permission level 2; absent: it does if it is an e-mail address or an identifier."""

    @model_validator(mode="after")
    def _check(self) -> "Property":
        if self.name in self.reserved:
            raise ValueError(f"{self.name!r} is a column that every record has; choose another name")
        if self.scale > self.precision:
            raise ValueError(f"scale {self.scale} is larger than precision {self.precision}")
        if self.identifier and self.type not in ("text", "email", "number"):
            raise ValueError(f"an identifier is text, email or number, not {self.type}")
        if (self.type == "group") != bool(self.group_type):
            raise ValueError(f"group_type: {self.name} is {self.type}; a `group` needs one, and nothing else has one")
        if self.among and self.type != "text":
            raise ValueError(f"among: only a text can be one of given values, and {self.name} is {self.type}")
        if self.merge and self.merge not in (fitting := self._merge_strategies):
            raise ValueError(f"merge: found {self.merge!r}; {self.name} can have {', '.join(fitting)}")
        if self.unique and self.multiple:
            raise ValueError(f"unique: {self.name} holds several values; needed is a property with one")
        return self

    @property
    def _merge_strategies(self) -> tuple[MergeStrategy, ...]:
        if self.multiple:
            return ("both", "latest", "oldest", "survivor")
        ordered: tuple[MergeStrategy, ...] = ("highest", "lowest") if self.type in _ORDERED else ()
        summed: tuple[MergeStrategy, ...] = ("sum",) if self.type in ("number", "decimal") else ()
        return (*summed, *ordered, "latest", "oldest", "survivor")

    @property
    def merged_by(self) -> MergeStrategy:
        """What profiles that become one show of it."""
        return self.merge or ("both" if self.multiple else "survivor")

    @property
    def is_personal(self) -> bool:
        """Whether it leaves only with profiles of permission level 2."""
        return self.type == "email" or self.identifier if self.personal is None else self.personal

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return self.type in TEXT_TYPES

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


def stored_property(name: str, sql_type: str) -> Property:
    """Return the property that a column of this SQL type belongs to: text, where it may be an e-mail or a group."""
    value_type = sql_type.removesuffix("[]")
    multiple = value_type != sql_type
    if digits := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", value_type):
        precision, scale = map(int, digits.groups())
        return Property(name=name, type="decimal", multiple=multiple, precision=precision, scale=scale)
    kinds: dict[str, PropertyType] = {sql: kind for kind, sql in _SQL_TYPES.items() if kind not in ("email", "group")}
    return Property(name=name, type=kinds[value_type], multiple=multiple)

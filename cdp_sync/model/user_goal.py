"""Export goals to users of a platform: Sailthru's."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.export import ExportColumn, ExportGoal

LONGEST_NAME = 32
"""Characters of a custom field's name (getstarted.sailthru.com, Set Variables on Users)."""

_CUSTOM_FIELD = re.compile(rf"[^\W\d]\w{{0,{LONGEST_NAME - 1}}}")


class UserLink(Declared):
    """What Sailthru knows a user by, and the identifier property that holds it."""

    field: Literal["sid", "email", "extid", "sms"]
    """Sailthru's key."""
    property: str
    """Identifier property of the profile; of several values the first counts."""


class UserExportGoal(ExportGoal):
    """Brings a segment's profiles to users, and on lists."""

    link: Annotated[tuple[UserLink, ...], Field(min_length=1)]
    """Which user a profile is: the first of these that it has a value of. Profiles without any are not exported."""
    map: tuple[ExportColumn, ...] = ()
    """The custom fields, each with what it holds."""
    create_users: bool = False
    """Create users that are not there; otherwise only those who are get values."""
    lists: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Natural lists that they are put on; one that is not there is made."""
    remove_from_lists: bool = False
    """Take users off these lists when they leave the segment: those that this goal put there."""
    decimals: Literal["integer", "number"] = "integer"
    """How decimals are written: rounded to integers, or as they are."""
    bulk_from: Annotated[int, Field(ge=1)] = 5000
    """So many users, or more, travel as one file, where a list tells who of them arrived; fewer one by one."""

    @field_validator("map")
    @classmethod
    def _custom_fields(cls, value: tuple[ExportColumn, ...]) -> tuple[ExportColumn, ...]:
        for column in value:
            if not _CUSTOM_FIELD.fullmatch(column.field):
                raise ValueError(
                    f"found {column.field!r}; a custom field begins with a letter, and has letters, digits and "
                    f"underscores, {LONGEST_NAME} at most"
                )
        return value

    @field_validator("lists")
    @classmethod
    def _list_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if "$" in name]:
            raise ValueError(f"found {wrong[0]!r}; a list's name holds no $")
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _does_something(self) -> "UserExportGoal":
        if not self.map and not self.lists:
            raise ValueError("map: nothing is mapped, and no list is named; needed is one of them")
        if self.remove_from_lists and not self.lists:
            raise ValueError("remove_from_lists: there are no lists to take anybody off; needed is `lists`")
        return self

"""Import goals over lists of people that a platform keeps: Sailthru's."""

from collections import Counter
from typing import Annotated

from pydantic import Field, field_validator

from cdp_sync.model.format import Format, ReadCells
from cdp_sync.model.goal import ImportGoal, ImportRules, Mapping
from cdp_sync.model.profile import Profiles

PROFILE_ID = "sailthru_profile_id"
"""Identifier property that takes Sailthru's own id of everybody."""

KEYS = ("sid", "email", "extid", "sms")
"""What Sailthru knows a user by, each a field of every list."""

SID, EMAIL_HASH = "sid", "Email Hash"
LIST_NAME = "list name"
"""Fields of every list, besides custom fields and the columns that Sailthru's exports have."""

_COLUMNS = {"Profile Id": SID, "Email": "email", "Extid": "extid", "Sms": "sms"}
"""What the columns of a list's export are called here."""

_CUSTOM = "{} (custom field)"


class ListFormat(ReadCells):
    """How the cells of lists are written."""

    multi_value: Annotated[str, Field(min_length=1)] | None = ","
    """Between the values of a `multiple` property; nothing: a cell is one value."""
    dates: tuple[str, ...] = ("%Y/%m/%d %H:%M:%S", "iso")
    """strptime patterns tried in order, or `iso`, `epoch_seconds`, `epoch_milliseconds`; times are the account's."""
    nulls: tuple[str, ...] = ("",)
    """Cells that mean "no value"."""


class ListGoal(ImportRules):
    """Imports profiles from lists, natural and smart ones.

    Fields are `sid`, `email`, `extid` and `sms`, custom fields by their names, and the columns of Sailthru's exports,
    such as `Engagement` or `Last Open`. The sid always goes into the property `sailthru_profile_id`.
    """

    lists: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    """Names of the lists, in order of import."""
    list_name_property: str | None = None
    """Property that takes the list's name."""
    format: ListFormat = ListFormat()
    """How the lists' cells are written."""

    @field_validator("lists")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    def as_import(self, time_zone: str, profiles: Profiles) -> "ListImport":
        """Return the import goal that this comes to.

        Args:
            time_zone: Of the account: that of all times in its lists.
            profiles: The declared profile.
        """
        further = {SID: PROFILE_ID, LIST_NAME: self.list_name_property}
        mapped = {mapping.property for mapping in self.map}
        extra = [
            Mapping(field=field, property=name, mode="add" if profiles.by_name[name].multiple else "set")
            for field, name in further.items()
            if name and name not in mapped
        ]
        rules = {name: getattr(self, name) for name in ImportRules.model_fields}
        cells = self.format.model_dump()
        if self.format.json_lists:
            cells["multi_value"] = None
        form = Format(time_zone=time_zone, **cells)
        return ListImport(**rules | {"map": (*self.map, *extra), "format": form})

    @property
    def variables(self) -> tuple[str, ...] | None:
        """The custom fields that it needs, perhaps some columns of the exports among them; None: all there are."""
        if self.map_detected:
            return None
        named = (field for field in self.fields if field not in KEYS and field not in _STANDARD)
        return tuple(field.removesuffix(_CUSTOM.format("")) for field in named)


class ListImport(ImportGoal):
    """A list's goal as rows of delimited text, as Sailthru exports them."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The linked and mapped fields, and the digest of the address: a person of another address is another row."""
        return (*super().fields, EMAIL_HASH)

    @property
    def from_elsewhere(self) -> frozenset[str]:
        """Keys are asked for where a list does not hold them, and lists do not tell their names."""
        return frozenset((*KEYS, EMAIL_HASH, LIST_NAME)) - {SID}

    @property
    def may_be_packed(self) -> bool:
        """A list may be called anything, also `Winners.zip`."""
        return False

    def named(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the fields' names: custom fields may be called like another column, or like a key."""
        taken: Counter[str] = Counter()
        fields = []
        for column in columns:
            name = _COLUMNS.get(column, column)
            is_custom = taken[name] or (name == column and name in (*KEYS, LIST_NAME))
            fields.append(_CUSTOM.format(column) if is_custom else name)
            taken[name] += 1
        return tuple(fields)


_STANDARD = frozenset(
    """Profile Id,Email Hash,Email,Domain,Engagement,Lists,Profile Created Date,Signup,Opens,Clicks,Pageviews,Last Open,
    Last Click,Last Pageview,Optout Time,List Signup,Geolocation City,Geolocation State,Geolocation Country,
    Geolocation Zip,Lifetime Message,First Purchase Time,Purchase Count,Purchase Price,Purchase Incomplete,
    Last Purchase Time,Largest Purchase Item Price,Top Device,Email Status""".replace(",\n    ", ",").split(",")
)
"""The columns that exports have besides custom fields (the export files of 2015 to 2025)."""

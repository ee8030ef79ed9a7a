"""What an author declares of Sailthru: the account, and its goals over lists and users."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, field_validator, model_validator

from cdp_sync.model.audience import AudienceField, Named, Rendered, Shape
from cdp_sync.model.base_url import BaseUrl, Variable
from cdp_sync.model.connection import Connection
from cdp_sync.model.declared import Declared
from cdp_sync.model.export import AudienceGoal, AudienceLink, ExportColumn
from cdp_sync.model.format import Dates, Format, ReadCells
from cdp_sync.model.goal import ImportGoal, ImportRules, Mapping
from cdp_sync.model.profile import Profiles
from cdp_sync.model.schedule import TimeZone

PROFILE_ID = "sailthru_profile_id"
"""Identifier property that takes Sailthru's own id of every user."""

Key = Literal["sid", "email", "extid", "sms"]
KEYS = ("sid", "email", "extid", "sms")
"""What Sailthru knows a user by, each a field of every list."""

SID, EMAIL_HASH = "sid", "Email Hash"
LIST_NAME = "list name"
"""Fields of every list, besides custom fields and the columns of Sailthru's exports."""

LONGEST_NAME = 32
"""Characters of a custom field's name (getstarted.sailthru.com, Set Variables on Users)."""

_COLUMNS = {"Profile Id": SID, "Email": "email", "Extid": "extid", "Sms": "sms"}
"""Field names of an export's columns."""

_CUSTOM = "{} (custom field)"
_CUSTOM_FIELD = re.compile(rf"[^\W\d]\w{{0,{LONGEST_NAME - 1}}}")


class SailthruAccount(Declared):
    """An account with Sailthru, and how to reach it.

    Secrets are never part of it: a field `…_env` names an environment variable.
    """

    api_key_env: Annotated[Variable, Field(examples=["SHOP_API_KEY"])]
    """Environment variable that holds the API key."""
    api_secret_env: Annotated[Variable, Field(examples=["SHOP_API_SECRET"])]
    """Environment variable that holds the API secret."""
    time_zone: Annotated[TimeZone, Field(examples=["UTC"])] = "UTC"
    """IANA name of the account's time zone, as its settings say: exported lists have times of that zone."""
    base_url: BaseUrl = "https://api.sailthru.com"
    """Where the API is; another one than Sailthru's for a sandbox. http:// for this machine only."""


class ListFormat(ReadCells):
    """How the cells of lists are written."""

    multi_value: Annotated[str, Field(min_length=1)] | None = ","
    """Between the values of a `multiple` property; nothing: a cell is one value."""
    dates: Dates = ("%Y/%m/%d %H:%M:%S", "iso")
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

    def importing(self, connection: Connection, profiles: Profiles) -> ImportGoal:
        """Return the goal as rows of delimited text, with times of the account's time zone."""
        return self.as_import(cast("SailthruConnection", connection).time_zone, profiles)

    def as_import(self, time_zone: str, profiles: Profiles) -> ImportGoal:
        """Return the goal as rows of delimited text.

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
        cells = self.format.model_dump()
        if self.format.json_lists:
            cells["multi_value"] = None
        return self.as_rows(ListImport, map=(*self.map, *extra), format=Format(time_zone=time_zone, **cells))

    @property
    def origin(self) -> str:
        """Where its rows come from, for people."""
        return f"lists: {', '.join(self.lists)}"

    def reads(self, path: str) -> bool:
        """Return whether it imports a list."""
        return path in self.lists

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from super().problems(profiles)
        sid, name = profiles.by_name.get(PROFILE_ID), self.list_name_property
        if sid is None or not sid.identifier or sid.multiple or sid.type != "text":
            found = "declared otherwise" if sid else "not declared"
            yield (
                f"lists: the property {PROFILE_ID}, which takes Sailthru's id of each user, is {found}; "
                f"needed in the profile is {{name: {PROFILE_ID}, type: text, identifier: true}}"
            )
        if name and name not in profiles.by_name:
            yield f"list_name_property: {profiles.unknown(name)}"
        elif name and profiles.by_name[name].type != "text":
            yield f"list_name_property: a list's name is text, and {name} is {profiles.by_name[name].type}"

    @property
    def variables(self) -> tuple[str, ...] | None:
        """The custom fields that it needs, and possibly columns of the exports; None: all custom fields."""
        if self.needed is None:
            return None
        named = (field for field in self.needed if field not in KEYS and field not in _STANDARD)
        return tuple(field.removesuffix(_CUSTOM.format("")) for field in named)


class ListImport(ImportGoal):
    """A list's goal as rows of delimited text, as Sailthru exports them."""

    # Keys are looked up where a list does not hold them; the list's name is added to each row.
    from_elsewhere: ClassVar[frozenset[str]] = frozenset((*KEYS, EMAIL_HASH, LIST_NAME)) - {SID}
    may_be_packed: ClassVar[bool] = False  # a list may be called anything, also `Winners.zip`

    @property
    def fields(self) -> tuple[str, ...]:
        """The linked and mapped fields, and the digest of the address: a person of another address is another row."""
        return (*super().fields, EMAIL_HASH)

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


class UserLink(AudienceLink):
    """What Sailthru knows a user by, and the identifier property that holds it."""

    field: Key
    """Sailthru's key."""


class UserExportGoal(AudienceGoal):
    """Brings a segment's profiles to users, and on lists."""

    identity_key: ClassVar[str] = SID
    link: Annotated[tuple[UserLink, ...], Field(min_length=1)]
    """Which user a profile is: the first of these that it has a value of. Profiles without any are not exported."""
    map: tuple[ExportColumn, ...] = ()
    """The custom fields, each with what it holds."""
    lists: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Natural lists that users are put on; one that does not exist is created."""
    remove_from_lists: bool = False
    """Take users off these lists when they leave the segment: those that this goal put there."""
    decimals: Literal["integer", "number"] = "integer"
    """How decimals are written: rounded to integers, or as they are."""
    bulk_from: Annotated[int, Field(ge=1)] = 5000
    """From this number of users on they are sent as one file and verified by the lists; fewer are sent one by one."""

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
            raise ValueError("remove_from_lists: there are no lists to take users off; needed is `lists`")
        return self

    def render(self, fields: Sequence[AudienceField]) -> Rendered:
        """Return how a user is written: like a call that creates or changes one."""
        body: dict[str, Shape] = {}
        if self.map:
            body["vars"] = {column.field: Named(column.field) for column in self.map}
        if self.lists:
            body["lists"] = dict.fromkeys(self.lists, 1)
        return Rendered(tuple(_value(field, self.decimals) for field in fields), body)

    @property
    def memberships(self) -> tuple[str, ...]:
        """The lists that users are put on."""
        return self.lists

    @property
    def removes(self) -> bool:
        """Whether users are taken off these lists when their profiles leave the segment."""
        return self.remove_from_lists


def _value(field: AudienceField, decimals: str) -> str:
    """Return the expression for one value in the type that Sailthru keeps.

    Numbers and decimals are integers; dates and times are integers of UNIX seconds in fields that end in `_time`,
    YYYY-MM-DD in those that end in `_date`, and else as 2021-07-13T15:22:00.000Z; all else is text. The day of an
    instant is that of UTC.
    """
    value = field.value
    match field.type:
        case "number":
            return value
        case "decimal":
            return value if decimals == "number" else f"round({value})::hugeint"
        case "date" | "datetime" if field.name.endswith("_time"):
            return f"floor(epoch({value}))::bigint"
        case "date" | "datetime" if field.type == "date" or field.name.endswith("_date"):
            return f"strftime({value}, '%Y-%m-%d')"
        case "datetime":
            return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%gZ')"
        case _:
            return f"{value}::varchar"


_IMPORT = {
    "name": "newsletter",
    "lists": ["Newsletter"],
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "first_name", "property": "first_name"}],
}
_EXPORT = {
    "name": "big_spenders",
    "segment": "big_spenders",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "first_name", "property": "first_name"}],
    "lists": ["Big spenders"],
    "remove_from_lists": True,
}


class SailthruConnection(Connection, SailthruAccount):
    """Imports people from Sailthru's lists, and brings segments to its users and lists.

    Every import goal becomes one asset with the steps *fetch profiles*, *link identifiers* and *upsert profiles*, every
    export goal one with *select segment*, *write users*, *deliver users* and *record delivery*; the connection becomes
    a job that runs its enabled goals in the order listed.
    """

    import_profiles: Annotated[tuple[ListGoal, ...], Field(examples=[[_IMPORT]])] = ()
    """Import goals, in running order."""
    export_profiles: Annotated[tuple[UserExportGoal, ...], Field(examples=[[_EXPORT]])] = ()
    """Export goals, in running order; they run after the imports."""

    @property
    def account(self) -> SailthruAccount:
        """The account."""
        account: SailthruAccount = self.server_value
        return account

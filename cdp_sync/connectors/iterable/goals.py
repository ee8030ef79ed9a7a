"""What an author declares of Iterable: the project, and goals over its users and lists."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints, field_validator

from cdp_sync.model.base_url import BaseUrl, Variable
from cdp_sync.model.connection import Connection
from cdp_sync.model.declared import Declared
from cdp_sync.model.format import Format, ReadCells
from cdp_sync.model.goal import ImportGoal, ImportRules, Mapping
from cdp_sync.model.profile import Profiles

ProjectType = Literal["email", "user_id", "hybrid"]

ADDRESSES = {"us": "https://api.iterable.com", "eu": "https://api.eu.iterable.com"}
"""Where the API of each data centre is."""

EMAIL, USER_ID = "email", "userId"
KEYS: dict[str, tuple[str, ...]] = {"email": (EMAIL,), "user_id": (USER_ID,), "hybrid": (USER_ID, EMAIL)}
"""The fields that identify a user, by project type; the first that has a value counts."""

UPDATED_AT = "profileUpdatedAt"
"""The field with the time of a profile's last change, which windows are read by."""

LIST_NAME = "list name"
"""A field of lists that no export holds."""

ALL_USERS = "all users"
"""What the ledger calls the users of a goal without lists."""

ListName = Annotated[str, StringConstraints(min_length=1)] | Annotated[int, Field(ge=1)]


def key_of(identifier: str, keys: Sequence[str]) -> str:
    """Return which of some keys an identifier is: where a project has both, an address is what looks like one."""
    return keys[0] if len(keys) == 1 or "@" not in identifier else EMAIL


class IterableProject(Declared):
    """A project of Iterable, and how to reach it.

    Secrets are never part of it: a field `…_env` names an environment variable.
    """

    api_key_env: Annotated[Variable, Field(examples=["SHOP_ITERABLE_KEY"])]
    """Environment variable that holds a server-side API key of the project."""
    data_center: Annotated[Literal["us", "eu"], Field(examples=["us"])] = "us"
    """Where the project is: each data centre knows its own keys."""
    project_type: Annotated[ProjectType, Field(examples=["email"])] = "email"
    """What identifies a user in the project: `email`, `user_id`, or in `hybrid` projects either."""
    base_url: BaseUrl | None = None
    """Where the API is, in place of the data centre's address; for a sandbox. http:// for this machine only."""

    @property
    def address(self) -> str:
        """Where the API is."""
        return self.base_url or ADDRESSES[self.data_center]

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that identify a user; the first that has a value counts."""
        return KEYS[self.project_type]


class UserFormat(ReadCells):
    """How the values of users are read."""

    dates: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S %z", "iso")
    """strptime patterns tried in order, or `iso`, `epoch_seconds`, `epoch_milliseconds`; UTC without an offset."""
    json_lists: bool = True
    """Values of `multiple` properties are arrays."""
    nulls: tuple[str, ...] = ("",)
    """Values that mean "no value", besides null and an absent field."""


class FromLists(Declared):
    """The users on some lists."""

    lists: Annotated[tuple[ListName, ...], Field(min_length=1)]
    """Names or ids of lists, static and dynamic ones, in order of import."""

    @field_validator("lists")
    @classmethod
    def _each_once(cls, value: tuple[str | int, ...]) -> tuple[str | int, ...]:
        return tuple({str(each): each for each in value}.values())


class UserImportGoal(ImportRules):
    """Imports profiles from the users of a project: all of them, or those on lists.

    Fields are those of users by their names, nested ones with dots: `address.city`.
    """

    users: Annotated[Literal["all"] | FromLists, Field(alias="from")] = "all"
    """`all`, or `{lists: [Newsletter, 12345]}`: the users on lists, by name or id."""
    changes: Literal["changed", "all"] = "changed"
    """`changed`: users whose profiles changed since the last run; `all`: every user. Lists are always read whole."""
    overlap_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """How far two reads of changed users overlap, for changes that show late."""
    settle_minutes: Annotated[float, Field(ge=0, le=1440)] = 5.0
    """How old a change is before changed users are read: exports do not show the latest changes at once."""
    list_name_property: str | None = None
    """Property that takes the list's name."""
    format: UserFormat = UserFormat()
    """How the users' values are read."""

    @property
    def lists(self) -> tuple[str | int, ...]:
        """The lists that it reads; none where it reads all users."""
        return self.users.lists if isinstance(self.users, FromLists) else ()

    def importing(self, connection: Connection, profiles: Profiles) -> ImportGoal:
        """Return the goal as rows: of all users each has a key, so that a user who is read again is known."""
        project = cast("IterableConnection", connection)
        named = self.list_name_property
        extra: tuple[Mapping, ...] = ()
        if named and named not in {mapping.property for mapping in self.map}:
            mode: Literal["add", "set"] = "add" if profiles.by_name[named].multiple else "set"
            extra = (Mapping(field=LIST_NAME, property=named, mode=mode),)
        cells = self.format.model_dump()
        if self.format.multi_value is not None:
            cells["json_lists"] = False
        return self.as_rows(
            UserImport,
            map=(*self.map, *extra),
            format=Format(**cells),
            row_key=() if self.lists else project.keys,
        )

    @property
    def origin(self) -> str:
        """Where its rows come from, for people."""
        return f"lists: {', '.join(map(str, self.lists))}" if self.lists else "all users"

    @property
    def paths(self) -> tuple[str, ...]:
        """What the ledger calls what it reads."""
        return tuple(map(str, self.lists)) or (ALL_USERS,)

    def reads(self, path: str) -> bool:
        """Return whether it imports a list, or all users."""
        return path in self.paths

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile, each as `path: what was found; what is allowed`."""
        yield from super().problems(profiles)
        name = self.list_name_property
        if name and not self.lists:
            yield "list_name_property: the goal reads all users, and not by list; needed is `from: {lists: […]}`"
        elif name and name not in profiles.by_name:
            yield f"list_name_property: {profiles.unknown(name)}"
        elif name and profiles.by_name[name].type != "text":
            yield f"list_name_property: a list's name is text, and {name} is {profiles.by_name[name].type}"


class UserImport(ImportGoal):
    """A goal over users as rows."""

    from_elsewhere: ClassVar[frozenset[str]] = frozenset({LIST_NAME})
    may_be_packed: ClassVar[bool] = False  # a list may be called anything, also `Winners.zip`


_IMPORT = {
    "name": "users",
    "from": "all",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "firstName", "property": "first_name"}],
}


class IterableConnection(Connection, IterableProject):
    """Imports users of Iterable, all of them or those on lists.

    Every import goal becomes one asset with the steps *fetch profiles*, *link identifiers* and *upsert profiles*; the
    connection becomes a job that runs its enabled goals in the order listed.
    """

    import_profiles: Annotated[tuple[UserImportGoal, ...], Field(examples=[[_IMPORT]])] = ()
    """Import goals, in running order."""

    @property
    def project(self) -> IterableProject:
        """The project."""
        project: IterableProject = self.server_value
        return project

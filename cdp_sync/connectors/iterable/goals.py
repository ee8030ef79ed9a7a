"""What an author declares of Iterable: the project, and goals over its users and lists."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints, field_validator, model_validator

from cdp_sync.connectors.iterable.catalog_goal import CatalogGoal
from cdp_sync.connectors.iterable.event_data import DATA_TYPE, EVENT_TIME, DataType
from cdp_sync.connectors.iterable.sent_events import IterableEvents, shared_ids
from cdp_sync.connectors.iterable.value_format import ValueFormat
from cdp_sync.connectors.iterable.values import value_of
from cdp_sync.model.audience import AudienceField, Filled, Linked, Named, Rendered, Shape
from cdp_sync.model.base_url import BaseUrl, Variable
from cdp_sync.model.connection import Connection
from cdp_sync.model.declared import Declared
from cdp_sync.model.export import AudienceGoal, AudienceLink, ExportColumn
from cdp_sync.model.format import Format
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


UserFormat = ValueFormat
"""How the values of users are read."""


class FromLists(Declared):
    """The users on some lists."""

    lists: Annotated[tuple[ListName, ...], Field(min_length=1)]
    """Names or ids of lists, static and dynamic ones, in order of import."""

    @field_validator("lists")
    @classmethod
    def _each_once(cls, value: tuple[str | int, ...]) -> tuple[str | int, ...]:
        return tuple({str(each): each for each in value}.values())


class UserImportGoal(ImportRules):
    """Imports profiles from the users of a project: all of them, or those on lists. Or reads what they did.

    Fields are those of users, or of events, by their names, nested ones with dots: `address.city`.
    """

    users: Annotated[Literal["all"] | FromLists, Field(alias="from")] = "all"
    """`all`, or `{lists: [Newsletter, 12345]}`: the users on lists, by name or id."""
    events_from: tuple[DataType, ...] = ()
    """Types of events to read in place of users, such as `purchase`, `customEvent` and `emailOpen`."""
    changes: Literal["changed", "all"] = "changed"
    """`changed`: users that changed, or events, since the last run; `all`: all of them. Lists are always read whole."""
    overlap_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """How far two reads of changed users overlap, for changes that show late."""
    settle_minutes: Annotated[float, Field(ge=0, le=1440)] = 5.0
    """How old a change is before changed users are read: exports do not show the latest changes at once."""
    list_name_property: str | None = None
    """Property that takes the list's name."""
    format: UserFormat = UserFormat()
    """How the users' values are read."""

    @field_validator("events_from")
    @classmethod
    def _each_type_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _reads_one_thing(self) -> "UserImportGoal":
        if self.events_from and self.lists:
            raise ValueError("from and events_from are both given; needed is one of them: the events are those of all")
        return self

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
            EventRowImport if self.events_from else UserImport,
            map=(*self.map, *extra),
            format=Format(**cells),
            row_key=() if self.lists else self._event_key or project.keys,
        )

    @property
    def _event_key(self) -> tuple[str, ...]:
        """The fields that identify a line of events: the ids of the events that it becomes, or else all that are read.

        No documented field identifies a line of every type, and ids of different types may be the same.
        """
        if not self.events_from:
            return ()
        ids = tuple(dict.fromkeys(event.id for event in self.events if event.id))
        if len(self.events_from) == 1 and ids and all(event.id for event in self.events):
            return ids
        return tuple(dict.fromkeys((DATA_TYPE, EVENT_TIME, *self.fields)))

    @property
    def origin(self) -> str:
        """Where its rows come from, for people."""
        if self.events_from:
            return f"events: {', '.join(self.events_from)}"
        return f"lists: {', '.join(map(str, self.lists))}" if self.lists else "all users"

    @property
    def paths(self) -> tuple[str, ...]:
        """What the ledger calls what it reads."""
        return self.events_from or tuple(map(str, self.lists)) or (ALL_USERS,)

    def reads(self, path: str) -> bool:
        """Return whether it imports a list, a type of events, or all users."""
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

    @property
    def memory_limit(self) -> str | None:
        """What DuckDB may keep in memory: little where users are read in slices; more makes a run no faster then."""
        return None if self.needed is None else "200MB"


class EventRowImport(UserImport):
    """A goal over lines of events as rows."""

    from_elsewhere: ClassVar[frozenset[str]] = frozenset({DATA_TYPE})
    keys_may_lack: ClassVar[bool] = True


class UserLink(AudienceLink):
    """What Iterable knows a user by, and the identifier property that holds it."""

    field: Literal["email", "userId"]
    """Iterable's key; the type of the project says which it has."""


class UserExportGoal(AudienceGoal):
    """Brings a segment's profiles to users of a project, and on its lists."""

    memory_limit: ClassVar[str | None] = "200MB"  # Iterable's rate decides how long a run takes

    link: Annotated[tuple[UserLink, ...], Field(min_length=1)]
    """Which user a profile is: the first of these that it has a value of. Profiles without any are not exported."""
    map: tuple[ExportColumn, ...] = ()
    """The fields, nested ones with dots, each with what it holds."""
    create_fields: bool = True
    """Let Iterable create the fields that the project does not have; otherwise such a field is an error."""
    lists: tuple[ListName, ...] = ()
    """Names or ids of static lists that users are put on; a name that does not exist is created."""
    remove_from_lists: bool = False
    """Take users off these lists when they leave the segment: those that this goal put there."""
    empty: Literal["keep", "clear"] = "keep"
    """What a profile without a value does to the user's field: nothing, or remove it."""
    verify: Literal["sample", "all"] = "sample"
    """Whose values are read back after they were accepted: those of some users, or of all."""
    events: tuple[IterableEvents, ...] = ()
    """What the segment's people did: events of these types go along, each once."""

    @field_validator("map")
    @classmethod
    def _fields_can_be_written(cls, value: tuple[ExportColumn, ...]) -> tuple[ExportColumn, ...]:
        names = {column.field for column in value}
        for name in names:
            *parents, _ = name.split(".")
            if name.partition(".")[0] in _KEPT_BY_ITERABLE:
                raise ValueError(f"found {name!r}; that field is written by Iterable alone")
            if "" in name.split("."):
                raise ValueError(f"found {name!r}; needed is a name before and after each dot")
            if outer := next((each for each in _paths(parents) if each in names), None):
                raise ValueError(f"found {outer!r} and {name!r}; a field is an object or a value")
        return value

    @field_validator("lists")
    @classmethod
    def _each_list_once(cls, value: tuple[str | int, ...]) -> tuple[str | int, ...]:
        return tuple({str(each): each for each in value}.values())

    @model_validator(mode="after")
    def _does_something(self) -> "UserExportGoal":
        if not self.map and not self.lists:
            raise ValueError("map: nothing is mapped, and no list is named; needed is one of them")
        if self.remove_from_lists and not self.lists:
            raise ValueError("remove_from_lists: there are no lists to take users off; needed is `lists`")
        targets = [(events.type, events.to) for events in self.events]
        if len(set(targets)) < len(targets):
            raise ValueError("events: the same type goes to the same events twice")
        return self

    @property
    def data_fields(self) -> tuple[str, ...]:
        """The mapped fields besides the keys."""
        return tuple(column.field for column in self.map if column.field not in KEYS["hybrid"])

    def render(self, fields: Sequence[AudienceField]) -> Rendered:
        """Return how a user is written: keys beside the fields, so that Iterable refuses keys of different users."""
        named = {column.field for column in self.map}
        keys = [key for key in KEYS["hybrid"] if key in named or key in {link.field for link in self.link}]
        user: dict[str, Shape] = {key: Linked(key, Named(key) if key in named else None) for key in keys}
        if any("." in name for name in self.data_fields):
            user["mergeNestedObjects"] = True
        if self.data_fields:
            user["dataFields"] = self._nested({name: name.split(".") for name in self.data_fields})
        return Rendered(tuple(value_of(field.type, field.value) for field in fields), {"user": Filled(user)})

    def _nested(self, paths: dict[str, list[str]]) -> Shape:
        """Return fields as an object, those with dotted names in objects within."""
        within: dict[str, dict[str, list[str]]] = {}
        for name, (first, *rest) in paths.items():
            within.setdefault(first, {})[name] = rest
        shape: dict[str, Shape] = {}
        for first, inner in within.items():
            (name, rest), *_ = inner.items()
            shape[first] = self._nested(inner) if rest else Named(name)
        return Filled(shape) if self.empty == "keep" else shape

    @property
    def memberships(self) -> tuple[str, ...]:
        """The lists that users are put on, as they are declared."""
        return tuple(map(str, self.lists))

    @property
    def removes(self) -> bool:
        """Whether users are taken off these lists when their profiles leave the segment."""
        return self.remove_from_lists

    @property
    def sent_events(self) -> tuple[IterableEvents, ...]:
        """The types of events that go along."""
        return self.events


_KEPT_BY_ITERABLE = frozenset(
    ("emailListIds", "userListIds", "signupDate", "signupSource", "profileUpdatedAt", "itblInternal")
)


def _paths(names: Sequence[str]) -> Iterator[str]:
    """Yield the dotted names of the objects around a field."""
    return (".".join(names[:count]) for count in range(1, len(names) + 1))


_IMPORT = {
    "name": "users",
    "from": "all",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "firstName", "property": "first_name"}],
}


_GROUPS = {
    "name": "stores",
    "type": "store",
    "catalog": "Stores",
    "map": [{"field": "city", "property": "city"}],
}
_EXPORT = {
    "name": "big_spenders",
    "segment": "big_spenders",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "firstName", "property": "first_name"}],
    "lists": ["Big spenders"],
    "remove_from_lists": True,
}


class IterableConnection(Connection, IterableProject):
    """Imports users of Iterable, all of them or those on lists, and brings segments to its users and lists.

    Every import goal becomes one asset with the steps *fetch profiles*, *link identifiers* and *upsert profiles*, every
    export goal one with *select segment*, *write users*, *deliver users* and *record delivery*; the connection becomes
    a job that runs its enabled goals in the order listed.
    """

    import_groups: Annotated[tuple[CatalogGoal, ...], Field(examples=[[_GROUPS]])] = ()
    """Goals that import groups from catalogs, in running order; they run first."""
    import_profiles: Annotated[tuple[UserImportGoal, ...], Field(examples=[[_IMPORT]])] = ()
    """Import goals, in running order."""
    export_profiles: Annotated[tuple[UserExportGoal, ...], Field(examples=[[_EXPORT]])] = ()
    """Export goals, in running order; they run after the imports."""

    @model_validator(mode="after")
    def _links_fit_the_project(self) -> "IterableConnection":
        for number, goal in enumerate(self.export_profiles):
            if wrong := [link.field for link in goal.link if link.field not in self.keys]:
                raise ValueError(
                    f"export_profiles[{number}].link: found {wrong[0]}; users of a project with "
                    f"`project_type: {self.project_type}` are known by {' or '.join(self.keys)}"
                )
        return self

    @model_validator(mode="after")
    def _each_kept_list_has_one_goal(self) -> "IterableConnection":
        keepers: dict[str, UserExportGoal] = {}
        for goal in self.export_profiles:
            for named in map(str, goal.lists):
                other = keepers.setdefault(named, goal)
                if other is not goal and (goal.remove_from_lists or other.remove_from_lists):
                    raise ValueError(
                        f"export_profiles: {other.name} and {goal.name} both put users on the list {named!r}, and one "
                        "removes users that the other one wants there; needed is one goal for a list with "
                        "remove_from_lists"
                    )
        return self

    @model_validator(mode="after")
    def _ids_of_events_differ(self) -> "IterableConnection":
        entries = [
            (f"export_profiles[{number}].events[{index}]", goal.name, events)
            for number, goal in enumerate(self.export_profiles)
            for index, events in enumerate(goal.events)
        ]
        for number, problem in shared_ids((goal, events) for _, goal, events in entries):
            raise ValueError(f"{entries[number][0]}: {problem}")
        return self

    @property
    def project(self) -> IterableProject:
        """The project."""
        project: IterableProject = self.server_value
        return project

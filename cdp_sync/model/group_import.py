"""Goals that import groups of a type by their ids."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from cdp_sync.model.goal import Delivered, FileGoal, Files, ImportGoal, Link, RowRules
from cdp_sync.model.group import GROUP_ID
from cdp_sync.model.profile import Profiles
from cdp_sync.model.records import Records
from cdp_sync.model.suggestion import allowed

if TYPE_CHECKING:
    from cdp_sync.model.connection import Connection

Import = TypeVar("Import", bound="GroupImport")
Kind = type[Import]


class GroupRules(RowRules):
    """How rows become groups, wherever they come from."""

    type: str
    """Type of the groups."""
    id: Annotated[str, Field(min_length=1)]
    """The field that names a group: one that is there is updated, any other is created."""

    def records(self, profiles: Profiles) -> Records:
        """Return the type of its groups."""
        return profiles.group[self.type]

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the type, each as `path: what was found; what is allowed`."""
        if self.type not in profiles.group:
            yield f"type: {self.type!r} is unknown; {allowed(self.type, profiles.group)}"
            return
        for index, mapping in enumerate(self.map):
            if mapping.property == GROUP_ID:
                yield f"map[{index}].property: {GROUP_ID!r} names the group; it is filled by `id`"
        yield from super().problems(profiles)

    def as_groups(self, kind: "Kind[Import]", **changes: object) -> "Import":
        """Return the goal that the engine imports; fields that only that has, such as `format`, as they are given."""
        rules = {name: getattr(self, name) for name in type(self).model_fields if name in kind.model_fields}
        link = Link(field=self.id, property=GROUP_ID)
        return kind(**rules | {"group_type": self.type, "link": (link,)} | changes)


class FileGroupGoal(Files, Delivered, GroupRules):
    """Imports groups from delimited files on a server."""

    def importing(self, connection: "Connection", profiles: Profiles) -> "FileGroupImport":
        """Return the goal that the engine imports."""
        return self.as_groups(FileGroupImport)


class GroupImport(ImportGoal):
    """Imports groups of a type from delimited text: rows are linked by the id alone."""

    group_type: str

    def records(self, profiles: Profiles) -> Records:
        """Return the type of its groups."""
        return profiles.group[self.group_type]

    @property
    def links_as_json(self) -> str:
        """What rows are linked by, for the ledger: groups of one type have nothing to do with those of another."""
        return json.dumps([[link.field, f"{self.group_type}.{link.property}"] for link in self.link])

    @property
    def blocked(self) -> tuple[str, ...]:
        """None: an id that would name no person, such as 0, names a group."""
        return ()


class FileGroupImport(GroupImport, FileGoal):
    """Imports groups of a type from delimited files on a server."""

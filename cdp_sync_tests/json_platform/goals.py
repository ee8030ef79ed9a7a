"""The declarations of JSON files."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from cdp_sync.model import AudienceGoal, Connection, Declared, ImportGoal, ImportRules, Profiles
from cdp_sync.model.audience import AudienceField, Named, Rendered

Name = Annotated[str, Field(min_length=1)]


class JsonFolder(Declared):
    """A folder of JSON files."""

    folder: Annotated[Name, Field(examples=["data/people"])]
    """Path of the folder."""


class PeopleGoal(ImportRules):
    """Imports the people of a file: a list of objects, whose keys are the fields."""

    file: Name
    """Name of the file."""

    def importing(self, connection: Connection, profiles: Profiles) -> ImportGoal:
        """Return the goal as rows of delimited text."""
        return self.as_rows()

    def reads(self, path: str) -> bool:
        """Return whether the goal imports a file."""
        return path == self.file

    @property
    def origin(self) -> str:
        """The description of its source."""
        return f"file: `{self.file}`"


class UsersGoal(AudienceGoal):
    """Writes a segment's profiles to the users of a file."""

    file: Name
    """Name of the file."""

    def render(self, fields: Sequence[AudienceField]) -> Rendered:
        """Return a user with JSON values."""
        values = tuple(field.value for field in fields)
        return Rendered(values, {"fields": {column.field: Named(column.field) for column in self.map}})


class JsonConnection(Connection, JsonFolder):
    """Imports people from JSON files, and exports segments to JSON files."""

    import_profiles: tuple[PeopleGoal, ...] = ()
    """Import goals, in running order."""
    export_profiles: tuple[UsersGoal, ...] = ()
    """Export goals, in running order; they run after the imports."""

"""What an author declares of Iterable's catalogs: the items of one are groups of a type."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from cdp_sync.connectors.iterable.value_format import ValueFormat
from cdp_sync.model.connection import Connection
from cdp_sync.model.format import Format
from cdp_sync.model.group_import import GroupImport, GroupRules
from cdp_sync.model.profile import Profiles

ITEM_ID = "itemId"
"""The field with the id of an item, beside those of its values."""


class CatalogGoal(GroupRules):
    """Imports groups from the items of a catalog.

    Fields are those of the items by their names, nested ones with dots, and `itemId`.
    """

    catalog: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9-]{1,255}$")]
    """Name of the catalog. It is read whole by every run."""
    id: Annotated[str, Field(min_length=1)] = ITEM_ID
    """The field that names a group; the id of the item, unless it is a field of its own."""
    format: ValueFormat = ValueFormat()
    """How the items' values are read."""

    def importing(self, connection: Connection, profiles: Profiles) -> "CatalogImport":
        """Return the goal that the engine imports."""
        cells = self.format.model_dump()
        if self.format.multi_value is not None:
            cells["json_lists"] = False
        return self.as_groups(CatalogImport, format=Format(**cells))

    @property
    def origin(self) -> str:
        """Where its rows come from, for people."""
        return f"catalog: {self.catalog}"

    @property
    def paths(self) -> tuple[str, ...]:
        """What the ledger calls what it reads."""
        return (self.catalog,)

    def reads(self, path: str) -> bool:
        """Return whether it imports a catalog."""
        return path == self.catalog


class CatalogImport(GroupImport):
    """A goal over items as rows."""

    may_be_packed: ClassVar[bool] = False

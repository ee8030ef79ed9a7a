"""The `Maintenance` component: how long runs are kept."""

from cdp_sync.components.declared import DeclaredComponent
from cdp_sync.model import Declared
from cdp_sync.model import Maintenance as Model


class Maintenance(DeclaredComponent):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. A project has one.

    The warehouse's own history stays, and so does what the catalog shows of each asset and each file.
    """

    summary = "Removes the records of runs that ended long ago."

    @classmethod
    def model(cls) -> type[Declared]:
        """Return the model of the attributes."""
        return Model

"""The `Maintenance` component: how long runs are kept."""

import dagster as dg

from cdp_sync.components.declared import DeclaredComponent
from cdp_sync.model import Declared
from cdp_sync.model import Maintenance as Model
from cdp_sync.orchestration.declaration_files import MAINTENANCE, find_second, refuse
from cdp_sync.orchestration.runs.maintenance import build_maintenance


class Maintenance(DeclaredComponent):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. A project has one.

    The warehouse's own history stays, and so does what the catalog shows of each asset and each file.
    """

    summary = "Removes the records of runs that ended long ago."

    @classmethod
    def model(cls) -> type[Declared]:
        """Return the model of the attributes."""
        return Model

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make the job and its schedule."""
        file = context.path / "defs.yaml"
        refuse(file, [problem for second, problem in find_second(MAINTENANCE) if second == file])
        return build_maintenance(self.declared)

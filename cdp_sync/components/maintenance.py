"""The `Maintenance` component: how long runs are kept."""

from datetime import time
from typing import Annotated, NewType

import dagster as dg

from cdp_sync.components.attributes import as_written
from cdp_sync.model import Maintenance as Declared
from cdp_sync.orchestration.declaration_files import MAINTENANCE, find_second, refuse
from cdp_sync.orchestration.runs.maintenance import build_maintenance

Days = NewType("Days", int)
At = NewType("At", time)
"""Checked by our own model: to Dagster opaque types."""


class Maintenance(dg.Component, dg.Model, dg.Resolvable):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. A project has one.

    The warehouse's own history stays, and so does what the catalog shows of each asset and each file.
    """

    keep_runs_days: Annotated[Days, as_written("Days that a run is kept after its end, 1 to 3650.", int)] = Days(90)
    keep_idle_runs_days: Annotated[
        Days, as_written("Days that a run is kept which found nothing to do, 1 to 3650.", int)
    ] = Days(3)
    at: Annotated[At, as_written("When, every day: HH:MM in quotes.", str, examples=["03:30"])] = At(time(3, 30))
    time_zone: Annotated[str, as_written("IANA name of the time zone whose clock counts.")] = "UTC"

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description="Removes the records of runs that ended long ago.", tags=["cdp"])

    @property
    def declared(self) -> Declared:
        """The declaration."""
        return Declared.model_validate({name: getattr(self, name) for name in Declared.model_fields})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make the job and its schedule."""
        file = context.path / "defs.yaml"
        refuse(file, [problem for second, problem in find_second(MAINTENANCE) if second == file])
        return build_maintenance(self.declared)

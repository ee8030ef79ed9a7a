"""How long Dagster's records of runs are kept."""

from datetime import time
from typing import Annotated

from pydantic import Field

from cdp_sync.model.declared import Declared
from cdp_sync.model.schedule import TimeZone, WallTime

Days = Annotated[int, Field(ge=1, le=3650, strict=True)]


class Maintenance(Declared):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. The warehouse's own history stays."""

    keep_runs_days: Days = 90
    """Days that a run is kept after its end."""
    keep_idle_runs_days: Days = 3
    """Days that a run is kept which succeeded and found nothing to do; those of any run where they are fewer."""
    at: Annotated[WallTime, Field(examples=["03:30"])] = time(3, 30)
    """When, every day: HH:MM."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone whose clock counts."""

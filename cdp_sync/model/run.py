"""One run of one goal, in either direction."""

from dataclasses import dataclass

from cdp_sync.model.goal import Goal
from cdp_sync.model.profile import Profiles


@dataclass(frozen=True)
class Run:
    """One run of one goal: the value that every step receives.

    Args:
        run_id: Dagster's id of the run.
        connection: The connection's name.
        goal: What is declared.
        profiles: The declared profile.
    """

    run_id: str
    connection: str
    goal: Goal
    profiles: Profiles

    @property
    def key(self) -> dict[str, object]:
        """The columns that name the run of the goal in the warehouse's tables."""
        return {"run_id": self.run_id, "connection": self.connection, "goal": self.goal.name}

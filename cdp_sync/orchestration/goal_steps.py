"""What the steps of every goal have in common."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cdp_sync.model import Connection, ExportGoal, ImportGoal, Profiles

Handle = dict[str, Any]
"""What one step hands to the next: paths, states and counts, never rows."""

G = TypeVar("G", ImportGoal, ExportGoal)


@dataclass(frozen=True)
class GoalSteps(Generic[G]):
    """A goal, and what it is part of."""

    connection: Connection
    goal: G
    profiles: Profiles

    @property
    def unique(self) -> str:
        """A name that no other goal of the project has."""
        return f"{self.connection.name}__{self.goal.name}"

    @property
    def server_key(self) -> str:
        """Resource key of the connection's server."""
        return f"{self.connection.name}_server"

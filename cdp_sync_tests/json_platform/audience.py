"""The users of a JSON file as an export's audience."""

from cdp_sync.model.audience import Delivered, Users
from cdp_sync_tests.json_platform.client import JsonClient
from cdp_sync_tests.json_platform.goals import UsersGoal


class JsonAudience:
    """The file of an export goal: users by their key.

    Args:
        client: Reads and writes the file.
        goal: Names the file.
    """

    def __init__(self, client: JsonClient, goal: UsersGoal) -> None:
        self._client, self._goal = client, goal

    def deliver(self, users: Users) -> None:
        """Create and change users. Idempotent: a user of the same key is replaced."""
        known = self._client.read(self._goal.file) or {}
        outcomes = {}
        for place, user in users:
            name = f"{user['key']}:{user['id']}"
            if name in known or self._goal.create_users:
                known[name] = user["fields"]
                outcomes[place] = Delivered(name)
            else:
                outcomes[place] = None
        self._client.write(self._goal.file, known)
        for place, outcome in outcomes.items():
            users.note(place, outcome)

    def remove(self, users: Users) -> None:
        """Remove users from lists. The goal has no lists, so there are none."""

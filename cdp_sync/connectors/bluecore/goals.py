"""What an author declares of Bluecore: its exports to an SFTP server. A pure function makes ordinary goals of them."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from cdp_sync.connectors.bluecore.events import EspEvents, EventsGoal, Unsubscribes
from cdp_sync.model.connection import PlacedGoal, SftpConnection

_ESP = {"directory": "/outbox", "events": {"Deliver": "email_delivered", "Open": "email_opened"}}


class BluecoreExports(SftpConnection):
    """Writes Bluecore's exports to an SFTP server, and exchanges other files with it like an SftpConnection.

    `esp_events` and `unsubscribes` become export goals of these names, each an asset with the steps *select events*,
    *write files*, *deliver files* and *record delivery*.
    """

    vendor: str | None = None
    """The name of the vendor that receives the files."""
    namespace: Annotated[str, Field(min_length=1, examples=["shop"])]
    """The namespace, which stands in files of events."""
    esp_events: Annotated[EspEvents | None, Field(examples=[_ESP])] = None
    """The daily file of e-mail events; absent: there is none."""
    unsubscribes: Unsubscribes | None = None
    """The daily file of unsubscribes; absent: there is none."""

    @model_validator(mode="after")
    def _makes_goals(self) -> "BluecoreExports":
        made = tuple(self._made.values())
        own = tuple(goal for goal in self.export_events if goal not in made)  # a value that is read again has them
        object.__setattr__(self, "export_events", (*own, *made))
        self.verify_names()
        return self

    @property
    def _made(self) -> dict[str, EventsGoal]:
        """The goals of events, by the key that declares each."""
        sections = {"esp_events": self.esp_events, "unsubscribes": self.unsubscribes}
        return {key: section.goal(self.namespace) for key, section in sections.items() if section}

    @property
    def placed_goals(self) -> Iterator[PlacedGoal]:
        """All goals, each with its place in the declaration."""
        made = {goal.name: key for key, goal in self._made.items()}
        yield from ((made.get(goal.name, place), goal) for place, goal in super().placed_goals)

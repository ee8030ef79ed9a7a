"""What an author declares of Bluecore: its exports to an SFTP server. A pure function makes ordinary goals of them."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from cdp_sync.connectors.bluecore.campaigns import Campaign, CampaignGoal, Integration
from cdp_sync.connectors.bluecore.events import EspEvents, EventsGoal, Unsubscribes
from cdp_sync.model.connection import PlacedGoal, SftpConnection
from cdp_sync.model.profile import Profiles

_ESP = {"directory": "/outbox", "events": {"Deliver": "email_delivered", "Open": "email_opened"}}


class BluecoreExports(SftpConnection):
    """Writes Bluecore's exports to an SFTP server, and exchanges other files with it like an SftpConnection.

    Each of `campaigns` becomes an export goal of its name, `esp_events` and `unsubscribes` become goals of these names:
    assets with the steps of any other export of profiles, or of events.
    """

    namespace: Annotated[str, Field(min_length=1, examples=["shop"])]
    """The namespace, which stands in files of events."""
    integration: Integration | None = None
    """Where audiences are sent, what of each profile, and how it is written."""
    campaigns: tuple[Campaign, ...] = ()
    """Audiences that are exported by the integration, in running order."""
    esp_events: Annotated[EspEvents | None, Field(examples=[_ESP])] = None
    """The daily file of e-mail events; absent: there is none."""
    unsubscribes: Unsubscribes | None = None
    """The daily file of unsubscribes; absent: there is none."""

    @model_validator(mode="after")
    def _makes_goals(self) -> "BluecoreExports":
        if self.campaigns and not self.integration:
            raise ValueError("campaigns: needed beside them is `integration`, which says where and how they are sent")
        eligibility = self.integration.eligibility if self.integration else None
        for index, campaign in enumerate(self.campaigns):
            asks = campaign.eligible != "any"
            if asks and (key := eligibility.needed_for(campaign.eligible) if eligibility else "eligibility"):
                raise ValueError(f"campaigns[{index}].eligible: needed is `{key}` of the integration")
        made: tuple[CampaignGoal | EventsGoal, ...] = (*self._campaign_goals, *self._event_goals.values())
        # A value that is read again has them already.
        audiences = (*(goal for goal in self.export_profiles if goal not in made), *self._campaign_goals)
        events = (*(goal for goal in self.export_events if goal not in made), *self._event_goals.values())
        object.__setattr__(self, "export_profiles", audiences)
        object.__setattr__(self, "export_events", events)
        self.verify_names()
        return self

    @property
    def _campaign_goals(self) -> tuple[CampaignGoal, ...]:
        return tuple(campaign.goal(self.integration) for campaign in self.campaigns if self.integration)

    @property
    def _event_goals(self) -> dict[str, EventsGoal]:
        """The goals of events, by the key that declares each."""
        sections = {"esp_events": self.esp_events, "unsubscribes": self.unsubscribes}
        return {key: section.goal(self.namespace) for key, section in sections.items() if section}

    @property
    def placed_goals(self) -> Iterator[PlacedGoal]:
        """All goals, each with its place in the declaration."""
        made = {campaign.name: f"campaigns[{index}]" for index, campaign in enumerate(self.campaigns)}
        made |= {goal.name: key for key, goal in self._event_goals.items()}
        yield from ((made.get(goal.name, place), goal) for place, goal in super().placed_goals)

    def problems(self, profiles: Profiles) -> Iterator[str]:
        """Yield what does not fit the profile in the integration."""
        if self.integration:
            yield from (f"integration.{problem}" for problem in self.integration.problems(profiles))

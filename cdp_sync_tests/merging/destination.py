"""What a place outside has that files of changes are sent to, by a plain reading of who is who."""

from dataclasses import dataclass, field

from hypothesis import note

from cdp_sync.model import EventExportGoal, Profiles
from cdp_sync_tests.merging.files_out import FilesSide, file_goal
from cdp_sync_tests.merging.merge_oracle import Who
from cdp_sync_tests.merging.merge_side import Texts, texts
from cdp_sync_tests.oracle.linking import Profile

SEGMENT = {
    "name": "chosen",
    "when": {"any": [{"property": "name", "has_value": True}, {"property": "total", "at_least": 3}]},
}
EVENTS = EventExportGoal.model_validate(
    {
        "name": "orders",
        "events": ["order"],
        "map": [{"field": "id", "event_id": True}, {"field": "profile", "profile_id": True}],
    }
)


def in_segment(profile: Profile) -> bool:
    """Return whether a profile is in `SEGMENT`."""
    return "name" in profile or profile.get("total", 0) >= 3


@dataclass
class Destination:
    """The last row of each profile, and the profile of each event, as they were sent."""

    profiles: dict[int, Texts] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)
    """Profiles that got or lost others since they were sent: their rows are sent again, the same or not."""
    clusters: dict[int, tuple[int, frozenset[int]]] = field(default_factory=dict)
    """The live profile of each part, and the parts that it shows, after the last step."""

    def step(self, who: Who) -> None:
        """Note whose clusters a step has changed."""
        live = who.live()
        now = {part: (live[part], frozenset(cluster)) for part, cluster in who.clusters_by_part().items()}
        before = self.clusters or now
        self.stale |= {part for part, cluster in now.items() if before.get(part, (part, frozenset({part}))) != cluster}
        self.clusters = now

    def export(self, who: Who, product: FilesSide) -> None:
        """Export profiles and events, and compare what was sent and what this place has by now."""
        due = {
            part: row
            for part, profile in who.shown().items()
            if in_segment(profile)
            for row in [exported(who.declared, profile)]
            if part in self.stale or self.profiles.get(part) != row
        }
        places = {each: place for place, each in enumerate(product.ids)}
        _, rows = product.export(file_goal(product.declared, segment="chosen"))
        sent = {places[row.pop("id")]: {name: cell for name, cell in row.items() if cell} for row in rows}
        note(f"exported {sorted(sent)}")
        assert len(sent) == len(rows)
        assert sent == due
        self.profiles |= sent
        self.stale -= set(sent)
        self.events |= {row["id"]: places[row["profile"]] for row in product.export_events(EVENTS)}
        live = who.live()
        assert self.events == {event: live[part] for event, part in who.events.items()}


def exported(declared: Profiles, profile: Profile) -> Texts:
    """Return the row of a profile, without what it has no value of."""
    return {name: text for name, text in texts(declared, profile).items() if name in named(declared)}


def named(declared: Profiles) -> set[str]:
    """Return the properties that a file has."""
    return {prop.name for prop in declared.properties}

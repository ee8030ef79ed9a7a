"""Reference implementation of lifecycles: stages of one profile at a time, kept in dicts, without SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdp_sync.model import Condition, Lifecycle, Profiles
from cdp_sync_tests.exporting.segment_oracle import meets

Person = Mapping[str, Any]
Change = tuple[str, str, str | None, str | None, datetime]
"""A lifecycle, a profile, the stages before and after, and when."""


@dataclass
class Stages:
    """The stages that were kept, and every change that was noted."""

    profiles: Profiles
    held: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    """The stage of a profile in a lifecycle, and since when."""
    changes: list[Change] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    """The lifecycles that have been kept before; the stages that one begins with are no changes."""

    def keep(self, lifecycle: Lifecycle, people: Mapping[str, Person], now: datetime) -> list[Change]:
        """Bring the stages up to a moment, given the live profiles by id; return who entered, moved and left."""
        moves: list[Change] = []
        for key in [key for key in self.held if key[0] == lifecycle.name and key[1] not in people]:
            del self.held[key]  # merged into another one, or gone: no change of its own
        for name, person in people.items():
            key = lifecycle.name, name
            before, after = self.held.get(key, (None,))[0], self.stage(lifecycle, name, person, now)
            if before == after:
                continue
            moves.append((lifecycle.name, name, before, after, now))
            self.held.pop(key, None)
            if after:
                self.held[key] = after, now
        if lifecycle.name in self.begun:
            self.changes += moves
        self.begun.add(lifecycle.name)
        return moves

    def follow(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Let stages follow merges and unmerges, given the live profile of every profile, before and after."""
        held: dict[tuple[str, str], tuple[str, datetime]] = {}
        for live in sorted(set(after.values())):
            shown = {before[name] for name in after if after[name] == live} | {live}
            for lifecycle in {key[0] for key in self.held}:
                stages = [self.held[lifecycle, name] for name in shown if (lifecycle, name) in self.held]
                if stages:
                    own = self.held.get((lifecycle, live)) or max(stages, key=lambda each: (each[1], each[0]))
                    held[lifecycle, live] = own[0], min(since for stage, since in stages if stage == own[0])
        self.held = held

    def stage(self, lifecycle: Lifecycle, name: str, person: Person, now: datetime) -> str | None:
        """Return the stage of a profile at a moment: None outside the lifecycle."""

        def holds(when: Condition | None) -> bool:
            return bool(when) and self.holds(name, person, when, now)

        if not holds(lifecycle.enter):
            return None
        if holds(lifecycle.complete) and not holds(lifecycle.reenter):
            return "completed"
        return ([stage.name for stage in lifecycle.stages if holds(stage.when)] or ["unassigned"])[-1]

    def holds(self, name: str, person: Person, when: Condition | None, now: datetime) -> bool:
        """Return whether a profile meets a condition, also one about the stages that were kept."""
        if when is None:
            return False
        if when.all is not None:
            return all(self.holds(name, person, part, now) for part in when.all)
        if when.any is not None:
            return any(self.holds(name, person, part, now) for part in when.any)
        if when.not_ is not None:
            return not self.holds(name, person, when.not_, now)
        if when.lifecycle is not None:
            stage = self.held.get((when.lifecycle, name), (None,))[0]
            return stage in when.stage if when.stage else stage not in (None, "completed")
        return meets(person, when, self.profiles, now)

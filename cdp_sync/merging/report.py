"""What rules and decisions did to profiles."""

from dataclasses import dataclass

from cdp_sync.model.counting import counted

SAMPLE = 200
"""Pairs that a report shows."""


@dataclass(frozen=True)
class Evidence:
    """Why two profiles are the same person."""

    left: str
    """Id of the older one."""
    right: str
    rule: str | None
    """The rule in words; None: decided by hand."""
    property: str | None
    value: str | None
    """What both have: personal data, for people who ask only."""


@dataclass(frozen=True)
class Blocked:
    """What a guard stopped."""

    guard: str
    """`too many holders`, `too many merges`, `unique` or `keep_apart`."""
    rule: str | None
    profiles: int
    sample: tuple[str, ...]
    """Ids of some of the profiles."""

    @property
    def words(self) -> str:
        """The guard and how many profiles it concerns; without values."""
        return _WORDS[self.guard].format(profiles=counted(self.profiles, "profile"), rule=self.rule)


_WORDS = {
    "too many holders": "{profiles} share one value of {rule}: it identifies nobody, and merges none of them.",
    "too many merges": "{profiles} are connected, which are too many for one person: {rule} merges none of them.",
    "unique": "{profiles} are connected, of which some differ in a unique property: {rule} merges none of them.",
    "keep_apart": "{profiles} would be merged by {rule}, but were decided to stay apart.",
}


@dataclass(frozen=True)
class Merges:
    """What came of it."""

    merged: int = 0
    """Live profiles that were merged into others."""
    unmerged: int = 0
    """Profiles that are live again."""
    moved: int = 0
    """Profiles that were merged into one live profile and are merged into another one."""
    evidence: tuple[Evidence, ...] = ()
    """Why: of at most `SAMPLE` pairs."""
    blocked: tuple[Blocked, ...] = ()
    split: int = 0
    """New profiles that identifiers of others were moved to."""

    @property
    def message(self) -> str:
        """One sentence for people."""
        merged, unmerged = counted(self.merged, "profile"), counted(self.unmerged, "profile")
        moved = f", {self.moved:,} moved to another one" if self.moved else ""
        split = f", {self.split:,} split off" if self.split else ""
        changed = self.merged or self.unmerged or self.moved or self.split
        return f"{merged} merged, {unmerged} unmerged{moved}{split}." if changed else "Nothing to merge."

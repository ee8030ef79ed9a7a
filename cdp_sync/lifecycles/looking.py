"""A lifecycle as it was kept last, for people. Only reads the warehouse."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdp_sync.model import COMPLETED, Profiles
from cdp_sync.segments.describe import lifecycle_in_words
from cdp_sync.warehouse import Session
from cdp_sync.warehouse.stages import stage_sizes


@dataclass(frozen=True)
class LifecycleView:
    """A lifecycle and how many profiles are in each of its stages."""

    name: str
    enabled: bool
    size: int
    """How many profiles are in it; those that have completed it are not."""
    sizes: Mapping[str, int]
    """How many are in each stage: `unassigned` first, `completed` last."""
    words: str
    """Its conditions in words, in markdown."""


def view_lifecycle(session: Session, profiles: Profiles, name: str) -> LifecycleView:
    """Return a declared lifecycle as it was kept last."""
    lifecycle, found = profiles.lifecycle[name], stage_sizes(session, name)
    sizes = {stage: found.get(stage, 0) for stage in (*lifecycle.every_stage, COMPLETED)}
    size = sum(sizes.values()) - sizes[COMPLETED]
    return LifecycleView(name, lifecycle.enabled, size, sizes, lifecycle_in_words(lifecycle, profiles))

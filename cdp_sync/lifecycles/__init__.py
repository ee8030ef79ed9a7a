"""Lifecycles at work: the stages of profiles, kept in the warehouse with an event for each change. Knows no Dagster."""

from cdp_sync.lifecycles.keeping import LIFECYCLES, StageChanges, keep_stages

__all__ = ["LIFECYCLES", "StageChanges", "keep_stages"]

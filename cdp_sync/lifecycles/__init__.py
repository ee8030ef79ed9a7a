"""Lifecycles at work: the stages of profiles, kept in the warehouse with an event for each change. Knows no Dagster."""

from cdp_sync.lifecycles.keeping import LIFECYCLES, StageChanges, keep_stages
from cdp_sync.lifecycles.looking import LifecycleView, view_lifecycle

__all__ = ["LIFECYCLES", "LifecycleView", "StageChanges", "keep_stages", "view_lifecycle"]

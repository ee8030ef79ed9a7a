"""Scores: percentiles of profiles by their events, computed in SQL. docs/scores.md has the formulas."""

from cdp_sync.scoring.computing import compute_scores, measure_of
from cdp_sync.scoring.held_out import hold_out
from cdp_sync.scoring.report import HoldOut, Scored, Tenth

__all__ = ["HoldOut", "Scored", "Tenth", "compute_scores", "hold_out", "measure_of"]

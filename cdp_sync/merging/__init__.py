"""Profiles that become one when they are one, by rules and by hand, and apart again. Knows no file and no platform.

Every profile keeps its id and what it has by itself, for ever. Profiles that are one person are the parts of one live
profile, which shows a value made of theirs for each property: a pure function of its parts, whatever order they came
in. So profiles come apart as exactly as they came together.
"""

from cdp_sync.merging.deciding import apply_rules, merge_by_hand, unmerge
from cdp_sync.merging.looking import decisions, parts_of
from cdp_sync.merging.report import Blocked, Evidence, Merges

__all__ = ["Blocked", "Evidence", "Merges", "apply_rules", "decisions", "merge_by_hand", "parts_of", "unmerge"]

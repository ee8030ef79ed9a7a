"""Every intermediate table of merging; each is made anew by each run of it."""

TABLES = {
    "checked_profile": "a profile to look at, by its own id; the caller of merging makes it",
    "merge_candidate": "one of them that is new and stands in `own_profile` alone; the caller makes it too",
    "standing_part": "a member of a cluster that is not new",
    "sought_profile": "a profile whose values are looked at in a round",
    "seen_profile": "a profile whose values were looked at",
    "every_shared_value": "a value of a rule's property that several profiles have; where many are looked at",
    "every_holder": "a profile with such a value",
    "shared_value": "a value of a rule's property that several profiles have, and how many",
    "holder": "a profile with such a value, unless too many have it",
    "concerned": "a live profile that all this leads to",
    "member": "a part of one of these; `age` numbers them, the oldest first",
    "apart": "two members that were decided to stay apart",
    "pair": "two members that a rule connects; `differs` and `apart` say what stops it",
    "standing": "a decision to merge two members",
    "edge": "what connects two members: a standing decision, or a pair that nothing stops",
    "label": "a member with the oldest one that edges lead to, which names its cluster",
    "reached": "the same after one more step",
    "next_label": "the same after the steps that were found before",
    "misfit": "a cluster that is too large for one person, or in which people differ",
    "together": "a cluster with members that were decided to stay apart",
    "blocked": "what a guard stopped",
    "new_edge": "an edge that becomes a decision",
    "cluster": "a member of a cluster that changes or was looked at, with its live profile before and after",
    "composed": "what a survivor shows",
    "followed_stage": "the stage in a lifecycle of a profile that is live in place of others, or of more",
    "shown_before": "what a survivor showed before it was separated",
}
"""What a row is, by table. A rule is named by its number from 1; 0 stands for decisions by hand, the last number for
rules that are no more."""

SHOWN = ("profile_identifier", "lifecycle_stage")
"""Tables of the warehouse that name live profiles, besides those of events: they follow merges and unmerges."""

COMPUTED = ("score",)
"""Tables that are made anew of the events of live profiles: they follow when that is done next."""

BY_ITSELF = (
    "profile", "own_profile", "own_identifier", "lent_identifier", "value_time", "decision", "imported_row",
    "keyed_row", "imported_profile", "exported_profile", "exported_event_profile", "list_member", "list_intent",
    "touchpoint", "capped_profile", "profile_touch", "export_exception",
)  # fmt: skip
"""Tables that name profiles by their own ids, merged or not: what was imported and delivered stays what it was."""

HISTORY = ("profile_change", "changed_value")
"""Tables whose rows say what happened to a profile, by its own id."""

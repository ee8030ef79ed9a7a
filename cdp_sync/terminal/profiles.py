"""Profiles, groups and merges on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cdp_sync.model.counting import counted
from cdp_sync.printing import say
from cdp_sync.terminal.marks import DONE, TIME, WARNING, print_changed, print_indented

if TYPE_CHECKING:
    from cdp_sync.merge_preview import MergePreview
    from cdp_sync.merging import Merges

_SHOWN = 20
"""Profiles that were merged into one, or merges that guards stopped."""


def print_profiles(profiles: Iterable[dict[str, Any]]) -> None:
    """Show the properties of profiles, what was merged into them, their latest changes, and their latest events."""
    for profile in profiles:
        changes, counts, events = (profile.pop(name) for name in ("changes", "event_counts", "events"))
        named, merged, profile_id = profile.pop("named_parts"), profile.pop("merged_from"), profile["profile_id"]
        for part in named:
            say(f"{part}  merged into  {profile_id}")
        say((str(profile_id), "bold"))
        stays, caps = profile.pop("stages"), profile.pop("caps")
        _print_values(profile)
        _print_lifecycles(stays, caps)
        _print_merged(merged)
        _print_changes(profile_id, changes)
        if counts:
            say(f"  events: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
        for event in events:
            values = "  ".join(f"{name}={_event_value(value)}" for name, value in event["properties"].items())
            at = event["happened_at"]
            moment = at if isinstance(at, str) else f"{at:{TIME}}"  # text: a year that Python has not
            say(f"  {moment}  {event['type']}  {event['event_id']}")
            if values:
                say(f"    {values}")


def _print_lifecycles(stages: Iterable[Mapping[str, Any]], caps: Iterable[Mapping[str, Any]]) -> None:
    """Show the stages of a profile, and the goals that found it at its cap."""
    for each in stages:
        say(f"  in {each['lifecycle']}: {each['stage']}  since {each['since']:{TIME}}")
    for each in caps:
        say(f"  capped until {each['until']:{TIME}}  {each['connection']} / {each['goal']}")


def _print_merged(parts: Sequence[Mapping[str, Any]]) -> None:
    """Show the profiles that were merged into one, and by which decisions."""
    for part in parts[:_SHOWN]:
        say(f"  merged from {part['profile_id']}, created at {part['created_at']:{TIME}}")
        say(f"    {', '.join(part['identifiers'])}")
        for decision in part["decisions"]:
            say(f"    {decision['decided_at']:{TIME}}  {_why(decision)}")
    if len(parts) > _SHOWN:
        say(f"  … merged from {len(parts):,} in all")


def _print_changes(profile_id: object, changes: Iterable[Mapping[str, Any]]) -> None:
    """Show the changes of a profile, and of those that were merged into it."""
    for change in changes:
        by = f"{change['connection']} / {change['goal']}  " if change["connection"] else ""
        of = "" if change["profile_id"] == profile_id else f"of {change['profile_id']}  "
        properties = "" if change["changed"] else ", ".join(change["properties"] or ())
        say(f"  {change['changed_at']:{TIME}}  {change['kind']}  {of}{by}{properties}".rstrip())
        print_changed(change["changed"] or (), indent=4)


_ITEMS_SHOWN = 3
_TEXT_SHOWN = 60


def _event_value(value: object) -> str:
    """Return a value of an event on one line: of a list the first few, of an item its values.

    >>> _event_value([{"id": "p1", "price": 2, "tag": None}, {"id": "p2"}, {"id": "p3"}, {"id": "p4"}])
    '[p1 2, p2, p3, … 4 in all]'
    """
    if isinstance(value, dict):
        return " ".join(_event_value(each) for each in value.values() if each is not None)
    if isinstance(value, list):
        shown = [_event_value(each) for each in value[:_ITEMS_SHOWN]]
        return f"[{', '.join([*shown, *([f'… {len(value):,} in all'] if len(value) > _ITEMS_SHOWN else [])])}]"
    text = f"{value:{TIME}}" if isinstance(value, datetime) else str(value)
    return text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 1]}…"


def _print_values(values: Mapping[str, Any]) -> None:
    shown = {name: ", ".join(map(str, each)) if isinstance(each, list) else each for name, each in values.items()}
    print_indented(("property", "value"), [(name, str(each)) for name, each in shown.items() if each is not None])


def print_group(group: dict[str, Any]) -> None:
    """Show the values of a group, and how many people belong to it, by the property that says so."""
    members = group.pop("members")
    say((str(group.pop("group_id")), "bold"))
    _print_values(group)
    for name, times in members.items():
        say(f"  {counted(times, 'profile')} by {name}")


def print_decisions(total: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show which profiles were merged or are kept apart, latest first, and why."""
    for row in rows:
        mark = ("■", "") if row["revoked_at"] else DONE if row["kind"] == "merge" else ("≠", "yellow")
        kind = row["kind"].replace("_", " ")
        say(mark, f" {row['decided_at']:{TIME}}  ", (kind, "bold"), f"  {row['left_id']}  {row['right_id']}")
        say(f"    {_why(row)}  run {row['run_id']}")
        if row["revoked_at"]:
            say(f"    revoked at {row['revoked_at']:{TIME}}")
    say(f"{len(rows):,} of {counted(total, 'decision')}.")


def _why(row: Mapping[str, Any]) -> str:
    """Return the evidence of a decision: the rule and the value, or who decided."""
    if row["rule"] is None:
        return f"decided by {row['decided_by']}"
    return f"by {row['rule']}: {row['value']}"


def print_merge_preview(preview: "MergePreview") -> None:
    """Show what rules or a decision would do."""
    say("A preview: nothing is changed.\n", lines=True)
    for part in preview.parts:
        say(f"  {part['profile_id']}  created at {part['created_at']:{TIME}}  {part['then']}")
    print_merges(preview.merges)


def print_merges(merges: "Merges") -> None:
    """Show what rules or a decision did, pair by pair, and what guards stopped."""
    for each in merges.evidence:
        say(f"  {each.left}  {each.right}")
        say(f"    by {each.rule}: {each.value}" if each.rule else "    by hand")
    for blocked in merges.blocked[:_SHOWN]:
        say(WARNING, f" {blocked.words}")
        for profile in blocked.sample:
            say(f"    {profile}")
    if len(merges.blocked) > _SHOWN:
        say(WARNING, f" … {len(merges.blocked):,} in all")
    say(merges.message)

"""Checks that declarations fit together: all problems at once, each with its place and what is allowed."""

from collections.abc import Iterator, Sequence

from cdp_sync.model.asked import asked_by, asked_event_types, find_way
from cdp_sync.model.connection import Connection
from cdp_sync.model.lifecycle import STAGE_CHANGED, Lifecycle
from cdp_sync.model.merge_rule import MergeRule
from cdp_sync.model.profile import VIEWED_INTERACTIONS, Profiles, literal
from cdp_sync.model.questions import asked_problems, rollup_problems, score_problems
from cdp_sync.model.segment import Condition, Segment
from cdp_sync.model.suggestion import allowed

_PARTS = (
    "files", "checks", "scan_directory", "parse_files", "fetch_profiles", "link_identifiers", "upsert_profiles",
    "select_segment", "write_file", "write_users", "deliver_file", "deliver_users", "record_delivery",
    "select_events", "write_files", "deliver_files",
)  # fmt: skip
"""Parts of a goal that have names of their own in Dagster's catalog."""


def find_problems(connection: Connection, profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    objectives = [objective.name for objective in profiles.objectives]
    found = [
        f"objectives[{index}]: {name!r} is unknown; {allowed(name, objectives)}"
        for index, name in enumerate(connection.objectives)
        if name not in objectives
    ]
    found += connection.problems(profiles)
    for place, goal in connection.placed_goals:
        found += [f"{place}.{problem}" for problem in goal.problems(profiles)]
    return found


def find_clashes(connections: Sequence[Connection]) -> Iterator[tuple[int, str]]:
    """Yield what two connections, or two goals, cannot both be called: the later one's place, and what is wrong.

    In Dagster's catalog a goal takes its connection's name and its own, joined by two underscores, for itself, its
    steps, its files and its checks.
    """
    names: set[str] = set()
    taken: dict[str, str] = {}
    for place, connection in enumerate(connections):
        if connection.name in names:
            yield place, f"name: another connection is called {connection.name!r}; choose another name"
            continue
        names.add(connection.name)
        for declared, goal in connection.placed_goals:
            whole = f"{connection.name}__{goal.name}"
            own = [whole, *(f"{whole}__{part}" for part in _PARTS)]
            if clash := next((name for name in own if name in taken), None):
                yield place, f"{declared}.name: the catalog has {clash!r} for {taken[clash]}; choose another name"
            taken |= dict.fromkeys(own, f"goal {goal.name!r} of {connection.name}")


def find_profile_problems(profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    found = [
        f"objectives[{index}].zones: {zone} is not in `zones`; needed is `{zone}: opt_in` or opt_out"
        for index, objective in enumerate(profiles.objectives)
        for zone in objective.zones
        if zone not in profiles.zones
    ]
    for index, prop in enumerate(profiles.properties):
        if prop.group_type and prop.group_type not in profiles.group:
            problem = f"{prop.group_type!r} is unknown; {allowed(prop.group_type, profiles.group)}"
            found.append(f"properties[{index}].group_type: {problem}")
    found += _taken_types(profiles)
    for index, rule in enumerate(profiles.merge_rules):
        found += [f"merge_rules[{index}].{problem}" for problem in _rule_problems(rule, profiles)]
    found += _computed_problems(profiles)
    found += _interaction_problems(profiles)
    for index, segment in enumerate(profiles.segments):
        for place, condition in segment.when.walk():
            found += [f"segments[{index}].{place}{problem}" for problem in _problems_of(condition, profiles)]
        if cycle := find_cycle(segment, profiles):
            found.append(f"segments[{index}].when: the segment asks about itself: {' → '.join(cycle)}")
    return found


def _computed_problems(profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit in what is made of events."""
    for index, rollup in enumerate(profiles.rollups):
        yield from (f"rollups[{index}].{problem}" for problem in rollup_problems(rollup, profiles))
    for index, score in enumerate(profiles.scores):
        yield from (f"scores[{index}].{problem}" for problem in score_problems(score, profiles))


def _taken_types(profiles: Profiles) -> Iterator[str]:
    name = STAGE_CHANGED.name
    for index, event in enumerate(profiles.event_types if profiles.lifecycles else ()):
        if event.name == name and event != STAGE_CHANGED:
            yield f"event_types[{index}].name: {name!r} comes with the lifecycles; leave it out"


def find_lifecycle_problems(lifecycle: Lifecycle, profiles: Profiles) -> list[str]:
    """Return what does not fit the profile, each as `path: what was found; what is allowed`."""
    found = [f"{place}{problem}" for place, part in lifecycle.walk() for problem in _problems_of(part, profiles)]
    for place, condition in lifecycle.conditions:
        if STAGE_CHANGED.name in asked_event_types([condition], profiles):
            found.append(f"{place}: it asks for {STAGE_CHANGED.name}; stages are not worked out of changes of stages")
    asked = {each.name: asked_by(each, profiles) for each in profiles.lifecycles}
    if cycle := find_way(lifecycle.name, asked):
        found.append(f"name: the lifecycle asks about itself: {' → '.join(cycle)}")
    return found


def _interaction_problems(profiles: Profiles) -> Iterator[str]:
    """Yield what does not fit the types of events in what counts as an interaction."""
    if profiles.interactions:
        for problem in rollup_problems(profiles.rollup[VIEWED_INTERACTIONS], profiles):
            yield f"interactions.{problem.replace('all_values:', 'property:', 1)}"


def _rule_problems(rule: MergeRule, profiles: Profiles) -> Iterator[str]:
    yield from rule.problems(profiles.by_name)
    for place, condition in enumerate(rule.conditions):
        prop = profiles.by_name.get(condition.property or "")
        if prop and not prop.multiple:
            try:
                literal(prop, condition.equals)
            except ValueError as problem:
                yield f"and[{place}].equals: {problem}"


def find_cycle(segment: Segment, profiles: Profiles) -> tuple[str, ...]:
    """Return the names of the shortest way from a segment back to itself; empty where there is none."""
    return find_way(segment.name, {each.name: _asked_by(each) for each in profiles.segments})


def _asked_by(segment: Segment) -> list[str]:
    return list(dict.fromkeys(condition.segment for _, condition in segment.when.walk() if condition.segment))


def _problems_of(condition: Condition, profiles: Profiles) -> Iterator[str]:
    for kind, found, names in (
        ("segment", condition.segment, [segment.name for segment in profiles.segments]),
        ("objective", condition.objective, [objective.name for objective in profiles.objectives]),
    ):
        if found is not None and found not in names:
            yield f".{kind}: {found!r} is unknown; {allowed(found, names)}"
    yield from (f".{problem}" for problem in asked_problems(condition, profiles))

"""What conditions ask about: themselves, by the segments that they name, and by the conditions of lifecycles."""

from collections.abc import Iterable, Iterator, Mapping

from cdp_sync.model.event_export import EventExportGoal
from cdp_sync.model.export import ExportGoal
from cdp_sync.model.lifecycle import STAGE_CHANGED, Lifecycle
from cdp_sync.model.profile import Profiles
from cdp_sync.model.response_export import ResponseExportGoal
from cdp_sync.model.segment import Condition


def asked_parts(conditions: Iterable[Condition], profiles: Profiles) -> Iterator[Condition]:
    """Yield conditions with all inside, and those of the segments that they ask about, each segment once."""
    segments = {segment.name: segment for segment in profiles.segments}
    waiting = list(conditions)
    while waiting:
        for _, part in waiting.pop().walk():
            yield part
            if segment := segments.pop(part.segment or "", None):
                waiting.append(segment.when)


def asked_event_types(conditions: Iterable[Condition], profiles: Profiles) -> tuple[str, ...]:
    """Return the types of events that conditions read, directly, by rollups, scores or segments."""
    found: dict[str, None] = {}
    for part in asked_parts(conditions, profiles):
        rollup = profiles.rollup.get(part.property or "")
        score = profiles.score.get(part.property or "")
        asked = (part.event, part.then and part.then.event, rollup and rollup.event, *(score.events if score else ()))
        found |= dict.fromkeys(each for each in asked if each)
    return tuple(found)


def asked_scores(conditions: Iterable[Condition], profiles: Profiles) -> tuple[str, ...]:
    """Return the scores that conditions read, directly or by segments."""
    names = (part.property for part in asked_parts(conditions, profiles) if part.property in profiles.score)
    return tuple(dict.fromkeys(name for name in names if name))


def asked_groups(conditions: Iterable[Condition], profiles: Profiles) -> tuple[str, ...]:
    """Return the types of groups that conditions read, directly or by segments."""
    held = (profiles.by_name[part.group].group_type for part in asked_parts(conditions, profiles) if part.group)
    return tuple(dict.fromkeys(each for each in held if each))


def asked_lifecycles(conditions: Iterable[Condition], profiles: Profiles) -> tuple[str, ...]:
    """Return the lifecycles that conditions read, directly or by segments."""
    return tuple(dict.fromkeys(part.lifecycle for part in asked_parts(conditions, profiles) if part.lifecycle))


def lifecycles_read(goal: ExportGoal | EventExportGoal | ResponseExportGoal, profiles: Profiles) -> tuple[str, ...]:
    """Return the lifecycles whose stages an export goal reads, itself or by segments; each after those it reads.

    Of a goal that reads events of changed stages these are all.
    """
    whens = [profiles.segment(name).when for name in goal.read_segments(profiles)]
    if STAGE_CHANGED.name in (*goal.read_events(profiles), *asked_event_types(whens, profiles)):
        return with_lifecycles_before(profiles.lifecycle, profiles)
    return with_lifecycles_before([*goal.read_lifecycles(profiles), *asked_lifecycles(whens, profiles)], profiles)


def with_lifecycles_before(names: Iterable[str], profiles: Profiles) -> tuple[str, ...]:
    """Return lifecycles with those that their conditions read; each comes after these."""
    found: dict[str, None] = {}
    for name in names:
        _add(name, profiles, found, ())
    return tuple(found)


def _add(name: str, profiles: Profiles, found: dict[str, None], way: tuple[str, ...]) -> None:
    lifecycle = profiles.lifecycle.get(name)
    if lifecycle and name not in found and name not in way:
        for before in asked_by(lifecycle, profiles):
            _add(before, profiles, found, (*way, name))
        found[name] = None


def asked_by(lifecycle: Lifecycle, profiles: Profiles) -> tuple[str, ...]:
    """Return the lifecycles that the conditions of one read, directly or by segments."""
    return asked_lifecycles((condition for _, condition in lifecycle.conditions), profiles)


def find_way(begin: str, asked: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the names of the shortest way from a name back to itself by what each asks about; empty: there is none."""
    ways: dict[str, tuple[str, ...]] = {name: (begin, name) for name in asked.get(begin, ())}
    waiting = list(ways)
    for name in waiting:
        new = {each: (*ways[name], each) for each in asked.get(name, ()) if each not in ways}
        ways |= new
        waiting.extend(new)
    return ways.get(begin, ())

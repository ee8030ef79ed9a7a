"""What a lifecycle may declare, its conditions in words, and conditions about stages."""

import re
from typing import Any

import pytest

from cdp_sync.model import Condition, EventExportGoal, EventType, FileExportGoal, Lifecycle, Profiles, Segment
from cdp_sync.model.asked import asked_event_types, asked_lifecycles, lifecycles_read, with_lifecycles_before
from cdp_sync.model.consistency import find_profile_problems
from cdp_sync.model.fingerprint import _since_lifecycles
from cdp_sync.model.lifecycle_goal import GoalLifecycle
from cdp_sync.model.reading import read_text
from cdp_sync.segments.describe import in_words, lifecycle_in_words

HAS_VALUE: dict[str, Any] = {"property": "email", "has_value": True}


def declared(**changed: Any) -> dict[str, Any]:
    """Return a lifecycle in its declared form."""
    return {"name": "welcome", "enter": HAS_VALUE, "stages": [{"name": "fresh", "when": HAS_VALUE}], **changed}


def profiles(*lifecycles: dict[str, Any], **more: Any) -> Profiles:
    """Return a profile with these lifecycles."""
    model = Profiles.model_validate({"properties": [{"name": "email", "type": "email"}], **more})
    return model.with_lifecycles(map(Lifecycle.model_validate, lifecycles))


@pytest.mark.parametrize(
    ("changed", "needle"),
    [
        ({"stages": []}, "stages: needed is at least 1"),
        ({"stages": [{"name": f"s{n}", "when": HAS_VALUE} for n in range(11)]}, "stages: needed is at most 10"),
        ({"stages": [{"name": "fresh", "when": HAS_VALUE}] * 2}, "stages: declared more than once: fresh"),
        ({"stages": [{"name": "unassigned", "when": HAS_VALUE}]}, "'unassigned' is a stage of every lifecycle"),
        ({"stages": [{"name": "completed", "when": HAS_VALUE}]}, "'completed' is a stage of every lifecycle"),
        ({"stages": [{"name": "fresh"}]}, "stages[0].when: this key is needed"),
        ({"reenter": HAS_VALUE}, "reenter: it is about profiles that have completed the lifecycle"),
        ({"name": "welcome_sync"}, "name: found 'welcome_sync'; jobs of connections end with _sync"),
        ({"entr": HAS_VALUE}, "did you mean 'enter'?"),
        ({"enter": {"stage": "fresh"}}, "found none of them; a condition is exactly one of"),
        ({"enter": {**HAS_VALUE, "stage": "fresh"}}, "found stage without `lifecycle`"),
        ({"enter": {"lifecycle": "other", "stage": []}}, "found an empty list"),
    ],
)
def test_what_no_lifecycle_can_be_is_refused(changed: dict[str, Any], needle: str) -> None:
    """Each problem names its place and what is allowed."""
    text = f"type: cdp_sync.components.Lifecycle\nattributes: {declared(**changed)}\n"
    problems = "\n".join(read_text(text).problems)
    assert needle in problems
    assert re.match(r"attributes", problems)


def test_a_profile_knows_the_lifecycles_of_the_project() -> None:
    """They come with a type of events; further properties keep them, and YAML cannot declare them."""
    model = profiles(declared(), event_types=["order"])
    assert [event.name for event in model.event_types] == ["order", "stage_changed"]
    assert model.with_properties([]).lifecycle.keys() == {"welcome"}
    assert profiles(event_types=["order"]).event.keys() == {"order"}
    assert "lifecycles" not in Profiles.model_fields
    own = EventType.model_validate({"name": "stage_changed", "properties": [{"name": "mine"}]})
    (problem,) = find_profile_problems(profiles(declared(), event_types=[own]))
    assert problem == "event_types[0].name: 'stage_changed' comes with the lifecycles; leave it out"
    assert find_profile_problems(profiles(event_types=[own])) == []


def test_conditions_in_words() -> None:
    """A lifecycle is a list of its conditions; a segment says which stage it asks for."""
    other = declared(
        name="other",
        title="Other",
        enter={"lifecycle": "welcome", "stage": ["fresh", "completed"]},
        complete={"all": [HAS_VALUE, {"lifecycle": "welcome"}]},
        reenter={"not": {"lifecycle": "welcome", "stage": "unassigned"}},
    )
    model = profiles(declared(), other)
    assert lifecycle_in_words(model.lifecycle["other"], model).splitlines() == [
        "- in it: is in the stage `fresh` or `completed` of the lifecycle `welcome`",
        "- stage `fresh`: `email` has a value",
        "- completed: all of:",
        "  - `email` has a value",
        "  - is in the lifecycle `welcome`",
        "- in it again: not: is in the stage `unassigned` of the lifecycle `welcome`",
    ]
    segment = Segment.model_validate({"name": "s", "when": {"lifecycle": "welcome", "stage": "fresh"}})
    assert in_words(segment, model) == "is in the stage `fresh` of the lifecycle `welcome`"


def test_what_conditions_read_is_found_through_segments_and_lifecycles() -> None:
    """A lifecycle comes after those that its conditions read, however deep a segment asks for them."""
    segments = [
        {"name": "inner", "when": {"any": [{"lifecycle": "welcome"}, {"property": "orders", "at_least": 1}]}},
        {"name": "outer", "when": {"not": {"segment": "inner"}}},
    ]
    more = {
        "segments": segments,
        "event_types": ["order"],
        "rollups": [{"name": "orders", "event": "order", "count": True}],
    }
    model = profiles(declared(name="third", enter={"segment": "outer"}), declared(), **more)
    when = [Condition.model_validate({"segment": "outer"})]
    assert asked_lifecycles(when, model) == ("welcome",)
    assert asked_event_types(when, model) == ("order",)
    assert with_lifecycles_before(["third"], model) == ("welcome", "third")


def test_a_goal_reads_the_lifecycles_of_its_segment_or_all_of_them() -> None:
    """One that reads events of changed stages, by its segment or itself, reads all; others those that they name."""
    changed = {"event": "stage_changed", "in_last_days": 7}
    segments = [
        {"name": "plain", "when": HAS_VALUE},
        {"name": "fresh", "when": {"lifecycle": "welcome", "stage": "fresh"}},
        {"name": "moved", "when": {"any": [HAS_VALUE, changed]}},
    ]
    model = profiles(declared(), declared(name="other"), segments=segments)

    def read(**goal: Any) -> tuple[str, ...]:
        columns = [{"field": "Email", "property": "email"}]
        if "events" in goal:
            return lifecycles_read(EventExportGoal.model_validate({"name": "g", "map": columns, **goal}), model)
        return lifecycles_read(FileExportGoal.model_validate({"name": "g", "map": columns, **goal}), model)

    assert read(segment="plain") == ()
    assert read(segment="fresh") == ("welcome",)
    assert read(segment="moved") == ("welcome", "other")
    assert read(events=["stage_changed"]) == ("welcome", "other")


def test_goals_without_lifecycles_keep_the_scope_that_they_had() -> None:
    """The keys that came with lifecycles count only where they are used: no export looks at all events anew."""
    segment = Segment.model_validate({"name": "s", "when": {"all": [HAS_VALUE, {"lifecycle": "welcome"}]}})
    first, second = _since_lifecycles(segment.model_dump(mode="json"))["when"]["all"]
    assert not {"lifecycle", "stage"} & first.keys()
    assert second["lifecycle"] == "welcome"
    assert "is_empty" in first, "other keys stay, with or without a value"


@pytest.mark.parametrize(
    ("threshold", "days", "fine"),
    [
        ({"per": "month"}, 30, True),
        ({"per": "month"}, 29, False),
        ({"per": "month", "window": "calendar"}, 31, False),
        ({"per": "quarter", "window": "calendar"}, 93, True),
        ({"per": "day"}, 1, True),
    ],
)
@pytest.mark.parametrize("counted_by_it", [True, False])
def test_events_that_are_touches_are_kept_as_long_as_they_count(
    threshold: dict[str, Any], days: int, *, fine: bool, counted_by_it: bool
) -> None:
    """A goal is refused whose period is longer than events are kept that it, or another goal of its stages, counts."""
    model = profiles(declared(), event_types=[{"name": "visit", "keep_days": days}])
    model = model.with_lifecycles([model.lifecycle["welcome"].counting([("fresh", "visit")])])
    counts = {"counts": "visit"} if counted_by_it else {"stages": ["fresh"]}
    part = GoalLifecycle.model_validate({"name": "welcome", "threshold": {"times": 1, **threshold}, **counts})
    problems = list(part.problems(model))
    needle = f"threshold.per: events visit count as touches, and are kept for {days} days only"
    assert [each.partition(";")[0] for each in problems] == ([] if fine else [needle])
    other = GoalLifecycle.model_validate({"name": "welcome", "threshold": part.threshold, "stages": ["unassigned"]})
    assert list(other.problems(model)) == []

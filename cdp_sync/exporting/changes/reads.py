"""What decides which profiles a goal exports: the events, groups and moments that its conditions and columns read."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import Condition, EventWindow, Property
from cdp_sync.model.segment import Question


@dataclass(frozen=True)
class EventRead:
    """Events that a condition or a rollup counts."""

    type: str
    where: Condition | None
    window: EventWindow

    @property
    def counts_time(self) -> bool:
        """Whether they count or not by the time that has passed."""
        return bool(self.window.in_last_days or self.window.in_last_hours or (self.where and counts_time(self.where)))


@dataclass
class Reads:
    """What a goal reads beside the columns of profiles."""

    events: list[EventRead] = field(default_factory=list)
    moments: list[tuple[Question, Property]] = field(default_factory=list)
    """Questions about properties that time alone answers in another way."""
    holders: set[str] = field(default_factory=set)
    """Properties that hold groups, of which others are read."""
    unbounded: str = ""
    """Why everybody may have changed at any time; empty: that is not so."""


def counts_time(when: Condition) -> bool:
    """Return whether a condition on an event, an item or a group asks about the time that has passed."""
    inside = (*when.parts, *([when.where] if when.where else []))
    return any(question.operator.span for question in when.questions()) or any(map(counts_time, inside))


def reads_of(run: ExportRun) -> Reads:
    """Return what a goal reads; `unbounded` where it reads what cannot be followed."""
    reads = Reads(unbounded=_unbounded(run))
    if reads.unbounded:
        return reads
    for when in _conditions(run):
        _of_condition(run, when, reads)
    for column in run.goal.map:
        if column.group:
            reads.holders.add(column.group)
        elif column.property:
            _of_property(run, column.property, reads)
        elif column.viewed_interactions:
            reads.unbounded = "what profiles have viewed is not followed"
    return reads


def _unbounded(run: ExportRun) -> str:
    goal = run.goal
    if run.waits:
        return "it exports nobody"
    if goal.changes == "all":
        return "the goal exports everybody every time"
    if goal.processors:
        return "processors see everybody"
    if goal.lifecycle and goal.lifecycle.threshold:
        return "touches by other goals count for the caps of the lifecycle"
    return run.needs_everybody


def _conditions(run: ExportRun) -> Iterator[Condition]:
    """Yield the conditions of all segments that the goal asks about."""
    goal = run.goal
    named = {goal.segment, *(name for name, _ in goal.narrowed_by)}
    for column in goal.map:
        every = column.segments == "all"
        named |= {each.name for each in run.profiles.segments} if every else set(column.segments or ())
        named |= set(column.first_segment or ())
    yield from (run.profiles.segment(name).when for name in sorted(named))


def _of_condition(run: ExportRun, when: Condition, reads: Reads) -> None:
    for part in when.parts:
        _of_condition(run, part, reads)
    if when.segment:
        _of_condition(run, run.profiles.segment(when.segment).when, reads)
    elif when.event:
        reads.events.append(EventRead(when.event, when.where, when.window))
        if when.then:
            reads.events.append(EventRead(when.then.event, when.then.where, EventWindow()))
    elif when.group:
        reads.holders.add(when.group)
        if counts_time(when.part):
            reads.unbounded = "a condition on groups counts the time that has passed"
    elif when.property:
        _of_property(run, when.property, reads)
        _of_question(run, when, reads)


def _of_property(run: ExportRun, name: str, reads: Reads) -> None:
    if name in run.profiles.score:
        reads.unbounded = "scores are computed anew for everybody"
    elif rollup := run.profiles.rollup.get(name):
        reads.events.append(EventRead(rollup.event, rollup.where, rollup))


def _of_question(run: ExportRun, when: Condition, reads: Reads) -> None:
    (question,) = when.questions()
    if not question.operator.span:
        return
    prop = run.profiles.readable[str(when.property)]
    if prop.name in run.profiles.rollup:
        reads.unbounded = "a condition on a rollup counts the time that has passed"
    reads.moments.append((question, prop))

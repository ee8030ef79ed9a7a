"""What a mail about a run says: a pure function of what is known of the run. No I/O, no Dagster, no personal data."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cdp_sync.model.counting import counted

_LONGEST_SUBJECT = 150
_LONGEST_TEXT = 600
_PART = r"[^\s'\"<>(),;:=@]"
_ADDRESS = re.compile(f"(?<!{_PART}){_PART}+@{_PART}+")
"""No error tells an address; should one do so, it is not passed on. Begins where a word does, or it would be slow."""
_MOST_GOALS = 40
_MOST_REASONS = 3


@dataclass(frozen=True)
class GoalNews:
    """What became of one goal in a run."""

    name: str
    state: str
    """success, failed, unfinished (it was under way when the run ended) or not run."""
    told: str = ""
    """One or two sentences, with counters or the error."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why rows did not land, and how often, most frequent first."""


@dataclass(frozen=True)
class RunNews:
    """What became of a run."""

    run_id: str
    connections: tuple[tuple[str, str], ...]
    """Name and label of each connection that it ran; usually one."""
    state: str
    """success, failed, stopped or not started."""
    reason: str
    """Why it ran."""
    link: str
    """Where to look further."""
    cause: str = ""
    """Why it failed, where no goal tells."""
    started_at: float | None = None
    ended_at: float | None = None
    goals: tuple[GoalNews, ...] = ()
    """In running order."""


_ENDED = {"success": "succeeded", "failed": "failed", "stopped": "was stopped", "not started": "did not start"}
_GOAL_ENDED = {"success": "succeeded", "failed": "failed", "unfinished": "did not finish", "not run": "was not run"}


def subject_of(news: RunNews) -> str:
    """Return the subject: which connection, what happened, to which goals."""
    named = ", ".join(name for name, _ in news.connections)
    failed = ", ".join(goal.name for goal in news.goals if goal.state in ("failed", "unfinished"))
    told = f"[cdp_sync] {named} {_ENDED[news.state]}"
    return _line(f"{told}: {failed}" if failed else told, _LONGEST_SUBJECT)


def text_of(news: RunNews) -> str:
    """Return the text: what happened, why, what each goal did, where to look."""
    paragraphs = [
        [f"{_line(_titles(news.connections))}: the run {_ENDED[news.state]}.", _line(news.cause)],
        *(list(_goal(goal)) for goal in _shown(news.goals)),
        [f"and {counted(len(news.goals) - _MOST_GOALS, 'more goal')}" if len(news.goals) > _MOST_GOALS else ""],
        [_when(news), f"Run: {news.link}"],
    ]
    return "\n\n".join(filter(None, map(_paragraph, paragraphs))) + "\n"


def _titles(connections: Iterable[tuple[str, str]]) -> str:
    return ", ".join(name if label == name else f"{label} ({name})" for name, label in connections)


def _shown(goals: Sequence[GoalNews]) -> Iterator[GoalNews]:
    """Yield the goals in the order given; where they are too many, those that failed are not left out."""
    chosen = sorted(range(len(goals)), key=lambda place: _failures_first(goals[place]))[:_MOST_GOALS]
    yield from (goals[place] for place in sorted(chosen))


def _failures_first(goal: GoalNews) -> int:
    return ("failed", "unfinished", "not run", "success").index(goal.state)


def _goal(goal: GoalNews) -> Iterator[str]:
    yield f"{_line(goal.name)} {_GOAL_ENDED[goal.state]}"
    if goal.told:
        yield f"  {_line(goal.told)}"
    for reason, times in goal.reasons[:_MOST_REASONS]:
        yield f"  {counted(times, 'time')}: {_line(reason)}"


def _when(news: RunNews) -> str:
    reason = f"Reason: {_line(news.reason)}"
    if news.started_at is None:
        return reason
    started = datetime.fromtimestamp(news.started_at, UTC)
    took = f", {news.ended_at - news.started_at:,.0f} s" if news.ended_at else ""
    return f"{reason}\nStarted: {started:%Y-%m-%d %H:%M:%S} UTC{took}"


def _paragraph(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)


def _line(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return one line of bounded length, of characters that can be printed, without any address."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = _ADDRESS.sub("(an address)", " ".join(printable.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"

"""The text of a mail about a run: a pure function of the run's outcome. No I/O, no Dagster, no personal data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cdp_sync.model.counting import counted

_LONGEST_SUBJECT = 150
_LONGEST_TEXT = 600
_PART = r"[^\s'\"<>(),;:=@]"
_ADDRESS = re.compile(f"(?<!{_PART}){_PART}+@{_PART}+")
"""No error holds an address; should one do so, it is not passed on. Begins where a word does, or it would be slow."""
_MAX_GOALS = 40
_MAX_REASONS = 3

_RUN_STATES = {"success": "succeeded", "failed": "failed", "stopped": "was stopped", "not started": "did not start"}
_GOAL_STATES = {"failed": "failed", "unfinished": "did not finish", "not run": "was not run", "success": "succeeded"}
"""In words; the first are the last to be left out."""


@dataclass(frozen=True)
class GoalOutcome:
    """The outcome of one goal in a run."""

    name: str
    state: str
    """success, failed, unfinished (it was under way when the run ended) or not run."""
    message: str = ""
    """One or two sentences, with counters or the error."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why rows did not land, and how often, most frequent first."""


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run."""

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
    """Why it failed, where no goal says so."""
    started_at: float | None = None
    ended_at: float | None = None
    goals: tuple[GoalOutcome, ...] = ()
    """In running order."""


def subject_of(run: RunOutcome) -> str:
    """Return the subject: which connection, what happened, to which goals."""
    names = ", ".join(name for name, _ in run.connections)
    failed = ", ".join(goal.name for goal in run.goals if goal.state in ("failed", "unfinished"))
    subject = f"[cdp_sync] {names} {_RUN_STATES[run.state]}"
    return _line(f"{subject}: {failed}" if failed else subject, _LONGEST_SUBJECT)


def text_of(run: RunOutcome) -> str:
    """Return the text: what happened, why, what each goal did, where to look."""
    titles = ", ".join(name if label == name else f"{label} ({name})" for name, label in run.connections)
    left_out = len(run.goals) - _MAX_GOALS
    took = f", {run.ended_at - run.started_at:,.0f} s" if run.started_at and run.ended_at else ""
    started = f"Started: {datetime.fromtimestamp(run.started_at, UTC):%F %T} UTC{took}" if run.started_at else ""
    paragraphs = [
        [f"{_line(titles)}: the run {_RUN_STATES[run.state]}.", _line(run.cause)],
        *(_goal(goal) for goal in _shown(run.goals)),
        [f"and {counted(left_out, 'more goal')}" if left_out > 0 else ""],
        [f"Reason: {_line(run.reason)}", started, f"Run: {run.link}"],
    ]
    texts = ("\n".join(filter(None, lines)) for lines in paragraphs)
    return "\n\n".join(filter(None, texts)) + "\n"


def _shown(goals: Sequence[GoalOutcome]) -> Iterable[GoalOutcome]:
    """Return the goals in the order given; where they are too many, those that failed are not left out."""
    states = list(_GOAL_STATES)
    chosen = sorted(range(len(goals)), key=lambda place: states.index(goals[place].state))[:_MAX_GOALS]
    return (goals[place] for place in sorted(chosen))


def _goal(goal: GoalOutcome) -> list[str]:
    return [
        f"{_line(goal.name)} {_GOAL_STATES[goal.state]}",
        f"  {_line(goal.message)}" if goal.message else "",
        *(f"  {counted(times, 'time')}: {_line(reason)}" for reason, times in goal.reasons[:_MAX_REASONS]),
    ]


def _line(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return one line of bounded length, of characters that can be printed, without any address."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = _ADDRESS.sub("(an address)", " ".join(printable.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"

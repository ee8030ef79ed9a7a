"""The text of a mail about a run: a pure function of the run's outcome. No I/O, no Dagster, no personal data."""

import re
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
_MAX_LINES, _LONGEST_LINE = 100, 4000

_RUN_STATES = {"success": "succeeded", "failed": "failed", "stopped": "was stopped", "not started": "did not start"}
_GOAL_STATES = {"failed": "failed", "unfinished": "did not finish", "not run": "was not run", "success": "succeeded"}
"""In words; the first are the last to be left out. An unfinished goal was under way when the run ended."""


@dataclass(frozen=True)
class GoalOutcome:
    """The outcome of one goal in a run, with counters or the error, and why rows did not land, most frequent first."""

    name: str
    state: str
    message: str = ""
    reasons: tuple[tuple[str, int], ...] = ()
    report: tuple[str, ...] = ()
    """Of a strict import: what it did, line by line, in place of message and reasons."""


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run: of which connections (name and label), why it ran, and of its goals in running order."""

    connections: tuple[tuple[str, str], ...]
    state: str
    reason: str
    link: str
    cause: str = ""
    """Why it failed, where no goal says so."""
    started_at: float | None = None
    ended_at: float | None = None
    goals: tuple[GoalOutcome, ...] = ()


def subject_of(run: RunOutcome) -> str:
    """Return the subject: which connection, what happened, to which goals."""
    names = ", ".join(name for name, _ in run.connections)
    failed = ", ".join(goal.name for goal in run.goals if goal.state in ("failed", "unfinished"))
    subject = f"[cdp_sync] {names} {_RUN_STATES[run.state]}"
    return _line(f"{subject}: {failed}" if failed else subject, _LONGEST_SUBJECT)


def text_of(run: RunOutcome) -> str:
    """Return the text: what happened, why, what each goal did, where to look."""
    titles = ", ".join(name if label == name else f"{label} ({name})" for name, label in run.connections)
    states = list(_GOAL_STATES)
    shown = sorted(run.goals, key=lambda goal: states.index(goal.state))[:_MAX_GOALS]
    left_out = len(run.goals) - _MAX_GOALS
    took = f", {run.ended_at - run.started_at:,.0f} s" if run.started_at and run.ended_at else ""
    started = f"Started: {datetime.fromtimestamp(run.started_at, UTC):%F %T} UTC{took}" if run.started_at else ""
    paragraphs = [
        [f"{_line(titles)}: the run {_RUN_STATES[run.state]}.", _line(run.cause)],
        *(_goal(goal) for goal in run.goals if goal in shown),
        [f"and {counted(left_out, 'more goal')}" if left_out > 0 else ""],
        [f"Reason: {_line(run.reason)}", started, f"Run: {run.link}"],
    ]
    texts = ("\n".join(filter(None, lines)) for lines in paragraphs)
    return "\n\n".join(filter(None, texts)) + "\n"


def _goal(goal: GoalOutcome) -> list[str]:
    if goal.report:
        more = [f"  and {counted(len(goal.report) - _MAX_LINES, 'more line')}"] if goal.report[_MAX_LINES:] else []
        shown = [f"  {_line(line, _LONGEST_LINE)}" for line in goal.report[:_MAX_LINES]]
        return [f"{_line(goal.name)} {_GOAL_STATES[goal.state]}", *shown, *more]
    reasons = [f"  {counted(times, 'time')}: {_line(reason)}" for reason, times in goal.reasons[:_MAX_REASONS]]
    message = f"  {_line(goal.message)}" if goal.message else ""
    return [f"{_line(goal.name)} {_GOAL_STATES[goal.state]}", message, *reasons]


def _line(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return one line of bounded length, of characters that can be printed, without any address."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = _ADDRESS.sub("(an address)", " ".join(printable.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"

"""What people see on a terminal: progress and tables. Nothing here decides anything."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

from cdp_sync.model import COUNTERS, ImportReport, RemoteFile, Report
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.runs.progress import Watcher
from cdp_sync.printing import errors, fits, print_table, say

if TYPE_CHECKING:
    from rich.progress import TaskID

    from cdp_sync.dry_run import DryRun
    from cdp_sync.exporting.preview import ExportPreview
    from cdp_sync.importing.preview import Preview
    from cdp_sync.inspection import Look
    from cdp_sync.lifecycles import LifecycleView
    from cdp_sync.merge_preview import MergePreview
    from cdp_sync.merging import Merges
    from cdp_sync.model.occurrences import UpcomingRun
    from cdp_sync.orchestration.runs.history import History, PastRun
    from cdp_sync.segments.membership import SegmentView

_TIME = "%Y-%m-%d %H:%M:%S"
_MINUTE = "%a %Y-%m-%d %H:%M"

_SHOWN = 20
"""Profiles that were merged into one, or merges that guards stopped."""
_UNSET = "∅"
_DONE, _FAILED, _WARNING = ("✓", "green"), ("✗", "red"), ("!", "yellow")


def show_progress() -> AbstractContextManager[Watcher]:
    """Return what shows bars while a run works, on a terminal; where the output is piped nothing is shown."""
    return ProgressBars() if errors.is_terminal else nullcontext(Watcher())


class ProgressBars(Watcher):
    """A bar for each goal of a run."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

        self._progress = Progress(
            SpinnerColumn("dots" if errors.is_unicode else "line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._arrived: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def phase(self, goal: str, doing: str) -> None:
        """Show what a goal is doing."""
        if goal not in self._tasks:
            self._tasks[goal] = self._progress.add_task("", total=None)
        self._progress.update(self._tasks[goal], description=f"{goal.replace('__', ' / ')}: {doing}")

    def expects(self, goal: str, files: tuple[RemoteFile, ...]) -> None:
        """Show how much there is to fetch or to send."""
        self._progress.update(self._tasks[goal], total=sum(file.size for file in files))

    def arrived(self, goal: str, file: RemoteFile, size: int) -> None:
        """Move the bar."""
        self._arrived[goal, file.path] = size
        total = sum(size for (of, _), size in self._arrived.items() if of == goal)
        self._progress.update(self._tasks[goal], completed=total)

    def done(self, goal: str, report: Report) -> None:
        """Remove the goal's bar."""
        super().done(goal, report)
        if goal in self._tasks:
            self._progress.remove_task(self._tasks.pop(goal))


def print_goal(report: Report) -> None:
    """Show what a goal did: one line, its files, and the reasons why rows or values did not land."""
    say(_DONE if report.state == "success" else _FAILED, " ", (report.goal, "bold"), f"  {report.message}", lines=True)
    if isinstance(report, ImportReport):
        if report.files:
            names = [name for name in COUNTERS if getattr(report.counters, name) or name == "rows_read"]
            columns = ["file", "state", *(name.removeprefix("rows_").replace("_", " ") for name in names)]
            rows = [[f.name, f.state, *(getattr(f.counters, name) for name in names)] for f in report.files]
            _print_counts(columns, rows)
        for warning in report.warnings:
            say("  ", _WARNING, f" {warning}")
    for reason, times in report.reasons:
        say((f"  {times:>6,}x", "yellow"), f" {reason}")
    say()


def _print_counts(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print the counts of files as a table, or as lines where the terminal is too narrow for one."""
    if fits((f"  {columns[0]}", *columns[1:]), [(f"  {row[0]}", *row[1:]) for row in rows]):
        _print_indented(columns, rows)
        return
    for name, state, *counts in rows:
        words = ", ".join(f"{count:,} {what}" for count, what in zip(counts, columns[2:], strict=True) if count)
        say(f"  {name}  {state}{words and f': {words}'}")


def print_dry_run(found: "DryRun") -> None:
    """Show what a run would do, goal by goal."""
    say("A preview: nothing is changed.\n", lines=True)
    for report in found.imports:
        print_goal(report)
    for preview in found.exports:
        print_export_preview(preview)


def print_look(look: "Look") -> None:
    """Show a goal's files or lists, and what a run would make of them."""
    say((look.goal, "bold"), f"  {look.summary}")
    if look.refusal:
        say(f"  A run would refuse this goal: {look.refusal}")
    if look.rows:
        _print_indented(look.columns, look.rows)
    for more in look.further:
        say()
        say(f"  {more.summary}")
        _print_indented(more.columns, more.rows)
    for each in look.previews:
        _print_preview(each)
    say()


def _print_preview(preview: "Preview") -> None:
    say()
    say("  ", (preview.path, "bold"), f"  {preview.message}")
    if preview.fields:
        say(f"  fields: {', '.join(preview.fields)}")
    if preview.unmapped:
        say(f"  not mapped: {', '.join(preview.unmapped)}")
    for shown in preview.processing:
        say(f"  after {shown.after}" if shown.after else "  as read")
        marked = zip(shown.rows, shown.kept, strict=True)
        print_table(("  ", *shown.fields), [("  " if kept else "  dropped", *cells) for cells, kept in marked])
    if preview.readings:
        rows = [(r.field, r.property, r.cell, r.value or f"✗ {r.reason}") for r in preview.readings]
        _print_indented(("field", "property", "cell", "reads as"), rows)


def _print_indented(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print_table((f"  {columns[0]}", *columns[1:]), [(f"  {row[0]}", *row[1:]) for row in rows])


def print_history(history: "History") -> None:
    """Show runs, newest first, what their goals did, and how many profiles connections have ever exchanged."""
    for run in history.runs:
        _print_run(run)
    for each in history.data_exchange:
        imported, exported = counted(each["profiles_ever_imported"], "profile"), each["profiles_ever_exported"]
        say((each["connection"], "bold"), f"  ever imported: {imported}, exported: {exported:,}")
    if history.notice:
        say(_WARNING, f" {history.notice}")


def _print_run(run: "PastRun") -> None:
    mark = {"finished": _DONE, "failed": _FAILED, "stopped": ("■", "red")}.get(run.state, "…")
    when = f"{run.started_at:{_TIME}}" if run.started_at else "not yet"
    took = f"{run.seconds:,} s  " if run.seconds is not None else ""
    say(mark, f" {when}  ", (run.connection, "bold"), f"  {run.state}  {took}{run.reason}  {run.run_id}")
    if run.message:
        say("    ", (run.message, "red"), lines=True)
    for goal in run.goals:
        say(f"    {goal.goal}: ", (goal.message, "red" if goal.state == "failed" else ""), lines=True)
        for warning in goal.warnings:
            say("      ", _WARNING, f" {warning}")
        for profile in goal.profiles:
            say(f"      {profile['profile_id']} {profile['kind']}")
            _print_changed(profile["changed"], indent=8)
    if run.phase:
        say(f"    {run.phase['goal']}: … {run.phase['step'].replace('_', ' ')}")


def _print_changed(changed: Iterable[Mapping[str, Any]], *, indent: int) -> None:
    for each in changed:
        before, after = (_UNSET if each[name] is None else each[name] for name in ("before", "after"))
        say(f"{' ' * indent}{each['property']}: {before} → {after}")


def print_upcoming(runs: Sequence["UpcomingRun"]) -> None:
    """Show the next runs, soonest first."""
    if not runs:
        say("No run is to come: no connection that is on has a schedule.")
        return
    rows = [(run.connection, f"{run.at:{_MINUTE} %Z}", f"{run.at.astimezone(UTC):{_MINUTE}}", run.why) for run in runs]
    print_table(("connection", "at", "UTC", "why"), rows)


def print_overview(overview: Mapping[str, Any]) -> None:
    """Show connections and their goals: whether they are on, their last run with work, and the next run."""
    rows = [row for each in overview["connections"] for row in _overview_rows(each)]
    if rows:
        print_table(("connection", "goal", "direction", "on", "last run with work (UTC)", "next run"), rows)
    if overview["notice"]:
        say(_WARNING, f" {overview['notice']}")


def _overview_rows(connection: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each goal; the first one names the connection and its next run."""
    upcoming = connection["next_run"]
    parts = [upcoming["at"][:16].replace("T", " ") + upcoming["at"][-6:]] if upcoming else []
    parts += ["new files"] if connection["looks_for_new_files"] else []
    first = [connection["connection"], ", or ".join(parts) or "by hand"]
    for goal in connection["goals"]:
        on = "yes" if connection["enabled"] and goal["enabled"] else "no" if connection["enabled"] else "connection off"
        run = goal["last_run"]
        last = f"{run['started_at'].astimezone(UTC):{_TIME}} {run['state']}" if run else ""
        name, next_run = first or ("", "")
        yield name, goal["goal"], goal["direction"], on, last, next_run
        first = []
    if first:
        yield connection["connection"], "", "", "no goal", "", ""


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
            moment = at if isinstance(at, str) else f"{at:{_TIME}}"  # text: a year that Python has not
            say(f"  {moment}  {event['type']}  {event['event_id']}")
            if values:
                say(f"    {values}")


def _print_lifecycles(stages: Iterable[Mapping[str, Any]], caps: Iterable[Mapping[str, Any]]) -> None:
    """Show the stages of a profile, and the goals that found it at its cap."""
    for each in stages:
        say(f"  in {each['lifecycle']}: {each['stage']}  since {each['since']:{_TIME}}")
    for each in caps:
        say(f"  capped until {each['until']:{_TIME}}  {each['connection']} / {each['goal']}")


def _print_merged(parts: Sequence[Mapping[str, Any]]) -> None:
    """Show the profiles that were merged into one, and by which decisions."""
    for part in parts[:_SHOWN]:
        say(f"  merged from {part['profile_id']}, created at {part['created_at']:{_TIME}}")
        say(f"    {', '.join(part['identifiers'])}")
        for decision in part["decisions"]:
            say(f"    {decision['decided_at']:{_TIME}}  {_why(decision)}")
    if len(parts) > _SHOWN:
        say(f"  … merged from {len(parts):,} in all")


def _print_changes(profile_id: object, changes: Iterable[Mapping[str, Any]]) -> None:
    """Show the changes of a profile, and of those that were merged into it."""
    for change in changes:
        by = f"{change['connection']} / {change['goal']}  " if change["connection"] else ""
        of = "" if change["profile_id"] == profile_id else f"of {change['profile_id']}  "
        properties = "" if change["changed"] else ", ".join(change["properties"] or ())
        say(f"  {change['changed_at']:{_TIME}}  {change['kind']}  {of}{by}{properties}".rstrip())
        _print_changed(change["changed"] or (), indent=4)


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
    text = f"{value:{_TIME}}" if isinstance(value, datetime) else str(value)
    return text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 1]}…"


def _print_values(values: Mapping[str, Any]) -> None:
    shown = {name: ", ".join(map(str, each)) if isinstance(each, list) else each for name, each in values.items()}
    _print_indented(("property", "value"), [(name, str(each)) for name, each in shown.items() if each is not None])


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
        mark = ("■", "") if row["revoked_at"] else _DONE if row["kind"] == "merge" else ("≠", "yellow")
        kind = row["kind"].replace("_", " ")
        say(mark, f" {row['decided_at']:{_TIME}}  ", (kind, "bold"), f"  {row['left_id']}  {row['right_id']}")
        say(f"    {_why(row)}  run {row['run_id']}")
        if row["revoked_at"]:
            say(f"    revoked at {row['revoked_at']:{_TIME}}")
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
        say(f"  {part['profile_id']}  created at {part['created_at']:{_TIME}}  {part['then']}")
    print_merges(preview.merges)


def print_merges(merges: "Merges") -> None:
    """Show what rules or a decision did, pair by pair, and what guards stopped."""
    for each in merges.evidence:
        say(f"  {each.left}  {each.right}")
        say(f"    by {each.rule}: {each.value}" if each.rule else "    by hand")
    for blocked in merges.blocked[:_SHOWN]:
        say(_WARNING, f" {blocked.words}")
        for profile in blocked.sample:
            say(f"    {profile}")
    if len(merges.blocked) > _SHOWN:
        say(_WARNING, f" … {len(merges.blocked):,} in all")
    say(merges.message)


def print_quarantine(total: int, rows: Sequence[dict[str, Any]]) -> None:
    """Show what could not land, and why, file by file."""
    for (connection, goal, path), found in groupby(rows, key=itemgetter("connection", "goal", "path")):
        say((path or f"{connection} {goal}", "bold"))
        shown = []
        for row in found:
            raw = row["raw"] or ""
            value = row["value"] or (raw if len(raw) <= 60 else f"{raw[:57]}…")
            shown.append((f"{row['line'] or '':>6}", row["field"], value, row["reason"]))
        print_table(("  line", "field", "value", "reason"), shown)
    say(f"{len(rows):,} of {total:,} in quarantine.")


def print_segment(name: str, view: "SegmentView") -> None:
    """Show a segment's size, what it asks for, some of its profiles and how they are found."""
    say((name, "bold"), f"  {counted(view.size, 'profile')}")
    say(f"\n{view.words}\n", lines=True)
    for profile in view.sample:
        say(f"  {profile}")
    say(f"\n{view.sql}", lines=True)


def print_lifecycle(name: str, view: "LifecycleView") -> None:
    """Show how many profiles are in each stage of a lifecycle, and its conditions."""
    say((name, "bold"), f"  {counted(view.size, 'profile')}{'' if view.enabled else '; it is off'}")
    say(f"\n{view.words}\n", lines=True)
    for stage, size in view.sizes.items():
        say(f"  {size:>9,}  {stage}")


def print_export_preview(preview: "ExportPreview") -> None:
    """Show what an export would deliver, and why the others would not be."""
    counters = asdict(preview.counters)
    every, *ends = next(iter(counters)), *preview.counters.ends
    say((preview.goal, "bold"), f"  {counters[ends[-1]]:,} of {counters[every]:,} to deliver")
    for name in (every, *ends):
        say(f"  {counters[name]:>9,}  {name.partition('_')[2].replace('_', ' ')}")
    for note in preview.notes:
        say((f"  {note}", "yellow"))
    for path, rows in preview.files:
        say(f"  {path}  {counted(rows, 'row')}")
    for reason, times in preview.reasons:
        say((f"  {times:>8,}x", "yellow"), f" {reason}")
    if preview.rows:
        print_table(preview.header, preview.rows)

"""What people see on a terminal: progress and tables. Nothing here decides anything."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

from cdp_sync.model import COUNTERS, ImportReport, RemoteFile, Report
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.runs.progress import Watcher
from cdp_sync.printing import errors, fits, print_table, say
from cdp_sync.terminal.marks import DONE, FAILED, TIME, WARNING, print_changed, print_indented

if TYPE_CHECKING:
    from rich.progress import TaskID

    from cdp_sync.dry_run import DryRun
    from cdp_sync.exporting.preview import ExportPreview
    from cdp_sync.importing.preview import Preview
    from cdp_sync.inspection import Look
    from cdp_sync.learning import Learned
    from cdp_sync.lifecycles import LifecycleView
    from cdp_sync.model.occurrences import UpcomingRun
    from cdp_sync.orchestration.runs.history import History, PastRun
    from cdp_sync.segments.membership import SegmentView

_MINUTE = "%a %Y-%m-%d %H:%M"


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
    say(DONE if report.state == "success" else FAILED, " ", (report.goal, "bold"), f"  {report.message}", lines=True)
    if isinstance(report, ImportReport) and report.files:
        names = [name for name in COUNTERS if getattr(report.counters, name) or name == "rows_read"]
        columns = ["file", "state", *(name.removeprefix("rows_").replace("_", " ") for name in names)]
        rows = [[f.name, f.state, *(getattr(f.counters, name) for name in names)] for f in report.files]
        _print_counts(columns, rows)
    for warning in report.warnings:
        say("  ", WARNING, f" {warning}")
    for reason, times in report.reasons:
        say((f"  {times:>6,}x", "yellow"), f" {reason}")
    if isinstance(report, ImportReport):
        for place in report.faults:
            say(f"  Refused rows to correct: {place}")
    say()


def _print_counts(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print the counts of files as a table, or as lines where the terminal is too narrow for one."""
    if fits((f"  {columns[0]}", *columns[1:]), [(f"  {row[0]}", *row[1:]) for row in rows]):
        print_indented(columns, rows)
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
        print_indented(look.columns, look.rows)
    for more in look.further:
        say()
        say(f"  {more.summary}")
        print_indented(more.columns, more.rows)
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
        print_indented(("field", "property", "cell", "reads as"), rows)


def print_history(history: "History") -> None:
    """Show runs, newest first, what their goals did, and how many profiles connections have ever exchanged."""
    for run in history.runs:
        _print_run(run)
    for each in history.data_exchange:
        imported, exported = counted(each["profiles_ever_imported"], "profile"), each["profiles_ever_exported"]
        say((each["connection"], "bold"), f"  ever imported: {imported}, exported: {exported:,}")
    if history.notice:
        say(WARNING, f" {history.notice}")


def _print_run(run: "PastRun") -> None:
    mark = {"finished": DONE, "failed": FAILED, "stopped": ("■", "red")}.get(run.state, "…")
    when = f"{run.started_at:{TIME}}" if run.started_at else "not yet"
    took = f"{run.seconds:,} s  " if run.seconds is not None else ""
    say(mark, f" {when}  ", (run.connection, "bold"), f"  {run.state}  {took}{run.reason}  {run.run_id}")
    if run.message:
        say("    ", (run.message, "red"), lines=True)
    for goal in run.goals:
        say(f"    {goal.goal}: ", (goal.message, "red" if goal.state == "failed" else ""), lines=True)
        for warning in goal.warnings:
            say("      ", WARNING, f" {warning}")
        for profile in goal.profiles:
            say(f"      {profile['profile_id']} {profile['kind']}")
            print_changed(profile["changed"], indent=8)
    if run.phase:
        say(f"    {run.phase['goal']}: … {run.phase['step'].replace('_', ' ')}")


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
        say(WARNING, f" {overview['notice']}")


def _overview_rows(connection: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each goal; the first one names the connection and its next run."""
    upcoming = connection["next_run"]
    parts = [upcoming["at"][:16].replace("T", " ") + upcoming["at"][-6:]] if upcoming else []
    parts += ["new files"] if connection["looks_for_new_files"] else []
    first = [connection["connection"], ", or ".join(parts) or "by hand"]
    for goal in connection["goals"]:
        on = "yes" if connection["enabled"] and goal["enabled"] else "no" if connection["enabled"] else "connection off"
        run = goal["last_run"]
        last = f"{run['started_at'].astimezone(UTC):{TIME}} {run['state']}" if run else ""
        name, next_run = first or ("", "")
        yield name, goal["goal"], goal["direction"], on, last, next_run
        first = []
    if first:
        yield connection["connection"], "", "", "no goal", "", ""


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


def print_learned(learned: "Learned") -> None:
    """Show what a strict import expects of its files."""
    file = learned.file
    say((f"{learned.connection}/{learned.goal}", "bold"), f"  {file.type}, separator {file.separator!r}")
    print_table(
        ("column", "may be empty"), [(each, "yes" if each in file.may_be_empty else "") for each in file.columns]
    )

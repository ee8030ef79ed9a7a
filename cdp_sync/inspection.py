"""What `scan`, `segment`, `profile` and `export --preview` show: what a run would find. Nothing is changed."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdp_sync import model
from cdp_sync.errors import (
    CdpSyncError,
    EndpointNotPermitted,
    FieldsRefused,
    JobUnfinished,
    RateExceeded,
    RemoteFailure,
    RemoteListingTooLong,
    RemotePathMissing,
    RemotePermissionDenied,
    RequestRefused,
    Terminal,
    UnknownName,
)
from cdp_sync.exporting import EventRun, FileRun, ResponseRun, UserRun, planned
from cdp_sync.exporting.events.preview import preview_events
from cdp_sync.exporting.preview import ExportPreview, preview_export
from cdp_sync.exporting.responses.preview import preview_responses
from cdp_sync.importing import ScannedFile, scan_directory
from cdp_sync.importing.preview import Preview, preview
from cdp_sync.importing.reading.normalize import ReaderName
from cdp_sync.importing.sources.port import Source
from cdp_sync.lifecycles import LifecycleView, view_lifecycle
from cdp_sync.merging import decisions, parts_of
from cdp_sync.model.counting import counted
from cdp_sync.model.remote import SourceLook
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations, read_project
from cdp_sync.scoring.stored import StoredScore, stored_scores
from cdp_sync.segments.membership import SegmentView, view_segment
from cdp_sync.segments.profile_values import rollup_values
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.caps import caps_of_profile
from cdp_sync.warehouse.history import identifiers_by_profile, profiles_named
from cdp_sync.warehouse.learned import learned_goal
from cdp_sync.warehouse.ledger import known_files
from cdp_sync.warehouse.properties import stored_columns, type_problems
from cdp_sync.warehouse.renaming import names_before, rival_problem
from cdp_sync.warehouse.stages import stages_of
from cdp_sync.warehouse.timeline import timeline

_HEAD = 256 << 10
"""Bytes that are read of a file; one that is no larger is parsed as a whole."""
_LOCAL_HEAD = 64 << 20
"""Bytes that are read of a file of this machine."""
_DECISIONS = 10_000
"""Decisions about one profile that are shown."""
Due = Iterable[tuple[str, int | None, datetime | None]]
"""Paths, sizes and times of what a run would import."""
_OF_ONE_DIRECTORY = (RemotePathMissing, RemotePermissionDenied, RemoteListingTooLong)
"""What is wrong with one directory, and not with the others of a server."""
_OF_ONE_GOAL = (RequestRefused, FieldsRefused, EndpointNotPermitted, RateExceeded, JobUnfinished, RemoteFailure)
"""What is wrong with what one goal reads of a platform; calls for other goals may do."""


@dataclass(frozen=True)
class Look:
    """What a goal would import, and whether a run would refuse it.

    Args:
        goal: The goal's name.
        summary: How much there is.
        columns: Names of the columns in which people see the files or lists.
        rows: The files or lists.
        shown: The same, as `scan --json` shows it.
        further: What else the platform has, each a table of its own.
        previews: Of the files that are due, up to a limit.
        refusal: Why a run would refuse the goal, whatever is in its files.
        listed: Whether its directory could be listed, or the platform asked.
    """

    goal: str
    summary: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    shown: dict[str, Any]
    further: tuple[SourceLook, ...] = ()
    previews: tuple[Preview, ...] = ()
    refusal: str = ""
    listed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the look as `scan --json` shows it."""
        return {"goal": self.goal, "refused": self.refusal, **self.shown}


def look(declarations: Declarations, connection: str, goal: model.RowRules, *, limit: int = 10) -> Look:
    """Look at what a goal would import, and whether a run would refuse it; nothing is imported, nothing waited for."""
    declared: Any = declarations.connection(connection)
    kind = model.kind_of(declared)
    rules: Any = goal.importing(declared, declarations.profiles)
    if not kind.source:
        rules = learned_goal(project_warehouse(), connection, rules)
        return _look_at_files(declarations.profiles, declared, rules, limit)
    with kind.part("client")(declared.server_value) as client:
        source: Source = kind.part("source")(client, goal)
        with project_warehouse().open("read") as session:
            due = [(path, None, None) for path in source.paths]
            refusal = _refusal(session, declarations.profiles, declared, rules, due, goal.was)
            stored = stored_columns(session, rules.records(declarations.profiles).table)
        try:
            found = source.look()
        except _OF_ONE_GOAL as error:
            return _failed_look(goal.name, error)
    previews: tuple[Preview, ...] = ()
    if found.sample:
        options: dict[str, Any] = {"stored": stored, "reader": reader_of(declared, found.sample)}
        previews = (preview(found.sampled, found.sample, rules, declarations.profiles, project_warehouse(), **options),)
    shown: dict[str, Any] = {
        f"{each.noun}s": [dict(zip(each.columns, row, strict=True)) for row in each.rows]
        for each in (found, *found.further)
    }
    if previews:
        shown["previews"] = [each.to_json() for each in previews]
    return Look(goal.name, found.summary, found.columns, found.rows, shown, found.further, previews, refusal)


def _failed_look(goal: str, error: CdpSyncError) -> Look:
    """Return the look at a goal that could not be looked at: a run would refuse it too, or the error may pass."""
    refusal, summary = (str(error), "") if isinstance(error, Terminal) else ("", str(error))
    return Look(goal, summary, (), (), {"problem": str(error)}, refusal=refusal, listed=False)


def look_at_file(declarations: Declarations, connection: str, goal: model.RowRules, file: Path) -> Look:
    """Try a goal on a file of this machine: what it would make of it. No server is asked, and nothing is imported."""
    declared: Any = declarations.connection(connection)
    rules = learned_goal(project_warehouse(), connection, goal.importing(declared, declarations.profiles))
    with file.open("rb") as opened:
        head = opened.read(_LOCAL_HEAD)
    stat = file.stat()
    warehouse = project_warehouse()
    with warehouse.open("read") as session:
        stored = stored_columns(session, rules.records(declarations.profiles).table)
    whole, reader = len(head) >= stat.st_size, reader_of(declared, head)
    shown = preview(str(file), head, rules, declarations.profiles, warehouse, whole=whole, stored=stored, reader=reader)
    remote = model.RemoteFile(datetime.fromtimestamp(stat.st_mtime, UTC), str(file), stat.st_size)
    return _files_look(goal.name, (ScannedFile(remote, model.FileState.NEW),), (shown,), "")


def reader_of(connection: model.Connection, head: bytes) -> ReaderName:
    """Return the reader of a file that stands for what a connection delivers: platforms may deliver JSON."""
    is_json = head.removeprefix(BOM_UTF8).lstrip().startswith(b"{")
    return "ndjson" if model.kind_of(connection).source and is_json else "csv"


def _look_at_files(profiles: model.Profiles, connection: model.Connection, goal: model.FileGoal, limit: int) -> Look:
    """Look at a goal's directory, and into its first files."""
    warehouse = project_warehouse()
    with warehouse.open("read") as session:
        known = known_files(session, connection.name, goal.name)
        for before in names_before((connection.name, goal.name), (connection.was, goal.was)):
            known = known_files(session, *before) | known
        stored = stored_columns(session, goal.records(profiles).table)
    at_once = goal.model_copy(update={"complete": goal.complete.model_copy(update={"settle_seconds": 0})})
    with model.kind_of(connection).part("client")(connection.server_value) as client:

        def look_into(file: model.RemoteFile) -> Preview:
            try:
                head = client.read_head(file.path, _HEAD)
            except RemotePathMissing as error:  # taken away after the listing: a run would leave it out
                return Preview(file.path, message=str(error))
            except RemotePermissionDenied as error:
                return Preview(file.path, message=str(error), refused=True)
            return preview(file.path, head, goal, profiles, warehouse, whole=len(head) >= file.size, stored=stored)

        try:
            scan = scan_directory(client, at_once, known, model.fingerprint(goal, profiles, connection.objectives))
        except _OF_ONE_DIRECTORY as error:
            return replace(_files_look(goal.name, (), (), str(error)), listed=False)
        chosen = [file for file in scan.files if file.due] or scan.files[-1:]
        previews = [look_into(file.remote) for file in chosen[:limit]]
    due = [(file.path, file.size, file.modified_at) for file in scan.due]
    with warehouse.open("read") as session:
        refusal = _refusal(session, profiles, connection, goal, due, goal.was)
    return _files_look(goal.name, scan.files, tuple(previews), refusal)


def _files_look(goal: str, files: Sequence[ScannedFile], previews: tuple[Preview, ...], refusal: str) -> Look:
    """Return the look at files; `refused` is None where that was not looked at or does not show."""
    by_path = {each.path: each.refused for each in previews}
    refused = {file.remote.path: bool(refusal and file.due) or by_path.get(file.remote.path) for file in files}
    rows: list[tuple[object, ...]] = []
    shown: list[dict[str, Any]] = []
    for file in files:
        remote, verdict = file.remote, refused[file.remote.path]
        in_words = {True: "yes", False: "no", None: ""}[verdict]
        rows.append((remote.path, file.state, in_words, remote.size, f"{remote.modified_at:%Y-%m-%d %H:%M:%S}"))
        at = {"path": remote.path, "size": remote.size, "modified_at": remote.modified_at}
        shown.append({**at, "state": file.state, "refused": verdict})
    return Look(
        goal,
        f"{counted(len(files), 'file')}, {sum(file.due for file in files):,} to import",
        ("file", "state", "would be refused", "bytes", "modified (UTC)"),
        rows,
        {"files": shown, "previews": [each.to_json() for each in previews]},
        previews=previews,
        refusal=refusal,
    )


def _refusal(
    session: Session,
    profiles: model.Profiles,
    connection: model.Connection,
    goal: model.ImportGoal,
    due: Due,
    was: str | None,
) -> str:
    """Return why a run would refuse a goal for what the warehouse holds."""
    former = names_before((connection.name, goal.name), (connection.was, was))
    rival, records = rival_problem(session, connection.name, goal, due, former=former), goal.records(profiles)
    problems: list[CdpSyncError | None] = [*type_problems(records, stored_columns(session, records.table)), rival]
    return " ".join(str(problem) for problem in problems if problem)


def look_at_profiles(value: str, events: int) -> list[dict[str, Any]]:
    """Return the live profiles that a value names: values, stages, latest changes, and so many latest events.

    `merged_from` has the profiles that were merged into one, each with its identifiers and the decisions about it, and
    `named_parts` the ids of those among them that the value names. `caps` has the goals that found it at its cap.
    Rollups and scores are left out where the profile model is not in order.
    """
    declared = read_project().profiles
    with project_warehouse().open("read") as session:
        found = []
        for profile in profiles_named(session, value):
            owner = profile["profile_id"]
            rollups = rollup_values(session, declared, owner, datetime.now(UTC)) if declared else {}
            latest, counts = timeline(session, owner, events)
            kept = [
                each for each in stages_of(session, owner) if not declared or each["lifecycle"] in declared.lifecycle
            ]
            stages = {"stages": kept, "caps": caps_of_profile(session, owner, datetime.now(UTC))}
            merged = {"named_parts": profile.pop("named_parts"), "merged_from": _merged_from(session, owner)}
            changes, timed = {"changes": profile.pop("changes")}, {"event_counts": counts, "events": latest}
            found.append({**profile, **rollups, **stages, **merged, **changes, **timed})
        return found


def _merged_from(session: Session, profile_id: object) -> list[dict[str, Any]]:
    """Return the profiles that were merged into a live one, the oldest first.

    Each with the identifiers that it has by itself, and the decisions about it that hold.
    """
    parts = [part for part in parts_of(session, profile_id) if not part.pop("survives")]
    if not parts:
        return []
    identifiers = identifiers_by_profile(session, [part["profile_id"] for part in parts])
    _, made = decisions(session, profile=str(profile_id), limit=_DECISIONS)
    about: dict[object, list[dict[str, Any]]] = {}
    for decision in made:
        if decision["kind"] == "merge" and decision["revoked_at"] is None:
            for side in (decision["left_id"], decision["right_id"]):
                about.setdefault(side, []).append(decision)
    return [
        {**part, "identifiers": identifiers.get(named, []), "decisions": about.get(named, [])}
        for part in parts
        for named in [part["profile_id"]]
    ]


def look_at_segment(declarations: Declarations, name: str) -> SegmentView:
    """Count a segment, with a sample of its profiles.

    Raises:
        UnknownName: No such segment is declared.
    """
    names = [segment.name for segment in declarations.profiles.segments]
    if name not in names:
        raise UnknownName(f"There is no segment {name!r}.", needed=one_of(name, names))
    with project_warehouse().open("read") as session:
        return view_segment(session, declarations.profiles, name, datetime.now(UTC))


def look_at_scores(declarations: Declarations) -> list[StoredScore]:
    """Return the declared scores as they were last computed."""
    with project_warehouse().open("read") as session:
        return stored_scores(session, declarations.profiles)


def look_at_lifecycle(declarations: Declarations, name: str) -> LifecycleView:
    """Count the stages of a lifecycle as they were kept last.

    Raises:
        UnknownName: No such lifecycle is declared.
    """
    if name not in declarations.profiles.lifecycle:
        names = list(declarations.profiles.lifecycle)
        raise UnknownName(f"There is no lifecycle {name!r}.", needed=one_of(name, names))
    with project_warehouse().open("read") as session:
        return view_lifecycle(session, declarations.profiles, name)


def look_at_export(
    declarations: Declarations, connection: str, goal: str, warehouse: Warehouse | None = None
) -> ExportPreview:
    """Work out what an export goal would deliver now, from the project's warehouse.

    Another warehouse is a copy: there the goal writes its touches, so that later goals of the stage find them.
    """
    declared = declarations.connection(connection)
    with TemporaryDirectory() as folder:
        found: Any = declarations.export_goal(connection, goal)
        run_type, show = _preview_of(declared, found, reserve=warehouse is not None)
        run = run_type(
            run_id="preview",
            connection=connection,
            goal=found,
            profiles=declarations.profiles,
            objectives=declared.objectives,
            warehouse=warehouse or project_warehouse(),
            staging=Path(folder, "export.duckdb"),
            folder=Path(folder),
            now=datetime.now(UTC),
        )
        return show(planned(run, create=False) if run_type is FileRun else run)


def _preview_of(
    connection: model.Connection, goal: object, *, reserve: bool
) -> tuple[Any, Callable[[Any], ExportPreview]]:
    """Return the type of a goal's runs, and what works out what one would deliver."""
    if goal in connection.event_exports:
        return EventRun, preview_events
    if goal in connection.response_exports:
        return ResponseRun, preview_responses
    run_type = UserRun if model.kind_of(connection).audience else FileRun
    return run_type, partial(preview_export, reserve=reserve)

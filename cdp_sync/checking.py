"""What `check` finds: all that a run would refuse and that shows in the declarations or in the warehouse.

It imports neither Dagster nor the engines, which takes longer than all of its work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cdp_sync.calling import call
from cdp_sync.errors import Terminal, WarehouseLocked
from cdp_sync.model import STAGE_CHANGED, Connection, Profiles
from cdp_sync.model.counting import counted
from cdp_sync.model.shared_files import shared_files
from cdp_sync.orchestration.data_folder import data_folder, project_warehouse
from cdp_sync.orchestration.declaration_files import MAINTENANCE, declaration_files, read_declaration
from cdp_sync.orchestration.declarations import Declarations, Reading, read_project

_PATIENCE = 5.0
"""Seconds to wait for a warehouse that is in use."""


@dataclass(frozen=True)
class Findings:
    """What is declared, all that a run would refuse, and what could not be looked at or has nothing to run."""

    declarations: Declarations | None
    """None where files are not in order."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """How much is declared, where all is in order."""
        if self.declarations is None:
            return ""
        profiles = self.declarations.profiles
        types = [event for event in profiles.event_types if event != STAGE_CHANGED]
        parts = (
            counted(len(self.declarations.connections), "connection"),
            counted(len(profiles.properties), "property", "properties"),
            counted(len(profiles.segments), "segment"),
            *([counted(len(profiles.scores), "score")] if profiles.scores else []),
            *([counted(len(types), "type") + " of events"] if types else []),
            *([counted(len(profiles.group_types), "type") + " of groups"] if profiles.group_types else []),
            *([counted(len(profiles.lifecycles), "lifecycle")] if profiles.lifecycles else []),
        )
        return f"{', '.join(parts)}: all in order."


def check_project() -> Findings:
    """Check every declaration by itself, against the others, and against what the warehouse holds."""
    reading = read_project()
    problems = list(reading.problems)
    idle = [each.name for each in reading.connections if not any(goal.enabled for goal in each.goals)]
    notes = [f"{name} has no goal that is on: `{call(f'run {name}')}` has nothing to run." for name in idle]
    notes += [note for connection in reading.connections for note in shared_files(connection)]
    if reading.profiles:
        notes += [*_never_removed(reading.profiles), *_shown_of_one(reading), *_held(reading)]
        try:
            differing, left = _compared(reading.connections, reading.profiles)
            problems += differing
            notes += left
        except WarehouseLocked as error:
            notes.append(f"What the warehouse holds was not compared with the declarations. {error}")
        except Terminal as error:
            problems.append(str(error))
    declarations = None if reading.problems else reading.declarations
    if declarations:  # otherwise some connection may be declared that could not be read
        notes += _orphaned_uploads(declarations.connections)
    return Findings(declarations, tuple(problems), tuple(notes))


def _compared(connections: tuple[Connection, ...], profiles: Profiles) -> tuple[list[str], list[str]]:
    """Return how the declarations contradict the warehouse, and what it has beside them."""
    warehouse = project_warehouse(_PATIENCE)
    if not warehouse.exists():
        return [], []
    from cdp_sync.warehouse import event_columns, event_type_problems
    from cdp_sync.warehouse.events import undeclared_events
    from cdp_sync.warehouse.properties import all_type_problems
    from cdp_sync.warehouse.renaming import rival_problems

    with warehouse.open("read") as session:
        changed = [str(problem) for problem in all_type_problems(session, profiles)]
        changed += [str(problem) for problem in event_type_problems(profiles, event_columns(session))]
        left = [_undeclared(name, count) for name, count in undeclared_events(session, profiles).items()]
        return [*changed, *rival_problems(session, connections, profiles)], left


def _undeclared(name: str, count: int) -> str:
    """Return what to do about the events of a type that is not declared any more."""
    return (
        f"The type {name!r} is not declared any more; timelines still have {counted(count, 'event')} of it. "
        "Declare it again to use them. To remove them, declare it with `keep_days: 1` until Maintenance has run."
    )


def _held(reading: Reading) -> Iterator[str]:
    """Yield the export goals that export nobody because their lifecycle is off."""
    for connection in reading.connections:
        for goal in connection.export_profiles:
            why = goal.lifecycle.holds(reading.profiles) if goal.enabled and goal.lifecycle and reading.profiles else ""
            if why:
                yield f"{connection.name} / {goal.name} exports nobody. {why}"


def _never_removed(profiles: Profiles) -> Iterator[str]:
    """Yield that events stay beyond the days that their types say, where nothing is declared that removes them."""
    kept = [event.name for event in profiles.event_types if event.keep_days]
    if kept and not any(
        each.type == MAINTENANCE for file in declaration_files() for each in read_declaration(file).documents
    ):
        yield f"Nothing removes old events of {', '.join(kept)}: keep_days needs a component {MAINTENANCE}."


def _shown_of_one(reading: Reading) -> Iterator[str]:
    """Yield the sums of which a merged profile shows one part only, where the profile model does not say so itself."""
    profiles = reading.profiles
    if profiles is None or not profiles.merge_rules:
        return
    summed: dict[str, list[str]] = {}
    for connection in reading.connections:
        for goal in connection.import_profiles:
            for name in {mapping.property for mapping in goal.map if mapping.mode == "sum"}:
                summed.setdefault(name, []).append(f"{connection.name} / {goal.name}")
    for name, goals in summed.items():
        prop = profiles.by_name.get(name)
        if prop and prop.merge is None:
            yield (
                f"{name} is summed by {', '.join(goals)}, but a merged profile shows the survivor's amount only. "
                "Declare `merge: sum` so that the amounts of all count, or `merge: survivor` to have it so."
            )


def _orphaned_uploads(connections: tuple[Connection, ...]) -> Iterator[str]:
    """Yield the interrupted uploads of connections that are not declared any more: no run removes their parts."""
    names = {name for connection in connections for name in (connection.name, connection.was)}
    orphaned = {name: folder for name, folder in data_folder().noted_uploads().items() if name not in names}
    if not orphaned:
        return
    from cdp_sync.exporting.files.uploads import broken_uploads

    for name, folder in orphaned.items():
        for note, uploads in broken_uploads(folder):
            if isinstance(uploads, str):
                yield f"Connection {name} is not declared any more. {uploads}"
                continue
            files = ", ".join(f"{upload.part!r} on {upload.server}" for upload in uploads)
            former = ", ".join(repr(upload.aside) for upload in uploads)
            yield (
                f"Connection {name} is not declared any more, and an upload of it broke off: it may have left {files}, "
                f"and the file that it was replacing as {former}. "
                f"If the connection was renamed, declare `was: {name}`: its next run clears up. Otherwise remove the "
                f"file there, give the former one its name back if there is one, and then remove the note {note}."
            )

"""People of a warehouse with stages, and goals of a lifecycle that export them to a local folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cdp_sync.exporting import FileRun, export_file
from cdp_sync.model import ExportReport, FileExportGoal, Lifecycle, Profiles
from cdp_sync.warehouse import Warehouse, sync_events
from cdp_sync.warehouse.clock import touch
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.exporter import EVERYBODY, PROPERTIES, Folder
from cdp_sync_tests.exporting.exporter import goal as file_goal

LIFECYCLE = {
    "name": "welcome",
    "enter": {"property": "email", "has_value": True},
    "stages": [
        {"name": "fresh", "when": {"property": "count", "is_empty": True}},
        {"name": "buyer", "when": {"property": "count", "at_least": 1}},
    ],
}
EVENT_TYPES = ("email_opened", "email_link_clicked")


def profiles(**more: Any) -> Profiles:
    """Return a profile model with the lifecycle; `more` changes the lifecycle."""
    declared = {"properties": PROPERTIES, "segments": [EVERYBODY], "event_types": list(EVENT_TYPES)}
    return Profiles.model_validate(declared).with_lifecycles([Lifecycle.model_validate(LIFECYCLE | more)])


def goal(lifecycle: Mapping[str, Any], **declared: Any) -> FileExportGoal:
    """Return a goal of the lifecycle that exports everybody every time."""
    return file_goal(**{"changes": "all", "lifecycle": {"name": "welcome", **lifecycle}} | declared)


@dataclass
class CapSide:
    """A warehouse with so many people, and runs of goals at moments that the test gives."""

    folder: Path
    people: int = 3
    profiles: Profiles = field(default_factory=profiles)
    runs: int = 0

    def __post_init__(self) -> None:
        """Create the server's folder, and the warehouse unless it is there."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir(parents=True, exist_ok=True)
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb", lock_timeout=60)
        if not self.warehouse.path.exists():
            self._hold()

    def _hold(self) -> None:
        with self.warehouse.open("write") as session:
            sync_properties(session, self.profiles)
            sync_events(session, self.profiles)
            session.execute(
                """insert into warehouse.profile (profile_id, created_at, email)
                select ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid,
                    timestamptz '2026-01-01 00:00:00+00', 'p' || i || '@example.com'
                from range(1, $people + 1) row(i)""",
                {"people": self.people},
            )

    def enter(self, person: int, stage: str | None, at: datetime) -> None:
        """Put a person into a stage, or out of the lifecycle, as keeping stages does."""
        with self.warehouse.open("write") as session:
            owner = {"owner": UUID(int=int(str(person), 16))}
            session.execute("delete from warehouse.lifecycle_stage where profile_id = $owner", owner)
            touch(session, at, "select $owner::uuid", owner)
            if stage:
                session.execute(
                    "insert into warehouse.lifecycle_stage by name "
                    "select 'welcome' as lifecycle, $owner as profile_id, $stage as stage, $at as since",
                    {**owner, "stage": stage, "at": at},
                )

    def happen(self, person: int, kind: str, at: datetime) -> None:
        """Insert an event of a person, as an import does."""
        with self.warehouse.open("write") as session:
            session.execute(
                f"""insert into warehouse.event_{kind} by name
                select uuid()::text as event_id, $owner as profile_id, $at as happened_at, now() as _written_at""",
                {"owner": UUID(int=int(str(person), 16)), "at": at},
            )

    def next_run(self, goal: FileExportGoal, now: datetime, connection: str = "shop", run_id: str = "") -> FileRun:
        """Return a run of a goal at a moment, not yet started."""
        self.runs += 1
        own = self.folder / f"{connection}{run_id or self.runs}"
        own.mkdir()
        return FileRun(
            run_id=run_id or f"run{self.runs}",
            connection=connection,
            goal=goal,
            profiles=self.profiles,
            objectives=(),
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=now,
        )

    def run(self, goal: FileExportGoal, now: datetime, connection: str = "shop") -> ExportReport:
        """Run a goal at a moment."""
        report = export_file(self.next_run(goal, now, connection), Folder(self.outbox), self.folder / "uploads")
        assert report.counters.add_up
        return report

    def exported(self) -> list[int]:
        """Return the people in the delivered files, in order, and delete the files."""
        found = []
        for file in sorted(self.outbox.iterdir()):
            rows = file.read_text(encoding="utf-8").splitlines()[1:]
            found += [int(row.partition("@")[0].removeprefix("p")) for row in rows]
            file.unlink()
        return found

    def capped(self, goal: str, connection: str = "shop") -> dict[int, datetime]:
        """Return the people that the goal's last run found at their cap, with its end."""
        query = "select profile_id, until from warehouse.capped_profile where connection = $connection and goal = $goal"
        with self.warehouse.open("read") as session:
            rows = session.rows(query, {"connection": connection, "goal": goal})
        return {int(f"{owner.int:x}"): until.astimezone(UTC) for owner, until in rows}

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def counting(self, goals: Sequence[FileExportGoal]) -> None:
        """Let the lifecycle know what these goals count, as reading a project does."""
        lifecycle = self.profiles.lifecycle["welcome"]
        parts = [goal.lifecycle for goal in goals if goal.lifecycle]
        counted = [
            (stage, part.counted_event)
            for part in parts
            if part.counted_event
            for stage in part.stages or lifecycle.every_stage
        ]
        self.profiles = self.profiles.with_lifecycles([lifecycle.counting(counted)])


def renamed(goal: FileExportGoal, name: str) -> FileExportGoal:
    """Return the goal under another name."""
    return goal.model_copy(update={"name": name, "file": goal.file.model_copy(update={"name": f"{name}.csv"})})


def later(run: FileRun, now: datetime) -> FileRun:
    """Return the run at another moment."""
    return replace(run, now=now)

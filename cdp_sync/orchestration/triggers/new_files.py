"""The sensor that runs a connection when files have arrived. It lists; it neither downloads nor asks the ledger.

It requests no run while another run of the connection has not ended, nor for files that such a run has imported.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from cdp_sync.importing.sources.arrivals import Look, Memory, goal_key, look_at
from cdp_sync.importing.sources.scanning import Sightings
from cdp_sync.model import Connection, Profiles, RemoteFile, Watch, fingerprint
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.dagster_internals import RUN_KEY_TAG, AssetJob
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.goals.files import imported_versions
from cdp_sync.orchestration.runs.run_tags import UNFINISHED, runs_in

_TICKS = 3
"""Ticks in the time between two looks: files that were just seen are looked at again at the next tick."""

_EARLY = 0.75
"""A look is due after this share of the time between two of them: at the next tick it would be overdue."""

_ENDED = {dg.DagsterRunStatus.SUCCESS: True, dg.DagsterRunStatus.FAILURE: False, dg.DagsterRunStatus.CANCELED: False}


def build_sensors(connection: Connection, profiles: Profiles, jobs: Iterable[AssetJob]) -> list[dg.SensorDefinition]:
    """Return the sensor of a connection's job; none where the connection is off, or watches or imports nothing."""
    if not (connection.enabled and connection.file_watch and any(goal.enabled for goal in connection.imports)):
        return []
    return [_sensor(connection, connection.file_watch, profiles, job) for job in jobs]


def _sensor(connection: Connection, watch: Watch, profiles: Profiles, job: AssetJob) -> dg.SensorDefinition:
    every, server_key = watch.every_seconds, f"{connection.name}_server"
    importing = (goal.importing(connection, profiles) for goal in connection.imports if goal.enabled)
    goals: dict[str, Any] = {
        goal_key(goal.name, fingerprint(goal, profiles, connection.objectives)): goal for goal in importing
    }

    @dg.sensor(
        name=f"{connection.name}_new_files",
        job=job,
        minimum_interval_seconds=max(every // _TICKS, 1),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Looks for new files every {counted(every, 'second')}, and runs {connection.label} when some are whole."
        ),
        required_resource_keys={server_key},
        tags={"connection": connection.name},
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory, now = Memory.read(context.cursor), time.time()
        since = now - memory.looked_at
        if not memory.seen and 0 <= since < every * _EARLY:
            rest = max(round(every - since), 0)
            return dg.SensorResult(skip_reason=f"The next look is due in {counted(rest, 'second')}.")
        with getattr(context.resources, server_key).client(attempts=1) as server:
            found = look_at(server, goals)
        return _evaluate(context.instance, connection.name, memory, found, now)

    return new_files


def _evaluate(
    instance: dg.DagsterInstance, connection: str, memory: Memory, found: Look, now: float
) -> dg.SensorResult:
    memory = memory.settle(_outcomes(instance, connection, memory.asked), now).forget_what_is_gone(found)
    due = memory.due(found, now)
    if due and any(runs_in(instance, connection, UNFINISHED)):
        # They stay seen: a run for them is requested as soon as that run has ended, unless it imports them.
        reason = "A run of this connection has not ended; what has arrived is asked for after it."
        return dg.SensorResult(skip_reason=reason, cursor=memory.note(found, now).write())
    # Another run has imported some: by schedule, by hand, or before.
    names = {found.files[state][0].partition("/")[0] for state in due}
    versions = {v for name in names for v in imported_versions(instance, connection, name)}
    memory = memory.take(frozenset(state for state in due if state.hex() in versions))
    due = memory.due(found, now)
    looked_at, memory = memory.looked_at, memory.note(found, now)
    if not due:
        return dg.SensorResult(skip_reason=_summary(found, memory), cursor=memory.write())
    # The former look saw the same sizes and times: the run need not wait for the files to settle.
    by_goal: dict[str, list[RemoteFile]] = {}
    for goal, file in (found.files[state] for state in due - found.whole):
        by_goal.setdefault(goal.partition("/")[0], []).append(file)
    for goal, files in by_goal.items():
        place = data_folder().sightings(connection, goal)
        Sightings(place).add(files, datetime.fromtimestamp(looked_at, UTC))
    key, memory = memory.ask(due)
    request = dg.RunRequest(run_key=f"{connection}:{key}", tags={"reason": "new files"})
    return dg.SensorResult(run_requests=[request], cursor=memory.write())


def _outcomes(instance: dg.DagsterInstance, connection: str, asked: Iterable[str]) -> dict[str, bool]:
    """Return by request whether its run succeeded; a run that was deleted counts as failed."""
    outcomes = {}
    for key in asked:
        runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: f"{connection}:{key}"}), limit=1)
        if not runs:
            outcomes[key] = False
        elif runs[0].status in _ENDED:
            outcomes[key] = _ENDED[runs[0].status]
    return outcomes


def _summary(look: Look, memory: Memory) -> str:
    parts = [f"Of {counted(len(look.states), 'file')} none is new."]
    if memory.seen:
        parts = [f"Of {counted(len(look.states), 'file')}, {len(memory.seen):,} just arrived; another look follows."]
    if memory.asked:
        parts.append("A run is importing what arrived.")
    if memory.failed:
        parts.append(f"{len(memory.failed):,} failed; another try follows later.")
    return " ".join(parts)

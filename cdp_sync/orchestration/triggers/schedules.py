"""A declared schedule as Dagster's: coarse crons whose ticks start a run where the calendar says that one is due.

After an outage of the daemon Dagster evaluates the latest missed tick only. What was due since the last evaluation is
due then, once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from math import gcd
from zoneinfo import ZoneInfo

import dagster as dg

from cdp_sync.model import Connection, Schedule
from cdp_sync.model.occurrences import first_instant, grid_start, is_due, occurrences
from cdp_sync.model.schedule import MINUTES_A_DAY
from cdp_sync.orchestration.dagster_internals import SCHEDULED_EXECUTION_TIME_TAG, AssetJob, last_evaluation
from cdp_sync.orchestration.runs.run_tags import WAITING, runs_in

_INSTANT = timedelta(microseconds=1)
_A_DAY = timedelta(days=1)


def build_schedules(connection: Connection, jobs: Iterable[AssetJob]) -> list[dg.ScheduleDefinition]:
    """Return the schedule of a connection's job; nothing where the connection is off or declares none."""
    schedule = connection.active_schedule
    return [_schedule(connection, schedule, job) for job in jobs] if schedule else []


def _schedule(connection: Connection, schedule: Schedule, job: AssetJob) -> dg.ScheduleDefinition:
    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tick = context.scheduled_execution_time.astimezone(UTC)
        if not_due := _not_due(schedule, context):
            return not_due
        for waiting in runs_in(context.instance, connection.name, WAITING) if context.instance_ref else ():
            if waiting.tags.get(SCHEDULED_EXECUTION_TIME_TAG) != tick.isoformat():  # not the run of this tick
                return dg.SkipReason(
                    f"Run {waiting.run_id} of this connection waits to start, and will find all that there is."
                )
        return dg.RunRequest(tags={"reason": "schedule"})

    return dg.ScheduleDefinition(
        name=f"{connection.name}_schedule",
        job=job,
        cron_schedule=tick_crons(schedule),
        execution_timezone="UTC",
        execution_fn=evaluate,
        description=f"Runs {connection.label} {schedule.words}.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        tags={"connection": connection.name},
    )


def build_scores_schedule(schedule: Schedule, job: AssetJob) -> dg.ScheduleDefinition:
    """Return the schedule of the job that computes the scores."""

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return _not_due(schedule, context) or dg.RunRequest(tags={"reason": "schedule"})

    return dg.ScheduleDefinition(
        name="scores_schedule",
        job=job,
        cron_schedule=tick_crons(schedule),
        execution_timezone="UTC",
        execution_fn=evaluate,
        description=f"Computes the scores {schedule.words}.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def _not_due(schedule: Schedule, context: dg.ScheduleEvaluationContext) -> dg.SkipReason | None:
    """Return that no occurrence lies between the last evaluation and this tick, if none does."""
    tick = context.scheduled_execution_time.astimezone(UTC)
    if is_due(schedule, last_evaluation(context) or tick - _INSTANT, tick):
        return None
    coming = next(occurrences(schedule, tick)).astimezone(ZoneInfo(schedule.time_zone))
    return dg.SkipReason(f"Not due yet. The next run is due on {coming:%Y-%m-%d at %H:%M} ({schedule.time_zone}).")


def tick_crons(schedule: Schedule) -> list[str]:
    """Return crons in UTC that tick at every instant at which the schedule is due, and at others.

    UTC, because there every time of day occurs once: in other zones Dagster runs the second of two equal times, and
    moves times that the clock leaves out. Every day, because a weekday of the zone may begin on another one of UTC.

    >>> tick_crons(Schedule(times_per_day=1, starting_at="02:30", time_zone="Europe/Amsterdam"))
    ['0 1 * * *', '30 0,1 * * *']
    """
    hours_of, minutes_of = defaultdict(set), defaultdict(set)
    for tick in _ticks(schedule):
        hours_of[tick % 60].add(tick % MINUTES_A_DAY // 60)
    for minute, hours in hours_of.items():
        minutes_of[frozenset(hours)].add(minute)
    return sorted(f"{_field(minutes, 60)} {_field(hours, 24)} * * *" for hours, minutes in minutes_of.items())


def _field(numbers: Collection[int], size: int) -> str:
    return "*" if len(numbers) == size else ",".join(map(str, sorted(numbers)))


def _ticks(schedule: Schedule) -> Iterator[int]:
    """Yield the minutes of a day in UTC at which the schedule can be due, some of them repeatedly."""
    if schedule.every_minutes is not None:
        start, step = grid_start(schedule.time_zone) // 60, gcd(schedule.every_minutes, MINUTES_A_DAY)
        yield from range(start, start + MINUTES_A_DAY, step)
        return
    zone = ZoneInfo(schedule.time_zone)
    for day in _days_around_clock_changes(schedule.time_zone):
        for at in schedule.wall_times:
            instant = first_instant(datetime.combine(day, at), zone)
            yield instant.hour * 60 + instant.minute


@lru_cache(maxsize=64)
def _days_around_clock_changes(time_zone: str) -> list[date]:
    """Return the days of a year on which clocks change, with the days before and after; any day if they never do.

    Each time of day has on these days every offset that it ever has.
    """
    zone, today = ZoneInfo(time_zone), datetime.now(UTC).date()
    midnights = [datetime.combine(today + number * _A_DAY, datetime.min.time(), zone) for number in range(367)]
    changes = [before.date() for before, after in pairwise(midnights) if before.utcoffset() != after.utcoffset()]
    return [change + number * _A_DAY for change in changes for number in (-1, 0, 1)] or [today]

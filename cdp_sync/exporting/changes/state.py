"""What a run of a goal leaves for the next one, and the counters of everybody where only some were looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from cdp_sync.exporting.changes.deciding import Pass, former_of
from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import EXPORT_COUNTERS, ExportCounters
from cdp_sync.warehouse import Session, Step, fixed
from cdp_sync.warehouse.backend import next_number

_SQL = "exporting/changes"
_SAME, _WRITTEN, _ALL = "profiles_same", "profiles_written", "profiles_in_segment"


def stage_pass(session: Session, run: ExportRun, found: Pass, inside: Step, counters: ExportCounters) -> ExportCounters:
    """Stage what the next run needs to know, and return the counters of everybody.

    Args:
        session: With the profiles staged, in `staging.selected`.
        run: The run.
        found: How it found them.
        inside: The query for the ids of those who are in the segment, among all who were looked at.
        counters: Their endings.
    """
    former = found.former
    values = {
        "mark": found.mark, "digest": found.digest, "why": found.full, "kept": found.is_kept,
        "former_mark": former.mark if former else None, "former_moment": former.moment if former else None,
    }  # fmt: skip
    session.run([fixed("pass", f"{_SQL}/pass", values)])
    if not found.is_kept:
        return counters
    if found.full or former is None:
        session.run([_left_of_all(session, run, inside, counters)])
        return counters
    source = "select profile_id from staging.candidate_row"
    session.run([Step("left_profile", _LEFT.format(source, inside.sql), inside.values)])
    query = fixed("former_end", f"{_SQL}/former_end", {"number": former.number})
    ends = {f"profiles_{name}": times for name, times in session.rows(query.sql, query.values)}
    ends[_ALL] = sum(ends.values())
    looked_at = asdict(counters)
    return ExportCounters(
        **{name: former.counters[name] - ends.get(name, 0) + looked_at[name] for name in EXPORT_COUNTERS}
    )


_LEFT = """create or replace table staging.left_profile as
select profile_id from ({}) known
where profile_id not in (select profile_id from ({}) inside)"""


def _left_of_all(session: Session, run: ExportRun, inside: Step, counters: ExportCounters) -> Step:
    """Return the step that stages who is in the ledger and not in the segment; it looks only where there is one."""
    ledger = """select profile_id from warehouse.exported_profile where goal_number = (
        select number from warehouse.exported_goal where connection = $of_connection and goal = $of_goal
    )"""
    values = {"of_connection": run.connection, "of_goal": run.goal.name}
    known = session.value(f"select count(*) from ({ledger})", values)
    if known:
        staged, staged_known = session.row(
            f"select count(*), count(*) filter (profile_id in ({ledger})) from staging.selected", values
        )
        # Who is not staged is in the ledger, with the same values.
        known -= staged_known + counters.profiles_in_segment - staged
    if not known:
        return Step("left_profile", "create or replace table staging.left_profile (profile_id uuid)")
    return Step("left_profile", _LEFT.format(ledger, inside.sql), {**inside.values, **values})


def why_full(session: Session) -> str:
    """Return why the staged run looked at everybody; empty where it looked at those who may have changed."""
    return str(session.value("select why from staging.pass"))


def is_due(session: Session) -> bool:
    """Return whether the staged run leaves something that the next one is to know, although it delivers nothing."""
    kept, mark, former, why = session.row("select kept, mark, former_mark, why from staging.pass")
    return bool(kept and (why or mark != former or session.value("select exists (from staging.candidate)")))


def state_steps(session: Session, run: ExportRun, counters: ExportCounters) -> Iterator[Step]:
    """Yield the steps that keep what the next run needs to know, or forget it where that cannot follow."""
    kept, mark, digest, why, *read = session.row(
        "select kept, mark, digest, why, former_mark, former_moment from staging.pass"
    )
    if not kept:
        yield from _forgotten(run)  # this run may have changed the ledger that it speaks of
        return
    number = next_number(session, "exported_goal", {"connection": run.connection, "goal": run.goal.name})
    of_goal = {"number": number}
    former = former_of(session, run)
    follows = [former.mark, former.moment] == read if former else read == [None, None]
    replaced = "" if why or not follows else " and profile_id in (select profile_id from staging.candidate)"
    forget = f"delete from warehouse.export_exception where goal_number = $number{replaced}"
    yield Step("export_exception", forget, of_goal)
    yield Step("export_state", "delete from warehouse.export_state where goal_number = $number", of_goal)
    if not follows:
        return  # another run has recorded since this one looked: the next one looks at everybody
    yield fixed("export_exception", f"{_SQL}/export_exception", of_goal)
    state = {**of_goal, "mark": mark, "digest": digest, "moment": run.now, "counters": _settled(counters)}
    sql = "insert into warehouse.export_state by name select $number as goal_number, $mark as mark, $moment as moment, "
    yield Step("export_state", f"{sql}$digest as digest, $counters::map(text, bigint) as counters", state)


def _forgotten(run: ExportRun) -> Iterator[Step]:
    of_goal = {"connection": run.connection, "goal": run.goal.name}
    for table in ("export_state", "export_exception"):
        sql = f"""delete from warehouse.{table} where goal_number = (
            select number from warehouse.exported_goal where connection = $connection and goal = $goal
        )"""
        yield Step(table, sql, of_goal)


def _settled(counters: ExportCounters) -> Mapping[str, int]:
    """Return the counters as they are if nothing changes: what was written is the same then."""
    ends = {name: value for name, value in asdict(counters).items() if name in EXPORT_COUNTERS}
    return ends | {_SAME: ends[_SAME] + ends[_WRITTEN], _WRITTEN: 0}

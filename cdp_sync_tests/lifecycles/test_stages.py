"""Stages agree with plain loops over generated histories: profiles change, time passes, people merge and unmerge."""

import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync.lifecycles import keep_stages
from cdp_sync.merging.deciding import merge_by_hand, unmerge
from cdp_sync.model import COMPLETED, Lifecycle, Profiles
from cdp_sync.model.consistency import find_lifecycle_problems
from cdp_sync.warehouse import Session, Warehouse, quote_identifier
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync_tests.exporting.strategies import NOWS, condition, people, populations
from cdp_sync_tests.generated import examples
from cdp_sync_tests.lifecycles.stage_oracle import Stages

PASSED = (timedelta(0), timedelta(microseconds=1), timedelta(hours=1), timedelta(hours=25), timedelta(days=40))


@examples(6)
@given(populations(), st.data())
def test_stages_agree_with_oracle(population: Any, data: st.DataObject) -> None:
    """After any history: who is in which stage since when, and every change as an event; sizes and moves add up."""
    declared = population.profiles
    lifecycles = [lifecycle(data, declared, "first", population.now), lifecycle(data, declared, "second", NOWS[0])]
    declared = declared.with_lifecycles(lifecycles)
    for each in lifecycles:
        note(each.model_dump(exclude_none=True, by_alias=True))
        assert find_lifecycle_problems(each, declared) == []
    oracle, now = Stages(declared), population.now
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        warehouse = Warehouse(Path(folder, "warehouse.duckdb"))
        with warehouse.open("write") as session:
            sync_properties(session, declared)
            for number, person in enumerate(population.people):
                insert(session, number, person, now)
        for _ in range(data.draw(st.integers(1, 5))):
            now += data.draw(st.sampled_from(PASSED))
            before = lives(warehouse)
            happen(warehouse, declared, data, now)
            oracle.follow(before, lives(warehouse))
            with warehouse.open("write") as session:
                everybody = living(session)
                query = "from warehouse.lifecycle_stage semi join warehouse.merged_profile using (profile_id)"
                absorbed = [str(row["profile_id"]) for row in session.records(query)]
                assert set(absorbed) <= set(everybody), "a merged profile has no stage, before stages are kept again"
                for each in lifecycles:
                    new = oracle.keep(each, everybody, now)
                    found = keep_stages(session, declared, each, now, run_id="run")
                    assert sum(times for *_, times in found.moves) == len(new)
                    assert (found.entered, found.left) == (
                        sum(change[2] is None for change in new),
                        sum(change[3] is None for change in new),
                    )
                    assert keep_stages(session, declared, each, now).moves == (), "a second time nothing changes"
                    assert dict(found.sizes) == {
                        stage: sum(held == stage for (name, _), (held, _) in oracle.held.items() if name == each.name)
                        for stage in (*each.every_stage, COMPLETED)
                    }
                assert stored(session) == oracle.held
                assert noted(session) == sorted(oracle.changes, key=str)


def lifecycle(data: st.DataObject, profiles: Profiles, name: str, now: datetime) -> Lifecycle:
    """Draw a lifecycle; the second one may ask about stages of the first."""
    segments = [segment.name for segment in profiles.segments]

    def when(*, about_first: bool = False) -> dict[str, Any]:
        drawn = data.draw(st.composite(lambda draw: condition(draw, segments, now, 2))())
        if name == "first" or not (about_first or data.draw(st.booleans())):
            return drawn
        asked = data.draw(st.sampled_from([None, "unassigned", "completed", ["stage0", "stage1"]]))
        stage = {} if asked is None else {"stage": asked}
        return {data.draw(st.sampled_from(["all", "any"])): [{"lifecycle": "first", **stage}, drawn]}

    declared: dict[str, Any] = {
        "name": name,
        "enter": {"any": [when(about_first=True), when()]},
        "stages": [{"name": f"stage{number}", "when": when()} for number in range(data.draw(st.integers(2, 4)))],
    }
    if data.draw(st.booleans()):
        declared["complete"] = when()
        if data.draw(st.booleans()):
            declared["reenter"] = when()
    return Lifecycle.model_validate(declared)


def happen(warehouse: Warehouse, profiles: Profiles, data: st.DataObject, now: datetime) -> None:
    """Let people change, vanish, merge or unmerge, or nothing happen."""
    with warehouse.open("read") as session:
        alive = sorted(living(session))
        merged = sorted(
            str(each)
            for (each,) in session.rows("select profile_id from warehouse.profile where merged_into is not null")
        )
    what = data.draw(st.sampled_from(["change", "change", "merge", "unmerge", "vanish", "nothing"]))
    by_hand: dict[str, Any] = {"decided_by": "ann", "run_id": "by hand", "now": now}
    note(f"--- {now}: {what}")
    if what == "merge" and len(alive) > 1:
        left, right = data.draw(st.lists(st.sampled_from(alive), min_size=2, max_size=2, unique=True))
        merge_by_hand(warehouse, profiles, left, right, **by_hand)
    elif what == "unmerge" and merged:
        unmerge(warehouse, profiles, data.draw(st.sampled_from(merged)), **by_hand)
    elif what in ("change", "vanish") and alive:
        changed = data.draw(st.lists(st.sampled_from(alive), min_size=1, max_size=3, unique=True))
        with warehouse.open("write") as session:
            for name in changed if what == "change" else changed[:1] if not merged else ():
                session.execute("delete from warehouse.profile where profile_id = $name", {"name": UUID(name)})
                if what == "change":
                    insert(session, UUID(name).int, data.draw(people(NOWS[0])), now)


def insert(session: Session, number: int, person: Mapping[str, Any], now: datetime) -> None:
    """Write a profile with its values."""
    row = {"profile_id": UUID(int=number), "created_at": now, "updated_at": now, **person}
    names, places = ", ".join(map(quote_identifier, row)), ", ".join("?" * len(row))
    session.execute(f"insert into warehouse.profile ({names}) values ({places})", list(row.values()))


def living(session: Session) -> dict[str, dict[str, Any]]:
    """Return the live profiles by id."""
    return {str(row["profile_id"]): row for row in session.records("from warehouse.live_profile")}


def lives(warehouse: Warehouse) -> dict[str, str]:
    """Return the live profile of every profile."""
    with warehouse.open("read") as session:
        query = "select profile_id::text, coalesce(merged_into, profile_id)::text from warehouse.profile"
        return dict(session.rows(query))


def stored(session: Session) -> dict[tuple[str, str], tuple[str, datetime]]:
    """Return the stages that the warehouse has; each profile has one in each lifecycle at most."""
    rows = session.rows("select lifecycle, profile_id::text, stage, since from warehouse.lifecycle_stage")
    found = {(name, profile): (stage, since) for name, profile, stage, since in rows}
    assert len(found) == len(rows)
    return found


def noted(session: Session) -> list[Any]:
    """Return the changes that are events, each with the profile whose own it is, merged or not; ids are unique."""
    rows = session.rows(
        """select lifecycle, coalesce(_named_profile, profile_id)::text, from_stage, to_stage, happened_at, event_id
        from warehouse.event_stage_changed"""
    )
    assert len({row[-1] for row in rows}) == len(rows)
    return sorted((row[:-1] for row in rows), key=str)

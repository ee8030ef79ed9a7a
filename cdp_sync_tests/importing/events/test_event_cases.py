"""Each file of cases/: goals that import events, their runs, and what stands in the warehouse after them.

A case has the `event_types`, the `goals` by name, the `runs` and the `events` by type and id. Each run names its goal,
its files and what it reports: the counters that are not 0, the quarantine as path, line, field and a part of the
reason, and parts of the warnings. Before a run, the `expired` events are removed for their age, and `event_types`
declares the types anew. The `objectives` of the connection may be those of a run. A case whose declaration is refused
has parts of the message as `refused`.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_sync.model import FileGoal, ImportReport, Profiles
from cdp_sync_tests.importing.events.event_side import FIXED, EventSide, by_id

CASES = Path(__file__).parent / "cases"

PROPERTIES = [{"name": "number", "identifier": True}, {"name": "first_name"}]
LINK = [{"field": "Number", "property": "number"}]


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yaml")), ids=lambda file: file.stem)
def test_case(file: Path, tmp_path: Path) -> None:
    """The runs of the case report what it states, and leave the events that it states."""
    case = yaml.safe_load(file.read_text(encoding="utf-8"))
    declared = declare(case)
    goals = {name: FileGoal(**{"name": name, "link": LINK, **each}) for name, each in case["goals"].items()}
    if "refused" in case:
        problems = "\n".join(problem for goal in goals.values() for problem in goal.problems(declared))
        assert [part for part in case["refused"] if part not in problems] == []
        return
    product = EventSide(tmp_path, declared)
    for run in case["runs"]:
        product.objectives = tuple(run.get("objectives", case.get("objectives", ())))
        product.declared = declare(case | {name: run[name] for name in ("event_types",) if name in run})
        expire(product, run.get("expired", {}))
        report = product.run(goals[run["goal"]], list(run.get("files", {}).items()))
        check_run(product, report, run)
    for kind, events in case["events"].items():
        found = {name: described(event) for name, event in by_id(product.events(kind)).items()}
        assert (found if isinstance(events, dict) else sorted(found.values(), key=str)) == events


def declare(case: dict[str, Any]) -> Profiles:
    """Return the profile model of a case."""
    properties = case.get("properties", PROPERTIES)
    return Profiles(properties=properties, event_types=case["event_types"], **case.get("profiles", {}))


def expire(product: EventSide, ids: dict[str, list[str]]) -> None:
    """Remove events as maintenance does with those that are too old: their ids stay known."""
    if not ids:
        return
    with product.warehouse.open("write") as session:
        for kind, names in ids.items():
            for name in names:
                values = {"kind": kind, "name": name}
                gone = "insert into warehouse.expired_event values ($kind, uuid_of(md5_number($name)))"
                session.execute(gone, values)
                session.execute(f"delete from warehouse.event_{kind} where event_id = $name", {"name": name})


def check_run(product: EventSide, report: ImportReport, stated: dict[str, Any]) -> None:
    """Compare the report of a run with what the case states."""
    assert all(file.counters.add_up for file in report.files)
    assert {name: count for name, count in vars(report.counters).items() if count} == stated["counters"]
    entries = sorted(
        product.quarantine(f"run{product.runs}"), key=lambda each: (each.path, each.line or 0, each.field or "")
    )
    quarantine = stated.get("quarantine", [])
    assert [[each.path, each.line, each.field] for each in entries] == [each[:3] for each in quarantine]
    for entry, (*_, reason) in zip(entries, quarantine, strict=True):
        assert reason in entry.reason
    warnings = "\n".join(report.warnings)
    assert [part for part in stated.get("warnings", []) if part not in warnings] == []
    assert bool(warnings) == bool(stated.get("warnings"))


def described(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as a case has it: without empty properties, numbers and times as YAML has them."""
    shown = {name: value for name, value in event.items() if name not in FIXED}
    shown = {"person": shown.pop("_person"), "happened_at": event["happened_at"], **shown}
    return {name: _plain(value) for name, value in shown.items() if value is not None}


def _plain(value: Any) -> Any:
    match value:
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {name: _plain(each) for name, each in value.items() if each is not None}
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
    return value if isinstance(value, (str, int, bool)) else float(value)

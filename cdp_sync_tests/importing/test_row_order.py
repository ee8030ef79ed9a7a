"""Rows keep the order of their file, also when several threads parse it: a person's last row wins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.importing import ImportRun
from cdp_sync.importing.reading.normalize import NormalizedPart, normalize
from cdp_sync.importing.sources.archives import Part
from cdp_sync.importing.staging.columns import plan_columns
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.staging.plan import deferred_step, stage_step
from cdp_sync.importing.staging.tables import add_columns, create_tables
from cdp_sync.model import FileGoal, Profiles
from cdp_sync.warehouse import Session, Step
from cdp_sync_tests.importing.test_many_rows import TYPED
from cdp_sync_tests.trail.importer import NOON, Importer, arrived

ROWS = 400_000
"""Enough for about twelve of the parser's chunks."""
PEOPLE = 1000
PROFILES = Profiles(
    properties=[{"name": "email", "type": "email", "identifier": True}, {"name": "number", "type": "number"}]
)
GOAL = FileGoal(
    name="people",
    link=[{"field": "Email", "property": "email"}],
    map=[{"field": "Number", "property": "number"}],
    max_rejected_percent=1,
)
BROKEN = range(777, ROWS, 50_000)


def content(*, shift: int = 0) -> bytes:
    """Return a file of ascending numbers; a few rows have a word instead."""
    numbers = (f"many{shift}" if number in BROKEN else str(number + shift) for number in range(ROWS))
    rows = (f"{number % PEOPLE}@example.com,{each},{'x' * 30}\n" for number, each in enumerate(numbers))
    return ("Email,Number,Filling\n" + "".join(rows)).encode()


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    """A person's last row of hundreds wins, and values that do not convert are reported with their line."""
    importer = Importer(tmp_path, GOAL, PROFILES)
    for shift in (0, 1):  # redelivered with every number changed
        report = importer.deliver({"/in/people.csv": content(shift=shift)})
        assert (report.counters.rows_read, report.counters.values_invalid) == (ROWS, len(BROKEN))
        lines = importer.rows("select line from warehouse.quarantine where run_id = ? order by 1", [f"shop{shift + 1}"])
        assert lines == [(number + 2,) for number in BROKEN]
        odd = f"""select count(*) from warehouse.profile
            where number <> {ROWS - PEOPLE} + split_part(email, '@', 1)::int + {shift}"""
        assert importer.rows(odd) == [(0,)]


def steps(goal: FileGoal, profiles: Profiles, landed: NormalizedPart) -> Iterator[Step]:
    """Yield the two steps that can stage a part's rows."""
    yield stage_step(goal, plan_columns(goal, profiles, landed.head.columns), landed, ("id",))
    yield deferred_step(goal, landed)


@pytest.mark.parametrize("objectives", [False, True])
@pytest.mark.parametrize("dates", [["iso"], ["%d-%m-%Y", "epoch_seconds", "%Y-%m-%dT%H:%M"]], ids=["iso", "patterns"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_no_conversion_plans_a_join(*, decimal: str, dates: list[str], objectives: bool, tmp_path: Path) -> None:
    """No conversion makes DuckDB plan a join, since a join does not keep the order of rows."""
    more = [{"name": f"purpose{number}", "zones": ["GDPR"]} for number in range(50)] if objectives else []
    content = TYPED.model_dump() | {"zones": {"GDPR": "opt_in"} if objectives else {}, "objectives": more}
    profiles = Profiles.model_validate(content)
    names = [prop.name for prop in (*profiles.properties, *profiles.by_name.values()) if prop.name != "id"]
    goal = FileGoal(
        name="all",
        format={"decimal": decimal, "dates": dates, "multi_value": "|"},
        link=[{"field": "id", "property": "id"}],
        map=[{"field": name, "property": name} for name in dict.fromkeys(names)],
        blocked_values=[f"nobody{number}" for number in range(50)],
    )
    file = tmp_path / "all.csv"
    file.write_text(f"{','.join(goal.fields)}\n1{',' * (len(goal.fields) - 1)}\n")
    landed = normalize(Part("all.csv", file), goal)
    assert landed is not None
    run = Importer(tmp_path / "shop", goal, profiles).new_run()
    with run.open("none") as session:
        columns = plan_columns(goal, profiles, landed.head.columns)
        create_tables(session, columns)
        add_columns(session, columns)
        plans = [plan_of(session, step) for step in steps(goal, profiles, landed)]
    assert len(plans) == 2
    assert all("Batch Insert" in plan and "Join" not in plan for plan in plans), plans


def plan_of(session: Session, step: Step) -> str:
    """Return DuckDB's plan of a step."""
    ((_, plan),) = session.rows(f"explain {step.sql}", {**step.values, "file": 0, "part": 0})
    return str(plan)


def test_only_changed_rows_are_converted(tmp_path: Path) -> None:
    """Only rows that differ from the last import are converted; they keep their numbers."""
    importer = Importer(tmp_path, GOAL, PROFILES)
    importer.deliver({"/in/a.csv": b"Email,Number\na@x.nl,1\nb@x.nl,2\nc@x.nl,3\n"})
    converted: list[tuple[object, ...]] = []

    def look(run: ImportRun) -> None:
        with run.open("none") as session:
            converted.extend(session.rows("select row, link_0, value_number from staging.fresh"))

    report = importer.deliver({"/in/a.csv": b"Email,Number\na@x.nl,1\nb@x.nl,20\nc@x.nl,3\n"}, between=look)
    assert converted == [(1, "b@x.nl", 20)]
    assert (report.counters.rows_unchanged, report.counters.profiles_updated) == (2, 1)


def test_rows_linked_again_give_the_same_result(tmp_path: Path) -> None:
    """Rows that are linked again, since another run wrote meanwhile, give the same result."""
    importer = Importer(tmp_path, GOAL, PROFILES)
    other = Importer(tmp_path / "other", GOAL, PROFILES, connection="other", warehouse=importer.warehouse)
    importer.deliver({"/in/a.csv": b"Email,Number\na@x.nl,1\nb@x.nl,2\n"})

    def write(_: ImportRun) -> None:
        assert other.deliver({"/in/b.csv": b"Email,Number\nc@x.nl,3\n"}).counters.profiles_created == 1

    report = importer.deliver({"/in/a.csv": b"Email,Number\na@x.nl,1\nb@x.nl,20\nc@x.nl,30\n"}, between=write)
    assert (report.counters.profiles_created, report.counters.profiles_updated) == (0, 2)
    found = importer.rows("select email, number from warehouse.profile order by email")
    assert found == [("a@x.nl", 1), ("b@x.nl", 20), ("c@x.nl", 30)]


CASES = {
    "every cell is text": (b"Email,Number\na@x.nl,1\n", True),
    "a divider in a cell": (b"Email,Number\na@x.nl,1\nb\x1f@x.nl,\x1e\n", False),
    "a divider in a cell that is not asked for": (b"Email,Number,More\na@x.nl,1,\x1e\n", False),
    "a NUL byte": (b"Email,Number\na@x.nl,1\nb@x.nl,\x00\n", False),
}


@pytest.mark.parametrize(("file", "waits"), CASES.values(), ids=CASES)
def test_cells_with_dividers_are_converted_at_once(file: bytes, *, waits: bool, tmp_path: Path) -> None:
    """A file with a NUL byte or a divider in a mapped cell is converted as if it were new."""
    importer = Importer(tmp_path, GOAL, PROFILES)
    importer.deliver({"/in/a.csv": b"Email,Number\n"})
    run = importer.new_run()
    stage_files(run, arrived(tmp_path / "again", {"/in/a.csv": file}, NOON))
    with run.open("none") as session:
        assert session.rows("select distinct cells is not null from staging.staged") == [(waits,)]

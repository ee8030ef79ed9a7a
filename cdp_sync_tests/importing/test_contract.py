"""The contract of staging: each step reads what an earlier one yields."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import cdp_sync.importing
from cdp_sync.importing.events import portions
from cdp_sync.importing.pipeline import import_files
from cdp_sync.importing.staging.tables import CONTRACT, FROM_THE_START, LINKING, UPSERTING, Table
from cdp_sync.merging.tables import TABLES as MERGING
from cdp_sync.model import Profiles
from cdp_sync.model.delta import Append, Delta, Replace, Window
from cdp_sync.warehouse.events import expire_events
from cdp_sync.warehouse.session import EndedStep, observed_by
from cdp_sync_tests.sailthru.exchange import Exchange, lists_goal, sailthru, users_goal
from cdp_sync_tests.trail.importer import Importer, arrived, goal

FOLDER = Path(cdp_sync.importing.__file__).parent
GIVEN = frozenset({*(table.name for table in FROM_THE_START), "staging.staged"})
READERS = frozenset({"physical_line", "line", "opening", "taken", "json_line", "record", "reject"})
"""Tables of the reader; each of them lasts for one part of a file."""
ELSEWHERE = READERS | (MERGING.keys() - CONTRACT.keys())
"""Tables that have a list of their own."""

PROFILES: dict[str, Any] = {
    "properties": [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "customer_id", "identifier": True},
        {"name": "phones", "identifier": True, "multiple": True},
        {"name": "first_name"},
        {"name": "order_total", "type": "decimal"},
        {"name": "points", "type": "decimal", "precision": 4, "scale": 0},
        {"name": "interests", "multiple": True},
    ]
}
CONSENT = {"zones": {"GDPR": "opt_in"}, "objectives": [{"name": "news", "zones": ["GDPR"]}]}
LINKS = [{"field": name, "property": to} for name, to in (("Email", "email"), ("Id", "customer_id"), ("Tel", "phones"))]
MAP = [
    {"field": "Name", "property": "first_name"},
    {"field": "Total", "property": "order_total", "mode": "sum"},
    {"field": "Likes", "property": "interests", "mode": "add"},
]
LIST = {"multi_value": "|"}


HEADER = "Key,Email,Id,Tel,Name,Total,Likes"


def rows(*lines: str, header: str = HEADER) -> str:
    """Return a file of these rows."""
    return "\n".join((header, *lines, ""))


FIRST = rows("1,a@x.nl,,,Ann,10,red", "2,b@x.nl,B,1|2,Bob,20,blue|red", "3,,,2,Bo,5,", "4,,C,3,Cy,x,", "5,,,,No,1,")
SECOND = rows(
    "1,a@x.nl,A,,Ann,11,green", "2,c@x.nl,B,1|2,Bob,20,blue", "6,,C,4,Di,7,", "7,,,4|5,Ed,8,red", "8,,,5,Ef,1,"
)


@dataclass
class Shape:
    """A goal and the files that it imports one after another."""

    files: tuple[str, ...] = (FIRST, SECOND)
    declared: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, Any] = field(default_factory=dict)
    more: Callable[[Importer], object] | None = None
    """What another goal does between the files."""
    delta: Delta = field(default_factory=Replace)
    """The relation of a file to the one before."""

    def deliver(self, importer: Importer, file: str) -> None:
        """Import a file with the shape's delta."""
        run = importer.new_run()
        fetched = arrived(importer.folder / run.run_id, {"/in/people.csv": file})
        import_files(run, [replace(each, delta=self.delta) for each in fetched])


def create_profiles(importer: Importer) -> None:
    """Create the profiles that retried rows wait for."""
    other = Importer(
        importer.folder / "other", goal(link=LINKS, format=LIST), importer.profiles, "other", importer.warehouse
    )
    other.deliver({"/others.csv": rows("9,a@x.nl,,,Ann,,", "9,b@x.nl,,,Bob,,")})


ITEMS = [{"name": "id", "identifier": True}, {"name": "price", "type": "decimal"}]
TYPES = {
    "event_types": [
        {"name": "order", "properties": [{"name": "note"}, {"name": "products", "items": ITEMS}], "keep_days": 30},
        {"name": "visit", "properties": [{"name": "note"}]},
    ]
}
ITEM_MAP = {"id": "id", "map": [{"field": "price", "property": "price"}]}
ITEM_ROWS = {
    "type": "order",
    "id": "Key",
    "items": {"products": {"id": "Likes", "map": [{"field": "Total", "property": "price"}]}},
}
EVENTS = [
    {
        "type": "order",
        "id": "Key",
        "time": "At",
        "map": [{"field": "Name", "property": "note"}],
        "items": {"products": {"field": "Items", **ITEM_MAP}},
    },
    {"type": "visit", "time": "At", "map": [{"field": "Name", "property": "note"}]},
]
MERGED = {
    "properties": [
        *({**prop, "merge": "latest"} if prop["name"] == "first_name" else prop for prop in PROFILES["properties"]),
        {"name": "emails", "type": "email", "identifier": True, "multiple": True},
        {"name": "passport", "unique": True},
    ],
    "merge_rules": [{"property": "emails"}],
}
MERGING_ROWS = rows("1,a@x.nl,A,,Ann,10,red", "2,a@x.nl,B,,Bob,20,blue", "3,c@x.nl,C,,Cy,1,")
HAPPENED = rows(
    """1,a@x.nl,,,Ann,10,red,2024-01-02,"[{""id"": 1, ""price"": 10}]\"""",
    """1,a@x.nl,,,Anna,10,red,2024-01-03,"[{""id"": 1, ""price"": 12}]\"""",
    "2,b@x.nl,,,Bob,,,2024-01-03,",
    header=f"{HEADER},At,Items",
)


def expire(importer: Importer) -> None:
    """Remove all orders because of their age."""
    with importer.warehouse.open("write") as session:
        expire_events(session, importer.profiles, datetime.now(UTC))


SHAPES = {
    "sums and lists": Shape(),
    "a later delivery replaces sums": Shape(declared={"redelivered": "replaces"}),
    "row keys": Shape(declared={"row_key": ["Key"]}),
    "one link": Shape(declared={"link": LINKS[:1]}),
    "one list of identifiers": Shape(declared={"link": LINKS[2:]}),
    "detected columns": Shape(declared={"map_detected": {}}),
    "consent": Shape(profiles=CONSENT, declared={"objectives": ("news",)}),
    "retried rows": Shape(declared={"allow_new_profiles": False}, more=create_profiles),
    "retried rows with keys": Shape(declared={"allow_new_profiles": False, "row_key": ["Key"]}, more=create_profiles),
    "a sum that outgrows its property": Shape(
        declared={"map": [{"field": "Total", "property": "points", "mode": "sum"}]},
        files=(rows("1,a@x.nl,,,Ann,9000,", "2,a@x.nl,,,Ann,9000,", "3,b@x.nl,,,Bob,1,"),),
    ),
    "windows of a stream": Shape(
        declared={"row_key": ["Key"]},
        delta=Window("orders", "At", timedelta(minutes=10)),
        files=tuple(rows(f"1,a@x.nl,,,Ann,10,red,2026-01-0{day}T12:00:00Z", header=f"{HEADER},At") for day in (1, 2)),
    ),
    "a text that grows": Shape(delta=Append("log"), files=(FIRST, FIRST + "9,i@x.nl,,,Ida,1,red\n")),
    "events": Shape(declared={"events": EVENTS}, profiles=TYPES, files=(HAPPENED, HAPPENED.replace("10", "11"))),
    "events that are gone": Shape(
        declared={"events": EVENTS}, profiles=TYPES, files=(HAPPENED, HAPPENED.replace("10", "11")), more=expire
    ),
    "items of events": Shape(
        declared={"link": [], "map": [], "events": [ITEM_ROWS]},
        profiles=TYPES,
        files=(HAPPENED, HAPPENED.replace("10", "11")),
    ),
    "items of events with keys": Shape(
        declared={"link": [], "map": [], "events": [ITEM_ROWS], "row_key": ["Key"]}, profiles=TYPES
    ),
    "merged profiles": Shape(
        profiles=MERGED | CONSENT,
        declared={
            "objectives": ("news",),
            "link": LINKS[1:2],
            "map": [*MAP, {"field": "Email", "property": "emails", "mode": "add"}],
        },
        files=(MERGING_ROWS, MERGING_ROWS.replace("Ann", "Anne")),
    ),
    "a file that is not regular": Shape(files=(FIRST + '"broken\n', FIRST)),
}


PLATFORM = "people of a platform"


@dataclass
class Recorder:
    """Records the steps of imports in order, with the columns of the tables that they made."""

    steps: list[EndedStep] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def __call__(self, ended: EndedStep) -> None:
        """Record a step."""
        self.steps.append(ended)
        name = ended.step.yields
        described = ended.session.rows(f"describe {name}") if name in CONTRACT else []
        self.columns.append(", ".join(f"{column} {kind}" for column, kind, *_ in described).lower())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorder]:
    """Import the files of each shape; return the recorded steps by shape."""
    found = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        declared = {"link": LINKS, "map": MAP, "format": LIST, **shape.declared}
        objectives = declared.pop("objectives", ())
        profiles = Profiles.model_validate(PROFILES | shape.profiles)
        importer = Importer(
            tmp_path_factory.mktemp(f"shape{number}"), goal(**declared), profiles, objectives=objectives
        )
        found[name] = Recorder()
        with observed_by(found[name]), pytest.MonkeyPatch.context() as patched:
            patched.setattr(portions, "_PORTION", 2)
            for file in shape.files:
                shape.deliver(importer, file)
                if shape.more:
                    shape.more(importer)
                    importer.deliver({"/in/else.csv": rows("7,z@x.nl,,,Zoe,1,")})
    found[PLATFORM] = Recorder()
    with sailthru() as box, observed_by(found[PLATFORM]):
        box.account.add_users([{"email": f"{name}@example.com", "lists": ["Main"]} for name in ("ann", "bob")])
        crm = Exchange(tmp_path_factory.mktemp("platform"), goal=users_goal(), box=box)
        crm.import_list(lists_goal(link=[{"field": "email", "property": "email"}]))
    return found


@pytest.mark.parametrize("shape", [*SHAPES, PLATFORM])
def test_each_step_reads_what_an_earlier_one_yields(shape: str, recorded: dict[str, Recorder]) -> None:
    """Each table that a step reads was made earlier, in the run (staging) or in the session (temporary)."""
    made: dict[int, set[str]] = {}
    staged: set[str] = set(GIVEN)
    for ended in recorded[shape].steps:
        of_session = made.setdefault(id(ended.session), set())
        missing = ended.step.reads - staged - of_session
        assert not missing, f"{ended.step} reads {missing}, which nothing has made"
        (staged if ended.step.yields.startswith("staging.") else of_session).add(ended.step.yields)


@pytest.mark.parametrize("shape", [*SHAPES, PLATFORM])
def test_no_expression_has_the_name_of_a_table(shape: str, recorded: dict[str, Recorder]) -> None:
    """No common table expression has the name of a table in the contract."""
    for ended in recorded[shape].steps:
        assert not set(re.findall(r"\b(\w+) as (?:materialized )?\(", ended.step.sql)) & set(CONTRACT), ended.step


def test_each_table_is_declared_and_made(recorded: dict[str, Recorder]) -> None:
    """Steps yield tables of the contract or the warehouse, and each table of the contract is made by a step."""
    yielded = {each.step.yields for recorder in recorded.values() for each in recorder.steps} - ELSEWHERE
    assert {name for name in yielded if not name.startswith("warehouse.")} <= set(CONTRACT)
    assert all(MERGING.values())
    assert set(CONTRACT) - GIVEN <= yielded


def test_tables_have_the_declared_columns(recorded: dict[str, Recorder]) -> None:
    """A table has the columns and types that the contract declares."""
    synonyms = {"text": "varchar", "timestamptz": "timestamp with time zone"}
    for recorder in recorded.values():
        for ended, columns in zip(recorder.steps, recorder.columns, strict=True):
            if columns and (declared := CONTRACT[ended.step.yields].columns):
                words = re.sub(r"\w+", lambda word: synonyms.get(word[0], word[0]), declared)
                assert columns.replace('"', "") == words, ended.step.yields


@pytest.mark.parametrize("table", CONTRACT.values(), ids=CONTRACT)
def test_producers_and_consumers_match_the_contract(table: Table) -> None:
    """The producer exists, and only the declared consumers name the table."""
    module, _, function = table.producer.rpartition(".")
    assert hasattr(importlib.import_module(f"cdp_sync.importing.{module}"), function)
    assert bool(table.columns) != bool(table.varies)
    naming = {subject for subject, source in sources() if names(table.name, source)}
    assert naming - {module.partition(".")[0]} == set(table.others)


def names(table: str, source: str) -> bool:
    """Return whether a source names a table of the contract."""
    if table.startswith("staging."):
        return bool(re.search(rf"(?<![\w.]){re.escape(table)}\b", source))
    return bool(re.search(rf"\b(from|join|into|table|view) {table}\b", source))


def sources() -> list[tuple[str, str]]:
    """Return the subject and text of each Python and SQL file of importing, without the contract itself."""
    files = [*FOLDER.rglob("*.py"), *FOLDER.rglob("*.sql")]
    return [
        (file.relative_to(FOLDER).parts[0].removesuffix(".py"), file.read_text())
        for file in files
        if file != FOLDER / "staging" / "tables.py"
    ]


def test_a_temporary_table_stays_with_its_subject() -> None:
    """Only the report reads temporary tables of another subject; others are in the staging file."""
    for table in (*LINKING, *UPSERTING):
        assert {*table.others} <= {"report"}, table.name

"""Audience campaigns, compared with a plain reading of the vendor's page."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from cdp_sync.errors import GoalFailed
from cdp_sync.exporting import FileRun, export_file, planned
from cdp_sync.exporting.preview import preview_export
from cdp_sync.model import ExportReport, FileExportGoal, FileGoal, Profiles
from cdp_sync.model.consistency import find_problems
from cdp_sync.model.lifecycle import Lifecycle
from cdp_sync.warehouse import sync_events
from cdp_sync.warehouse.properties import sync_groups
from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.bluecore.mailing import exports
from cdp_sync_tests.exporting.exporter import NOON, Exporter
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.projects import Project, goal, shown
from cdp_sync_tests.test_cli import answer, cdp_sync, output_of
from cdp_sync_tests.trail.importer import Importer, check_adds_up

PROPERTIES: list[dict[str, Any]] = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "phone", "identifier": True},
    {"name": "first_name"},
    {"name": "spent", "type": "decimal"},
    {"name": "likes", "multiple": True},
    {"name": "born", "type": "date"},
    {"name": "seen", "type": "datetime"},
    {"name": "opted", "type": "boolean"},
    {"name": "out", "type": "boolean"},
]
SEGMENTS = [
    {"name": "spenders", "when": {"property": "spent", "at_least": 10}},
    {"name": "opted_in", "when": {"property": "opted", "equals": True}},
    {"name": "opted_out", "when": {"property": "out", "equals": True}},
]
PROFILES = Profiles.model_validate({"properties": PROPERTIES, "segments": SEGMENTS})
ELIGIBILITY = {"opted_in": "opted_in", "unsubscribed": "opted_out"}
INTEGRATION = {
    "vendor": "Files.com",
    "phone": "phone",
    "definitions": {"customers": ["first_name", "spent", "likes", "born"]},
    "eligibility": ELIGIBILITY,
    "directory": "/outbox",
}
FIELDS = ["email", "phone", "first_name", "spent", "likes", "born", "eligibility"]
NAMES = ("Ada", 'O\'Neill, "Bo"', "Zoë 😀\nline", "a|b;c\td", " x ", "0171", "|", "=1+1", "x\r\ny", None)


def campaign(integration: dict[str, Any] | None = None, **declared: Any) -> FileExportGoal:
    """Return the goal of a campaign that exports everybody who spent ten or more."""
    one = {"name": "big", "audience": "spenders"} | declared
    (made,) = exports(integration=INTEGRATION | (integration or {}), campaigns=[one]).export_profiles
    return made


def people(number: int = 80) -> list[dict[str, Any]]:
    """Return generated people; some lack what may be absent."""
    random = Random(SEED)
    return [
        {
            "email": random.choice((f"p{place}@example.com", f"p{place}@example.com", None)),
            "phone": random.choice((f"+3161234{place:04}", None)),
            "first_name": random.choice(NAMES),
            "spent": Decimal(random.randrange(0, 400)) / 10,
            "likes": random.choice((None, ["tea"], ["red", "tea"])),
            "born": random.choice((None, datetime(1990, 2, 28, tzinfo=UTC).date())),
            "opted": random.choice((True, False, None)),
            "out": random.choice((True, False, None)),
        }
        for place in range(number)
    ]


def state(person: dict[str, Any]) -> str:
    """Return who may get e-mail, as the vendor's pages say it."""
    return "unsubscribed" if person["out"] else "opted-in" if person["opted"] else "known"


def rows(everybody: Iterable[dict[str, Any]], states: Iterable[str]) -> list[list[str]]:
    """Return the rows of a campaign as a plain reading of the page has them, in order of creation."""
    return [
        [
            person["email"] or "",
            person["phone"] or "",
            person["first_name"] or "",
            f"{person['spent']:.4f}",
            "|".join(person["likes"] or ()),
            person["born"].isoformat() if person["born"] else "",
            state(person),
        ]
        for person in everybody
        if person["spent"] >= 10 and (person["email"] or person["phone"]) and state(person) in states
    ]


@dataclass
class Campaigner(Exporter):
    """Runs of a campaign at times that the test gives."""

    profiles: Profiles = PROFILES
    connection: str = "shop"

    def at(self, now: datetime) -> FileRun:
        """Return the next run, not yet started."""
        return replace(self.next_run(), now=now, connection=self.connection)

    def export(self, now: datetime = NOON) -> ExportReport:
        """Run the campaign at a moment."""
        return export_file(self.at(now), self.server, self.folder / "uploads")


def exporter(folder: Path, goal: FileExportGoal, everybody: list[dict[str, Any]] | None = None) -> Campaigner:
    """Return runs of a campaign over generated people."""
    made = Campaigner(folder, goal)
    made.hold(people() if everybody is None else everybody)
    return made


ALL = ("unsubscribed", "opted-in", "known")
SEEN = (None, datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC), datetime(1999, 12, 31, 23, 0, tzinfo=UTC))
SIGNS = {"comma": ",", "pipe": "|", "tab": "\t", "semicolon": ";"}


@pytest.mark.parametrize("delimiter", SIGNS)
@pytest.mark.parametrize(
    ("encoding", "row_delimiter", "header"), [("utf-8", "windows", True), ("utf-16", "linux", False)]
)
def test_the_file_is_written_as_the_integration_says(
    delimiter: str, encoding: str, row_delimiter: str, header: bool, tmp_path: Path
) -> None:
    """Encoding, delimiters and header row; e-mail and telephone always, then the definitions in order."""
    form = {"column_delimiter": delimiter, "encoding": encoding, "row_delimiter": row_delimiter, "header": header}
    campaigner = exporter(tmp_path, campaign(form))
    report = campaigner.export()
    assert report.path == "/outbox/big.csv"
    text = campaigner.delivered().decode(encoding)
    assert text.endswith("\r\n" if row_delimiter == "windows" else "\n")
    read = [*csv.reader(io.StringIO(text, newline=""), delimiter=SIGNS[delimiter])]
    expected = rows(people(), ALL)
    assert len(expected) > 20
    assert read == [FIELDS, *expected] if header else read == expected


def test_the_defaults_are_those_of_the_page(tmp_path: Path) -> None:
    """UTF-8, Windows line ends, commas, a header row, and no timestamp, which is otherwise at the end of the name."""
    campaigner = exporter(tmp_path, campaign())
    assert campaigner.export().path == "/outbox/big.csv"
    first, second, *_ = campaigner.delivered().split(b"\r\n")
    assert (first, second.decode().count(",")) == (b",".join(name.encode() for name in FIELDS), 6)
    stamped = exporter(tmp_path / "stamped", campaign({"timestamp": True, "file_name": "audience.csv"}))
    assert stamped.export().path == "/outbox/audience_20260131120000.csv"


@pytest.mark.parametrize(
    ("eligible", "states"),
    [
        ("any", ALL),
        ("not_unsubscribed", ("opted-in", "known")),
        ("opted_in", ("opted-in",)),
        ("known", ("known",)),
        ("unsubscribed", ("unsubscribed",)),
    ],
)
def test_a_campaign_exports_people_of_a_state(eligible: str, states: tuple[str, ...], tmp_path: Path) -> None:
    """Who has unsubscribed is so also after an opt-in; who did neither is known; no filter is all."""
    campaigner = exporter(tmp_path, campaign(eligible=eligible))
    campaigner.export()
    read = [*csv.reader(io.StringIO(campaigner.delivered().decode(), newline=""))]
    assert read[1:] == rows(people(), states)
    assert len(read) > 3


def test_people_without_address_and_telephone_are_counted(tmp_path: Path) -> None:
    """A profile that has neither is not exported, and the counters say so."""
    campaigner = exporter(tmp_path, campaign())
    counters = campaigner.export().counters
    every = [person for person in people() if person["spent"] >= 10]
    without = [person for person in every if not (person["email"] or person["phone"])]
    assert (counters.profiles_in_segment, counters.profiles_without_identifier) == (len(every), len(without))
    assert len(without) > 0
    assert counters.add_up


def test_everybody_is_exported_again(tmp_path: Path) -> None:
    """An export is the current state at its time, whatever was exported before; an empty audience is a file, too."""
    campaigner = exporter(tmp_path, campaign())
    campaigner.export()
    first = campaigner.delivered()
    campaigner.export(NOON + timedelta(hours=1))
    assert campaigner.delivered() == first
    campaigner.change("update warehouse.profile set spent = 0")
    assert campaigner.export(NOON + timedelta(hours=2)).counters.profiles_written == 0
    assert campaigner.delivered().decode() == ",".join(FIELDS) + "\r\n"


def test_a_campaign_keeps_the_definitions_of_its_creation(tmp_path: Path) -> None:
    """New definitions need a new campaign: the existing one goes on with its own, and the run says what differs."""
    campaigner = exporter(tmp_path, campaign())
    campaigner.export()
    first = campaigner.delivered()
    changed = {"definitions": {"customers": ["spent", "opted"]}, "column_delimiter": "comma"}
    campaigner.goal = campaign(changed)
    report = campaigner.export(NOON + timedelta(days=1))
    assert campaigner.delivered() == first
    (warning,) = report.warnings
    assert "The definitions have changed since big was created on 2026-01-31" in warning
    assert "new are opted; gone are first_name, likes, born" in warning
    assert "declare a new campaign" in warning

    campaigner.goal = campaign(changed, name="big_again")
    assert campaigner.export(NOON + timedelta(days=1)).warnings == ()
    header = campaigner.delivered().decode().splitlines()[0]
    assert header == "email,phone,spent,opted,eligibility"


def test_a_definition_that_is_gone_fails_the_campaign(tmp_path: Path) -> None:
    """A campaign whose property is not declared any more says what it needs, and delivers nothing."""
    campaigner = exporter(tmp_path, campaign())
    campaigner.export()
    campaigner.delivered()
    left = [prop for prop in PROPERTIES if prop["name"] != "likes"]
    campaigner.profiles = Profiles.model_validate({"properties": left, "segments": SEGMENTS})
    with pytest.raises(
        GoalFailed, match=r"The campaign big cannot export what it was created with.*'likes' is unknown"
    ):
        campaigner.export(NOON + timedelta(days=1))
    assert list(campaigner.outbox.iterdir()) == []


def test_a_campaign_is_exported_once_at_its_moment(tmp_path: Path) -> None:
    """The first run from the moment on exports, all others say when."""
    campaigner = exporter(tmp_path, campaign(at=NOON + timedelta(days=2)))
    early = campaigner.export(NOON)
    assert (early.path, early.delivers, early.message) == (
        None, False, "It is exported once, on 2026-02-02 at 12:00 (UTC).",
    )  # fmt: skip
    assert campaigner.export(NOON + timedelta(days=2, seconds=-1)).path is None
    assert campaigner.export(NOON + timedelta(days=2, minutes=7)).path == "/outbox/big.csv"
    late = campaigner.export(NOON + timedelta(days=3))
    assert (late.path, late.message) == (None, "It was exported once, on 2026-02-02 at 12:07 (UTC).")


def test_a_campaign_recurs_by_its_schedule(tmp_path: Path) -> None:
    """The first run after each of its times exports; a missed one is made up for once."""
    schedule = {"days_of_week": ["monday"], "at": "08:00", "time_zone": "Europe/Amsterdam"}
    campaigner = exporter(tmp_path, campaign(schedule=schedule))
    saturday = NOON
    assert (
        campaigner.export(saturday).message == "It is not due yet. The next export is due on 2026-02-02 at 07:00 (UTC)."
    )
    monday = datetime(2026, 2, 2, 7, tzinfo=UTC)
    exported = [
        campaigner.export(moment).path is not None
        for moment in (
            monday - timedelta(seconds=1),
            monday,
            monday + timedelta(hours=1),
            monday + timedelta(days=6),
            monday + timedelta(days=15),
            monday + timedelta(days=15, hours=1),
        )
    ]
    assert exported == [False, True, False, False, True, False]


def renamed(campaigner: Campaigner) -> bool:
    """Rename the connection of a campaign, with `was`; return whether there was something to go on with."""
    campaigner.connection = "store"
    return adopt(campaigner.warehouse, ("store", "big"), ("shop", None))


def test_a_campaign_that_waits_is_kept_by_a_renamed_connection(tmp_path: Path) -> None:
    """What the campaign was created with stays, also before it has exported anything."""
    campaigner = exporter(tmp_path, campaign(at=NOON + timedelta(days=2)))
    campaigner.export(NOON)
    assert renamed(campaigner)
    campaigner.goal = campaign({"definitions": {"customers": ["first_name"]}}, at=NOON + timedelta(days=2))
    assert "The definitions have changed" in campaigner.export(NOON + timedelta(days=3)).warnings[0]


def test_a_campaign_exports_once_under_two_names(tmp_path: Path) -> None:
    """It exported after its connection was renamed, and before the former name was declared: it does not again."""
    campaigner = exporter(tmp_path, campaign(at=NOON + timedelta(days=2)))
    campaigner.export(NOON)
    campaigner.connection = "store"
    assert campaigner.export(NOON + timedelta(days=2)).path
    assert renamed(campaigner)
    assert campaigner.export(NOON + timedelta(days=3)).message.startswith("It was exported once")


def test_a_killed_run_exports_again(tmp_path: Path) -> None:
    """A run that was killed after its delivery is not recorded: the next one delivers the same file again."""
    campaigner = exporter(tmp_path, campaign(at=NOON))
    campaigner.run_until_delivered()
    first = campaigner.delivered()
    assert campaigner.export(NOON + timedelta(hours=1)).path == "/outbox/big.csv"
    assert campaigner.delivered() == first


def test_a_preview_creates_no_campaign(tmp_path: Path) -> None:
    """It shows the definitions of the campaign, or the declared ones where it has not run yet."""
    campaigner = exporter(tmp_path, campaign())
    for columns in (FIELDS, FIELDS):
        assert preview_export(planned(campaigner.at(NOON), create=False)).header == tuple(columns)
    assert campaigner.rows("from warehouse.campaign") == []
    campaigner.export()
    campaigner.goal = campaign({"definitions": {}})
    assert preview_export(planned(campaigner.at(NOON), create=False)).header == tuple(FIELDS)


@pytest.mark.parametrize(
    ("delimiter", "encoding", "row_delimiter", "header", "multi_value"),
    [
        ("comma", "utf-8", "windows", True, "|"),
        ("semicolon", "utf-16", "linux", False, "|"),
        ("pipe", "utf-16", "windows", True, ", "),
        ("tab", "utf-8", "linux", False, "||"),
    ],
)
def test_the_file_comes_back_with_the_same_values(
    delimiter: str, encoding: str, row_delimiter: str, header: bool, multi_value: str, tmp_path: Path
) -> None:
    """An import with the same settings gives profiles with the values that were exported."""
    written = {"column_delimiter": delimiter, "encoding": encoding, "row_delimiter": row_delimiter, "header": header}
    names = ["first_name", "spent", "likes", "born", "seen"]
    sent = {"definitions": {"customers": names}, "multi_value": multi_value}
    everybody = [person | {"seen": SEEN[place % 3]} for place, person in enumerate(people())]
    for person in everybody[::7]:
        person["likes"] = ["0171", 'tea; "x"\ty', "Zoë\nline"]
    campaigner = exporter(tmp_path / "here", campaign(written | sent), everybody)
    campaigner.export()
    columns = ["email", "phone", *names]
    fields = columns if header else [f"column{number}" for number, _ in enumerate(columns, start=1)]
    declared = {
        "name": "back",
        "directory": "/inbox",
        "link": [{"field": field, "property": name} for field, name in zip(fields[:2], columns[:2], strict=True)],
        "format": {
            "separator": SIGNS[delimiter], "encoding": encoding, "header": header, "multi_value": multi_value,
        },
        "map": [
            {"field": field, "property": name, "mode": "add" if name == "likes" else "set"}
            for field, name in zip(fields[2:], names, strict=True)
        ],
    }  # fmt: skip
    importer = Importer(tmp_path / "there", FileGoal.model_validate(declared), PROFILES)
    report = importer.deliver({"/inbox/big.csv": campaigner.delivered()})
    check_adds_up(report)
    assert report.counters.values_invalid == 0
    reached = "spent >= 10 and (email is not null or phone is not null)"
    query = f"select {', '.join(columns)} from warehouse.profile where {reached} order by all"
    assert importer.rows(query) == campaigner.rows(query)
    assert len(importer.rows(query)) == len(rows(everybody, ALL))


DAGSTER = {"namespace": "acme", "integration": {"vendor": "Files.com", "directory": "/outbox", "definitions": {}}}


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A project with customers, and a connection with two campaigns."""
    segment = {"name": "spenders", "when": {"property": "total", "at_least": 2}}
    project.describe(segments=[segment])
    campaigns = [
        {"name": "big", "audience": "spenders"},
        {"name": "later", "audience": "spenders", "at": "2999-01-01T00:00:00Z"},
    ]
    declared = {
        "name": "bluecore",
        "server": project.server(),
        "import_profiles": [goal("customers")],
        "campaigns": campaigns,
        **DAGSTER,
    }
    project.declare("bluecore", declared, kind="BluecoreExports")
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,3\nbob@example.com,Bob,1\n")
    return project


def test_campaigns_run_in_dagster(shop: Project, instance: dg.DagsterInstance) -> None:
    """A campaign that is due delivers its file; one that waits says until when, and leaves no run in the history."""
    result = shop.run("bluecore_sync", instance)
    assert result.success
    assert {file.name: file.read_bytes() for file in (shop.root / "outbox").iterdir()} == {
        "big.csv": b"email\r\nada@example.com\r\n"
    }
    assert "big.csv: 1 of 1 in spenders written" in shown(result, "bluecore", "big")["summary"]
    assert shown(result, "bluecore", "later")["summary"] == "It is exported once, on 2999-01-01 at 00:00 (UTC)."
    with shop.warehouse.open("read") as session:
        assert session.rows("select goal from warehouse.run where direction = 'export'") == [("big",)]
        created = session.rows("select goal, exported_at is not null from warehouse.campaign order by goal")
    assert created == [("big", True), ("later", False)]


def test_campaigns_on_the_command_line(shop: Project) -> None:
    """`check`, `list` and the preview know the goals that campaigns become."""
    assert "/outbox: 0 files" in output_of(cdp_sync("check", "bluecore"))
    (connection,) = answer("list", "--json")["connections"]
    assert [each["goal"] for each in connection["goals"]] == ["customers", "big", "later"]
    found = answer("export", "bluecore", "--goal", "big", "--preview", "--json")
    assert (found["header"], found["path"]) == (["email"], "/outbox/big.csv")


def test_product_attributes_are_of_items_or_of_groups(tmp_path: Path) -> None:
    """A campaign exports the last and the most frequent product of a profile's orders, and a property of its groups."""
    items = {"name": "products", "items": [{"name": "sku", "identifier": True}, {"name": "brand"}]}
    declared = {
        "properties": [*PROPERTIES, {"name": "stores", "type": "group", "group_type": "store", "multiple": True}],
        "segments": [{"name": "spenders", "when": {"event": "bought", "at_least": 1}}],
        "event_types": [{"name": "bought", "properties": [items]}],
        "rollups": [
            {"name": "last_brand", "event": "bought", "last": "products.brand"},
            {"name": "usual_brand", "event": "bought", "most_frequent": "products.brand"},
        ],
        "group_types": [{"name": "store", "properties": [{"name": "city"}]}],
    }
    profiles = Profiles.model_validate(declared)
    definitions = {"products": ["last_brand", "usual_brand", {"group": "stores", "property": "city"}]}
    goal = campaign({"definitions": definitions, "eligibility": None})
    assert list(goal.problems(profiles)) == []
    campaigner = Campaigner(tmp_path, goal, profiles)
    campaigner.hold([{"email": "a@example.com", "stores": ["s1", "s2"]}, {"email": "b@example.com"}])
    orders = {1: ["Acme", "Best"], 2: ["Best", "Cool"], 3: ["Acme", "Best", "Dear"]}
    with campaigner.warehouse.open("write") as session:
        sync_events(session, profiles)
        sync_groups(session, profiles.group["store"])
        for day, brands in orders.items():
            products = [{"sku": f"{place}", "brand": brand} for place, brand in enumerate(brands)]
            session.execute(
                """insert into warehouse.event_bought (event_id, profile_id, happened_at, products)
                values ($id, $who, $at, $products)""",
                {"id": f"e{day}", "who": UUID(int=1), "at": NOON - timedelta(days=9 - day), "products": products},
            )
        session.execute("insert into warehouse.group_store (group_id, city) values ('s1', 'Delft'), ('s2', 'Gouda')")
    campaigner.export()
    assert campaigner.delivered().decode().splitlines() == [
        "email,phone,last_brand,usual_brand,stores_city", "a@example.com,,Dear,Best,Delft|Gouda",
    ]  # fmt: skip


def test_lifecycle_stages_are_a_column(tmp_path: Path) -> None:
    """A campaign exports the stages of a profile in all lifecycles, or in some."""
    stages = [{"name": "fresh", "when": {"property": "spent", "at_most": 50}}]
    lifecycles = [
        Lifecycle.model_validate({"name": name, "enter": {"property": "email", "has_value": True}, "stages": stages})
        for name in ("welcome", "loyal")
    ]
    profiles = PROFILES.with_lifecycles(lifecycles)
    expected = {"all": "welcome: fresh|loyal: unassigned", "loyal": "loyal: unassigned"}
    for asked, cell in expected.items():
        declared = {"lifecycles": asked if asked == "all" else [asked]}
        goal = campaign({"definitions": declared, "eligibility": None})
        campaigner = Campaigner(tmp_path / asked, goal, profiles)
        campaigner.hold([{"email": "a@example.com", "spent": 20}])
        for name, stage in (("welcome", "fresh"), ("loyal", "unassigned")):
            campaigner.change(
                f"""insert into warehouse.lifecycle_stage by name
                select '{name}' as lifecycle, profile_id, '{stage}' as stage, now() as since
                from warehouse.live_profile"""
            )
        campaigner.export()
        assert campaigner.delivered().decode().splitlines() == [
            "email,phone,lifecycles", f"a@example.com,,{cell}",
        ]  # fmt: skip


def test_scores_are_percentiles_in_columns_of_their_names(tmp_path: Path) -> None:
    """A campaign exports the percentile of a score; a profile without data for it has none."""
    rate = {"of": "email_opened", "among": "email_delivered"}
    declared = {
        "properties": PROPERTIES,
        "segments": SEGMENTS,
        "event_types": ["email_opened", "email_delivered"],
        "scores": [{"name": "likely_to_open", "rate": rate}],
    }
    profiles = Profiles.model_validate(declared)
    connection = exports(
        integration=INTEGRATION | {"definitions": {"scores": ["likely_to_open"]}, "eligibility": None},
        campaigns=[{"name": "big", "audience": "spenders"}],
    )
    assert find_problems(connection, profiles) == []
    campaigner = Campaigner(tmp_path, connection.export_profiles[0], profiles)
    campaigner.hold([{"email": "a@example.com", "spent": 20}, {"email": "b@example.com", "spent": 20}])
    campaigner.change(
        """insert into warehouse.score by name
        select 'likely_to_open' as score, profile_id, 0.25 as value, 87 as percentile, now() as scored_at
        from warehouse.live_profile where email = 'a@example.com'"""
    )
    campaigner.export()
    assert campaigner.delivered().decode().splitlines() == [
        "email,phone,likely_to_open", "a@example.com,,87", "b@example.com,,",
    ]  # fmt: skip

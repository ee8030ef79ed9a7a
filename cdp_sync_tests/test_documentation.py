"""The documentation and the package agree: each documented thing exists, and each thing is documented."""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from cdp_sync.analytics import VIEWS, Timeframe, view_figures
from cdp_sync.cli import main
from cdp_sync.connectors.bluecore import fields
from cdp_sync.connectors.bluecore.campaigns import Campaign, Definitions, Eligibility, GroupAttribute, Integration
from cdp_sync.connectors.bluecore.events import EspEvents, EventSource, Unsubscribes
from cdp_sync.connectors.bluecore.goals import BluecoreExports
from cdp_sync.connectors.iterable import goals as iterable
from cdp_sync.connectors.iterable.catalog_goal import CatalogGoal
from cdp_sync.connectors.iterable.goals import (
    FromLists,
    IterableConnection,
    IterableProject,
    UserFormat,
    UserImportGoal,
)
from cdp_sync.connectors.iterable.sent_events import IterableEvents, PurchaseItems
from cdp_sync.connectors.sailthru.goals import (
    ListFormat,
    ListGoal,
    SailthruAccount,
    SailthruConnection,
    UserExportGoal,
    UserLink,
)
from cdp_sync.connectors.spotler.goals import ImportMail, SpotlerExchange, SpotlerImport
from cdp_sync.merging import report
from cdp_sync.model import (
    COUNTERS,
    EVENT_COUNTERS,
    EXPORT_COUNTERS,
    STAGE_CHANGED,
    Analytics,
    EventColumn,
    EventExportGoal,
    EventType,
    ExportFile,
    ExportFormat,
    FileExportGoal,
    FileGoal,
    FileGroupGoal,
    Format,
    GroupType,
    Lifecycle,
    Maintenance,
    Notifications,
    Objective,
    Profiles,
    Property,
    Rate,
    ResponseExportGoal,
    Rollup,
    Schedule,
    Score,
    Segment,
    SftpConnection,
    SftpServer,
    Share,
    Stage,
    WeekdayOfMonth,
)
from cdp_sync.model.consistency import find_lifecycle_problems, find_problems, find_profile_problems
from cdp_sync.model.declared import PropertyType
from cdp_sync.model.event import READY_MADE, EventProperty
from cdp_sync.model.event_import import EventImport, ItemsImport
from cdp_sync.model.goal import SetMode
from cdp_sync.model.lifecycle_goal import GoalLifecycle, Threshold
from cdp_sync.model.merge_rule import MOST_HOLDERS, MOST_MERGES, SHORTEST, MergeCondition, MergeRule
from cdp_sync.model.operators import NAMES
from cdp_sync.model.property import MergeStrategy
from cdp_sync.model.response_export import ResponseEvents
from cdp_sync.warehouse import Warehouse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DECLARING = (ROOT / "docs" / "declaring.md").read_text(encoding="utf-8")
BLUECORE = (ROOT / "docs" / "bluecore.md").read_text(encoding="utf-8")
ITERABLE = (ROOT / "docs" / "iterable.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
LIFECYCLES = (ROOT / "docs" / "lifecycles.md").read_text(encoding="utf-8")
MERGING = (ROOT / "docs" / "merging.md").read_text(encoding="utf-8")
ANALYTICS = (ROOT / "docs" / "analytics.md").read_text(encoding="utf-8")
RESPONSES = (ROOT / "docs" / "responses.md").read_text(encoding="utf-8")
SCORES = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
SPOTLER = (ROOT / "docs" / "spotler.md").read_text(encoding="utf-8")
PROJECTS = (ROOT / "docs" / "projects.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    "declared",
    [
        Property,
        SftpServer,
        SftpConnection,
        Maintenance,
        Notifications,
        FileGoal,
        FileGroupGoal,
        GroupType,
        Format,
        Profiles,
        MergeRule,
        MergeCondition,
        EventType,
        EventProperty,
        EventImport,
        ItemsImport,
        Objective,
        Rollup,
        Segment,
        FileExportGoal,
        EventExportGoal,
        EventColumn,
        ExportFile,
        ExportFormat,
        Schedule,
        WeekdayOfMonth,
        SailthruConnection,
        SailthruAccount,
        ListGoal,
        ListFormat,
        UserExportGoal,
        UserLink,
    ],
)
def test_every_field_is_documented(declared: type[BaseModel]) -> None:
    """docs/declaring.md documents every field that can be declared."""
    names = [field.alias or name for name, field in declared.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in DECLARING] == []


@pytest.mark.parametrize(
    "declared",
    [
        IterableConnection, IterableProject, UserImportGoal, UserFormat, FromLists, iterable.UserExportGoal,
        iterable.UserLink, IterableEvents, PurchaseItems, CatalogGoal,
    ],
)  # fmt: skip
def test_every_field_of_iterable_is_documented(declared: type[BaseModel]) -> None:
    """Every field that can be declared stands in docs/iterable.md."""
    names = [field.alias or name for name, field in declared.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in ITERABLE] == []


def test_every_figure_and_key_of_analytics_is_documented() -> None:
    """docs/analytics.md defines every figure of every view, and has every key; the model that it shows is in order."""
    frame = Timeframe(date(2026, 1, 1), date(2026, 1, 1))
    with Warehouse(Path("nowhere")).open("read") as session:
        names = {name for view in VIEWS for name in view_figures(session, Profiles(properties=()), view, frame).names}
    assert [name for name in sorted({*names, *Analytics.model_fields, *VIEWS}) if f"`{name}`" not in ANALYTICS] == []
    (shown,) = [yaml.safe_load(block)["attributes"] for block in blocks(ANALYTICS, "yaml")]
    assert find_profile_problems(Profiles.model_validate(shown)) == []
    for line in filter(None, "\n".join(blocks(ANALYTICS, "console")).splitlines()):
        assert line.startswith("$ cdp-sync analytics"), line


def test_every_field_of_responses_is_documented() -> None:
    """docs/responses.md has every field of a goal and every column of its files; the goal that it shows is in order."""
    named = [*ResponseExportGoal.model_fields, *ResponseEvents.model_fields, "mailing", "link", "clicks"]
    assert [name for name in named if f"`{name}`" not in RESPONSES] == []
    (shown,) = map(yaml.safe_load, blocks(RESPONSES, "yaml"))
    email = {"name": "email", "type": "email", "identifier": True}
    types = ["email_delivered", "email_opened", "email_link_clicked"]
    profiles = Profiles.model_validate({"properties": [email], "event_types": types})
    (goal,) = (ResponseExportGoal.model_validate(each) for each in shown["export_responses"])
    assert list(goal.problems(profiles)) == []


@pytest.mark.parametrize("declared", [Score, Rate, Share])
def test_every_field_of_scores_is_documented(declared: type[BaseModel]) -> None:
    """Every field that can be declared stands in docs/scores.md."""
    assert [name for name in declared.model_fields if f"`{name}`" not in SCORES] == []


def test_the_scores_that_are_shown_are_in_order() -> None:
    """The shown profile model is valid, and shows every field of a score."""
    (shown,) = (yaml.safe_load(block)["attributes"] for block in blocks(SCORES, "yaml"))
    profiles = Profiles.model_validate(shown)
    assert find_profile_problems(profiles) == []
    assert {name for score in profiles.scores for name in score.model_fields_set} == set(Score.model_fields)


@pytest.mark.parametrize("declared", [Lifecycle, Stage, GoalLifecycle, Threshold])
def test_every_field_of_lifecycles_is_documented(declared: type[BaseModel]) -> None:
    """Every field that can be declared stands in docs/lifecycles.md, and every property of a change of stages."""
    assert [name for name in declared.model_fields if f"`{name}`" not in LIFECYCLES] == []
    assert [name for name in STAGE_CHANGED.by_name if f"| `{name}` |" not in LIFECYCLES] == []


def test_the_shown_lifecycle_is_in_order() -> None:
    """The lifecycle in docs/lifecycles.md shows every field, and fits a profile with the segments that are shown."""
    parts = list(map(yaml.safe_load, blocks(LIFECYCLES, "yaml")))
    (shown,) = [
        Lifecycle.model_validate(part["attributes"]) for part in parts if part.get("type", "").endswith("Lifecycle")
    ]
    assert set(Lifecycle.model_fields) - shown.model_fields_set == {"enabled"}
    segments = [segment for part in parts for segment in part.get("segments", ())]
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "order_count", "type": "number"},
        {"name": "last_seen", "type": "datetime"},
    ]
    profiles = Profiles.model_validate({"properties": properties, "segments": segments}).with_lifecycles([shown])
    assert segments
    assert [*find_profile_problems(profiles), *find_lifecycle_problems(shown, profiles)] == []
    (goal,) = [FileExportGoal.model_validate(goal) for part in parts for goal in part.get("export_profiles", ())]
    everybody = {"name": "everybody", "when": {"property": "email", "has_value": True}}
    declared = {"properties": properties, "segments": [everybody]}
    assert list(goal.problems(Profiles.model_validate(declared).with_lifecycles([shown]))) == []
    assert goal.lifecycle
    assert goal.lifecycle.model_fields_set == set(GoalLifecycle.model_fields)


@pytest.mark.parametrize(
    "declared",
    [
        BluecoreExports, EspEvents, Unsubscribes, EventSource, Integration, Campaign, Definitions, Eligibility,
        GroupAttribute,
    ],
)  # fmt: skip
def test_every_field_of_bluecore_is_documented(declared: type[BaseModel]) -> None:
    """Every field that BluecoreExports has beside an SftpConnection stands in docs/bluecore.md."""
    names = [name for name in declared.model_fields if name not in SftpConnection.model_fields]
    assert [name for name in names if not re.search(rf"`[^`]*\b{name}\b[^`]*`", BLUECORE)] == []


def test_every_column_of_bluecore_is_documented() -> None:
    """docs/bluecore.md names every event of the vendor, and every field of its files."""
    every = (*fields.GENERATION_1, *fields.GENERATION_2, *fields.OPTIONAL, *fields.UNSUBSCRIBES)
    names = {*fields.VENDOR_EVENTS, *(field.name for field in every)}
    assert {name for name in names if f"`{name}`" not in BLUECORE} == set()


def test_the_exports_to_bluecore_that_are_shown_are_in_order() -> None:
    """They fit a profile with the ready-made types and the properties that are shown beside them."""
    connection, events = map(yaml.safe_load, blocks(BLUECORE, "yaml"))
    shown = BluecoreExports(**connection["attributes"])
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        *({"name": name} for name in ("phone", "first_name")),
        {"name": "order_total", "type": "decimal"},
        {"name": "stores", "type": "group", "group_type": "store", "multiple": True},
    ]
    segments = [
        {"name": name, "when": {"property": "email", "has_value": True}}
        for name in ("big_spenders", "newsletter_readers", "opted_out")
    ]
    own = {event["name"] for event in events["event_types"]}
    types = [*events["event_types"], *(name for name in READY_MADE if "email" in name and name not in own)]
    profiles = Profiles.model_validate(
        {
            "properties": properties,
            "segments": segments,
            "event_types": [*types, "order"],
            "scores": [{"name": "likely_to_open", "rate": {"of": "email_opened", "among": "email_delivered"}}],
            "rollups": [{"name": "last_product", "event": "order", "last": "products.name"}],
            "group_types": [{"name": "store", "properties": [{"name": "city"}]}],
        }
    )
    assert find_problems(shown, profiles) == []
    assert [goal.name for goal in shown.goals] == ["spring", "weekly", "esp_events", "unsubscribes"]


def test_the_connections_to_iterable_that_are_shown_are_in_order() -> None:
    """They fit a profile with the properties that they name, and show every field of a goal in use."""
    shown = [IterableConnection(**yaml.safe_load(block)["attributes"]) for block in blocks(ITERABLE, "yaml")]
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "customer_id", "identifier": True},
        {"name": "order_total", "type": "decimal"},
        *({"name": name} for name in ("first_name", "city")),
        *({"name": name, "multiple": True} for name in ("interests", "mailing_lists")),
    ]
    visit = {"name": "visit", "properties": [{"name": "store"}]}
    spenders = {"name": "big_spenders", "when": {"property": "order_total", "at_least": 100}}
    declared = {"properties": properties, "segments": [spenders], "event_types": ["order", "email_opened", visit]}
    declared["group_types"] = [{"name": "store", "properties": [{"name": "city"}]}]
    profiles = Profiles.model_validate(declared)
    assert [problem for connection in shown for problem in find_problems(connection, profiles)] == []
    used = {name for connection in shown for goal in connection.import_profiles for name in goal.model_fields_set}
    assert set(UserImportGoal.model_fields) - used == {"title", "enabled", "was"}
    used = {name for connection in shown for goal in connection.export_profiles for name in goal.model_fields_set}
    in_lifecycles = {"lifecycle"}  # its own page shows it
    assert set(iterable.UserExportGoal.model_fields) - used == {"title", "enabled", "was"} | in_lifecycles


def test_every_field_of_spotler_is_documented() -> None:
    """Every field that only Spotler's exchange has stands in docs/spotler.md."""
    names = {*SpotlerExchange.model_fields, *ImportMail.model_fields, *SpotlerImport.model_fields}
    names -= FileGoal.model_fields.keys() - {"format"}
    assert [name for name in sorted(names) if f"`{name}`" not in SPOTLER] == []


def test_the_exchange_with_spotler_that_is_shown_is_in_order() -> None:
    """It fits a profile with the properties that it names, and so do the conditions that are shown."""
    [block] = blocks(SPOTLER, "yaml")
    shown = SpotlerExchange(**yaml.safe_load(block)["attributes"])
    conditions = re.findall(r"`(\{property: [^`]*(?:contains_any|equals)[^`]*\})`", SPOTLER)
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "first_name"},
        {"name": "city"},
        *(yaml.safe_load(text) for text in re.findall(r"`(\{name: \w+, type: [^`]*\})`", SPOTLER)),
    ]
    segments = [{"name": f"s{n}", "when": yaml.safe_load(text)} for n, text in enumerate(conditions)]
    profiles = Profiles.model_validate({"properties": properties, "segments": segments})
    assert len(segments) == 2
    assert [*find_profile_problems(profiles), *find_problems(shown, profiles)] == []


def test_every_operator_is_documented() -> None:
    """The table of operators has exactly the existing operators, each with its types."""
    head = "| operator | of | holds if the value … |\n|---|---|---|\n"
    (table,) = re.findall(re.escape(head) + r"((?:\|.*\n)+)", DECLARING)
    documented = {
        name: get_args(PropertyType) if of.strip() == "all" else tuple(of.strip().split(", "))
        for names, of in re.findall(r"^\|([^|]*)\|([^|]*)\|", table, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    declared = {name: row.types for name, (row, _) in NAMES.items() if not name.startswith("not_")}
    assert {name: set(types) for name, types in documented.items()} == {
        name: set(types) for name, types in declared.items()
    }


def test_every_set_mode_is_documented() -> None:
    """docs/declaring.md states the rule of every set mode."""
    assert [mode for mode in get_args(SetMode) if f"| `{mode}` |" not in DECLARING] == []


def test_every_merge_strategy_is_documented() -> None:
    """docs/declaring.md says of every strategy of `merge` what the merged profile shows, and which types have it."""
    section = DECLARING.partition("### `merge_rules`")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (`.+?`) \| (.+?) \|", section.partition("the merged profile shows |")[2], re.MULTILINE)
    documented = {name: of for names, of in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented.keys() == set(get_args(MergeStrategy))
    for kind in get_args(PropertyType):
        for multiple in (False, True):
            prop = Property(name="p", type=kind, multiple=multiple, group_type="store" if kind == "group" else None)
            of = {"all", *(["properties with `multiple`"] if multiple else [kind])}
            allowed = {name for name, types in documented.items() if of & set(types.split(", "))}
            assert set(prop._merge_strategies) == allowed, (kind, multiple)


def test_every_guard_is_documented() -> None:
    """docs/merging.md explains every guard that a report can name, and the limits of the guards."""
    assert [guard for guard in report._WORDS if f"| `{guard}` |" not in MERGING] == []
    limits = (
        f"fewer than {SHORTEST} characters",
        f"more than {MOST_HOLDERS} profiles",
        f"than {MOST_MERGES:,} profiles",
    )
    assert [limit for limit in limits if limit not in MERGING] == []


def test_every_counter_is_documented() -> None:
    """The documentation explains every counter."""
    assert [name for name in (*COUNTERS, *EXPORT_COUNTERS, *EVENT_COUNTERS) if f"`{name}`" not in OPERATING] == []


def test_states_and_counts_are_documented() -> None:
    """The documentation has the states of files in `scan` and the count of exportable profiles."""
    words = ("new", "changed", "stale", "unchanged", "not whole", "eligible")
    assert [word for word in words if f"`{word}`" not in OPERATING] == []


def test_every_command_is_documented() -> None:
    """The documentation shows or names every command of cdp-sync."""
    texts = README + OPERATING + MERGING + PROJECTS + LIFECYCLES + SCORES + SPOTLER
    texts += (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"cdp-sync {name}" not in texts and f"`{name}`" not in texts] == []


def test_shown_commands_exist() -> None:
    """Every command and make target in a console block exists."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sourced = (".venv/bin/activate", "data/sandbox/sailthru.env")
    names = {"make": targets, "cdp-sync": main.commands, "source": sourced}
    for line in filter(
        None, "\n".join(blocks(README + OPERATING + PROJECTS + ITERABLE + SCORES + SPOTLER, "console")).splitlines()
    ):
        program, name = line.removeprefix("$ ").split()[:2]
        assert name in names[program], line


def test_the_demonstration_installs_every_shown_program() -> None:
    """`make demo` installs the extra `sandbox`, which brings `dg`."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert '".[sandbox]"' in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "cdp-sync" in declared["scripts"]
    assert any(each.startswith("dagster-dg-cli>") for each in declared["optional-dependencies"]["sandbox"])
    assert "`dg scaffold defs" in README


def test_shown_declarations_are_valid() -> None:
    """The README's profile model and connections are valid together."""
    every = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    attributes = {each["type"].rpartition(".")[2]: each["attributes"] for each in every if "type" in each}
    for more in (each for each in every if "type" not in each):
        declared = attributes["ProfileModel" if more.keys() <= Profiles.model_fields.keys() else "SftpConnection"]
        declared.update({key: [*declared.get(key, []), *values] for key, values in more.items()})
    connections = SftpConnection(**attributes["SftpConnection"]), SailthruConnection(**attributes["SailthruConnection"])
    profiles = Profiles(**attributes["ProfileModel"])
    problems = [problem for connection in connections for problem in find_problems(connection, profiles)]
    assert [*find_profile_problems(profiles), *problems] == []


def test_the_complete_connection_is_valid() -> None:
    """The complete Sailthru connection in docs/declaring.md is valid."""
    (shown,) = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "type" in part]
    assert SailthruConnection(**shown["attributes"]).name == "crm"


OF_OTHERS = {"import_groups", "type", "format", "import_profiles", "export_events"}
"""Keys of examples that are no part of a profile model."""


def test_shown_parts_of_a_profile_model_are_valid() -> None:
    """Segments, zones, objectives and types of groups in docs/declaring.md are valid."""
    shown = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if not part.keys() & OF_OTHERS]
    names = {key for part in shown for key in part}
    assert names == Profiles.model_fields.keys()
    for part in shown:
        profiles = Profiles.model_validate({"properties": [{"name": "email", "type": "email"}], **part})
        assert not [problem for problem in find_profile_problems(profiles) if problem.startswith("properties")]


def test_shown_import_goals_are_valid() -> None:
    """Import goals in docs/declaring.md are valid."""
    shown = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "import_profiles" in part]
    goals = [FileGoal.model_validate(goal) for part in shown if "type" not in part for goal in part["import_profiles"]]
    assert {goal.name for goal in goals} >= {"orders", "order_lines", "balances", "invoices"}
    types = {name: EventType(name=name, ready_made=True) for name in READY_MADE}
    assert [problem for goal in goals for event in goal.events for problem in event.problems(types)] == []


def test_every_ready_made_type_is_documented() -> None:
    """docs/declaring.md names every ready-made type of events, with all of its properties."""
    names = {name for name in READY_MADE if f"`{name}`" not in DECLARING}
    props = [prop for name in READY_MADE for prop in EventType(name=name, ready_made=True).properties]
    fields = {each.name for prop in props for each in (prop, *prop.items)}
    assert names | {name for name in fields if f"`{name}`" not in DECLARING} == set()


def test_the_shown_export_of_events_is_valid() -> None:
    """The export of events in docs/declaring.md is valid with the ready-made types that it names."""
    (shown,) = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "export_events" in part]
    goals = [EventExportGoal.model_validate(declared) for declared in shown["export_events"]]
    types = [name for goal in goals for name in goal.events]
    profiles = Profiles.model_validate({"properties": [{"name": "email", "type": "email"}], "event_types": types})
    assert [problem for goal in goals for problem in goal.problems(profiles)] == []


def test_shown_group_goals_are_valid() -> None:
    """Goals that import groups in docs/declaring.md fit the types of groups there."""
    parts = list(map(yaml.safe_load, blocks(DECLARING, "yaml")))
    (declared,) = [Profiles.model_validate(part) for part in parts if "group_types" in part]
    goals = [FileGroupGoal.model_validate(goal) for part in parts for goal in part.get("import_groups", ())]
    assert goals
    assert [problem for goal in goals for problem in goal.problems(declared)] == []


def test_shown_formats_are_valid() -> None:
    """Formats of import goals in docs/declaring.md are valid."""
    shown = [part["format"] for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "format" in part]
    assert shown
    for declared in shown:
        Format.model_validate(declared)


def test_every_link_has_a_target() -> None:
    """The pages that the README links to exist."""
    pages = [page for page in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in page]
    assert [page for page in pages if not (ROOT / page).exists()] == []

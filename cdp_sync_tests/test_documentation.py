"""What the documentation promises is there, and what is there is documented."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from cdp_sync.cli import main
from cdp_sync.connectors.iterable.goals import (
    FromLists,
    IterableConnection,
    IterableProject,
    UserFormat,
    UserImportGoal,
)
from cdp_sync.connectors.sailthru.account import SailthruAccount
from cdp_sync.connectors.sailthru.goals import ListFormat, ListGoal, SailthruConnection, UserExportGoal, UserLink
from cdp_sync.model import (
    COUNTERS,
    EXPORT_COUNTERS,
    ExportFile,
    ExportFormat,
    FileExportGoal,
    FileGoal,
    Format,
    Maintenance,
    Notifications,
    Objective,
    Profiles,
    Property,
    Schedule,
    Segment,
    SftpConnection,
    SftpServer,
    WeekdayOfMonth,
)
from cdp_sync.model.consistency import find_problems
from cdp_sync.model.declared import PropertyType
from cdp_sync.model.goal import SetMode
from cdp_sync.model.operators import NAMES
from cdp_sync.model.segment_problems import find_profile_problems

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DECLARING = (ROOT / "docs" / "declaring.md").read_text(encoding="utf-8")
ITERABLE = (ROOT / "docs" / "iterable.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
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
        Format,
        Profiles,
        Objective,
        Segment,
        FileExportGoal,
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
    """Every field that can be declared stands in docs/declaring.md."""
    missing = [name for name in declared.model_fields if f"`{name}`" not in DECLARING]
    assert missing == []


@pytest.mark.parametrize("declared", [IterableConnection, IterableProject, UserImportGoal, UserFormat, FromLists])
def test_every_field_of_iterable_is_documented(declared: type[BaseModel]) -> None:
    """Every field that can be declared stands in docs/iterable.md."""
    names = [field.alias or name for name, field in declared.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in ITERABLE] == []


def test_the_connections_to_iterable_that_are_shown_are_in_order() -> None:
    """They fit a profile with the properties that they name, and show every field of an import goal in use."""
    shown = [IterableConnection(**yaml.safe_load(block)["attributes"]) for block in blocks(ITERABLE, "yaml")]
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "customer_id", "identifier": True},
        {"name": "order_total", "type": "decimal"},
        *({"name": name} for name in ("first_name", "city")),
        *({"name": name, "multiple": True} for name in ("interests", "mailing_lists")),
    ]
    profiles = Profiles.model_validate({"properties": properties})
    assert [problem for connection in shown for problem in find_problems(connection, profiles)] == []
    used = {name for connection in shown for goal in connection.import_profiles for name in goal.model_fields_set}
    assert set(UserImportGoal.model_fields) - used == {"title", "enabled", "was"}


def test_every_operator_is_documented() -> None:
    """Every operator stands in the table with the types that it applies to, and nothing else does."""
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
    """Every set mode has its rule."""
    assert [mode for mode in get_args(SetMode) if f"| `{mode}` |" not in DECLARING] == []


def test_every_row_counter_is_documented() -> None:
    """Every counter of rows is explained."""
    rows = [name for name in COUNTERS if name.startswith("rows_")]
    assert [name for name in (*rows, *EXPORT_COUNTERS) if f"`{name}`" not in OPERATING] == []


def test_what_scan_and_exports_say_is_documented() -> None:
    """The states of files before a run, and the number of profiles that could be exported."""
    words = ("new", "changed", "stale", "unchanged", "not whole", "eligible")
    assert [word for word in words if f"`{word}`" not in OPERATING] == []


def test_every_command_is_documented() -> None:
    """Every command of cdp-sync is shown or named."""
    texts = README + OPERATING + PROJECTS + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"cdp-sync {name}" not in texts and f"`{name}`" not in texts] == []


def test_the_commands_that_are_shown_exist() -> None:
    """Every command and make target in a console block exists, and what makes commands known to the shell."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sourced = (".venv/bin/activate", "data/sandbox/sailthru.env")
    names = {"make": targets, "cdp-sync": main.commands, "source": sourced}
    for line in filter(None, "\n".join(blocks(README + OPERATING + PROJECTS + ITERABLE, "console")).splitlines()):
        program, name = line.removeprefix("$ ").split()[:2]
        assert name in names[program], line


def test_every_program_that_is_shown_is_installed_for_the_demonstration() -> None:
    """`make demo` installs the product with the extra `sandbox`, which brings `dg` as well."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert '".[sandbox]"' in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "cdp-sync" in declared["scripts"]
    assert any(each.startswith("dagster-dg-cli>") for each in declared["optional-dependencies"]["sandbox"])
    assert "`dg scaffold defs" in README


def test_the_declarations_that_are_shown_are_in_order() -> None:
    """The profile and the connections of the README fit each other."""
    declared = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    attributes = {each["type"].rpartition(".")[2]: each["attributes"] for each in declared}
    connections = SftpConnection(**attributes["SftpConnection"]), SailthruConnection(**attributes["SailthruConnection"])
    profiles = Profiles(**attributes["ProfileModel"])
    problems = [problem for connection in connections for problem in find_problems(connection, profiles)]
    assert [*find_profile_problems(profiles), *problems] == []


def test_the_connection_that_is_shown_in_full_is_in_order() -> None:
    """The Sailthru connection in docs/declaring.md is what the model accepts."""
    (shown,) = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "type" in part]
    assert SailthruConnection(**shown["attributes"]).name == "crm"


OF_OTHERS = {"type", "format", "import_profiles"}
"""Keys of examples that show no part of a profile model."""


def test_the_parts_of_a_profile_model_that_are_shown_are_in_order() -> None:
    """Segments, zones and objectives in docs/declaring.md are what the model accepts."""
    shown = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if not part.keys() & OF_OTHERS]
    names = {key for part in shown for key in part}
    assert names == {"segments", "zones", "objectives"}
    for part in shown:
        Profiles.model_validate({"properties": [{"name": "email", "type": "email"}], **part})


def test_the_import_goals_that_are_shown_are_in_order() -> None:
    """Import goals in docs/declaring.md are what the model accepts."""
    shown = [part for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "import_profiles" in part]
    goals = [FileGoal.model_validate(goal) for part in shown if "type" not in part for goal in part["import_profiles"]]
    assert {goal.name for goal in goals} >= {"orders", "balances", "invoices"}


def test_the_formats_that_are_shown_are_in_order() -> None:
    """Formats of import goals in docs/declaring.md are what the model accepts."""
    shown = [part["format"] for part in map(yaml.safe_load, blocks(DECLARING, "yaml")) if "format" in part]
    assert shown
    for declared in shown:
        Format.model_validate(declared)


def test_every_link_leads_somewhere() -> None:
    """The pages that the README links to are there."""
    pages = [page for page in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in page]
    assert [page for page in pages if not (ROOT / page).exists()] == []

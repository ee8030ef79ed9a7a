"""What the documentation promises is there, and what is there is documented."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from cdp_sync.cli import main
from cdp_sync.model import COUNTERS, Connection, Format, ImportGoal, Profiles, Property, SftpServer
from cdp_sync.model.consistency import find_slips
from cdp_sync.model.goal import SetMode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DECLARING = (ROOT / "docs" / "declaring.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("declared", [Property, SftpServer, Connection, ImportGoal, Format])
def test_every_field_is_documented(declared: type[BaseModel]) -> None:
    """Every field that can be declared stands in docs/declaring.md."""
    missing = [name for name in declared.model_fields if f"`{name}`" not in DECLARING]
    assert missing == []


def test_every_set_mode_is_documented() -> None:
    """Every set mode has its rule."""
    assert [mode for mode in get_args(SetMode) if f"| `{mode}` |" not in DECLARING] == []


def test_every_row_counter_is_documented() -> None:
    """Every counter of rows is explained."""
    assert [name for name in COUNTERS if name.startswith("rows_") and f"`{name}`" not in OPERATING] == []


def test_every_command_is_documented() -> None:
    """Every command of cdp-sync is shown or named."""
    texts = README + OPERATING + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"cdp-sync {name}" not in texts and f"`{name}`" not in texts] == []


def test_the_commands_that_are_shown_exist() -> None:
    """Every command and make target in a console block exists."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for line in filter(None, "\n".join(blocks(README + OPERATING, "console")).splitlines()):
        program, name = line.removeprefix("$ ").split()[:2]
        assert name in (targets if program == "make" else main.commands), line


def test_the_declarations_that_are_shown_are_in_order() -> None:
    """The profile and the connection of the README fit each other."""
    declared = [yaml.safe_load(block) for block in blocks(README, "yaml")]
    attributes = {each["type"].rpartition(".")[2]: each["attributes"] for each in declared}
    connection = Connection(**attributes["SftpConnection"])
    assert find_slips(connection, Profiles(**attributes["ProfileModel"])) == []


def test_every_link_leads_somewhere() -> None:
    """The pages that the README links to are there."""
    pages = [page for page in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in page]
    assert [page for page in pages if not (ROOT / page).exists()] == []

"""A team's own project: the files that `init` writes, how commands find it, and the editor's schema."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import pytest
import yaml

from cdp_sync.orchestration import project_folder
from cdp_sync.sandbox.demo import demo_script
from cdp_sync.sandbox.servers import SandboxServers
from cdp_sync.scaffold.project import declaration_schema
from cdp_sync_tests.test_cli import answer, cdp_sync, output_of
from cdp_sync_tests.test_documentation import DECLARING, README, ROOT, blocks

OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith(("CDP_SYNC", "PYTHONPATH"))}
"""An environment without variables of cdp_sync."""


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with an installed package that has no declarations."""
    monkeypatch.chdir(tmp_path)
    for name in ("CDP_SYNC_DEFS", "CDP_SYNC_DATA", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(project_folder, "_OF_CLONE", tmp_path / "site-packages" / "cdp_sync" / "defs")
    return tmp_path


@pytest.fixture
def own(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project as the working directory."""
    output_of(cdp_sync("init", "Our Shop"))
    monkeypatch.chdir(nowhere / "Our Shop")
    return nowhere / "Our Shop"


def test_a_new_project_is_valid(own: Path) -> None:
    """A new project is valid: one profile model, and one connection that is off."""
    assert "1 connection, 7 properties, 1 segment: all in order." in output_of(cdp_sync("check"))
    (connection,) = answer("list", "--json")["connections"]
    assert (connection["connection"], connection["enabled"]) == ("shop", False)
    assert {path.name for path in own.iterdir()} == {
        "pyproject.toml", "dagster.yaml", "workspace.yaml", "defs", "defs.schema.json", "README.md", "Containerfile",
        "deploy", ".gitignore", ".vscode",
    }  # fmt: skip


def test_a_new_project_has_no_placeholder(own: Path) -> None:
    """A new project's files hold no placeholder; the service unit names the project's folder."""
    texts = {path: path.read_text(encoding="utf-8") for path in own.rglob("*") if path.is_file()}
    assert [str(path) for path, text in texts.items() if re.search("@(name|folder|version|next)@", text)] == []
    assert 'name = "our-shop"' in texts[own / "pyproject.toml"]
    assert f"WorkingDirectory={own}\n" in texts[own / "deploy" / "cdp-sync.service"]
    assert texts[own / "dagster.yaml"] == (ROOT / "dagster.yaml").read_text(encoding="utf-8")


def test_init_overwrites_nothing(own: Path) -> None:
    """`init` names an existing file and then writes nothing."""
    (own / "README.md").unlink()
    (own / "defs" / "shop" / "defs.yaml").write_text("ours", encoding="utf-8")
    printed = output_of(cdp_sync("init", str(own)), 1)
    assert "defs/shop/defs.yaml" in printed
    assert "README.md" not in printed
    assert not (own / "README.md").exists()
    assert (own / "defs" / "shop" / "defs.yaml").read_text(encoding="utf-8") == "ours"


def test_a_project_is_found_from_a_subfolder(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in a subfolder works as in the project's folder."""
    monkeypatch.chdir(own / "defs" / "shop")
    assert "all in order" in output_of(cdp_sync("check"))
    assert Path.cwd() == own


def test_without_a_project_the_message_says_how_to_begin(nowhere: Path) -> None:
    """Without a project, every command that reads declarations prints how to begin."""
    for arguments in (("check",), ("list",), ("scan", "shop"), ("runs", "--upcoming")):
        printed = output_of(cdp_sync(*arguments), 1)
        assert f"There is no project in {nowhere}." in printed, arguments
        assert "init FOLDER" in printed, arguments


def test_a_wrong_declarations_folder_is_reported(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong `CDP_SYNC_DEFS` is reported and not treated as a project without a profile model."""
    monkeypatch.setenv("CDP_SYNC_DEFS", "/nowhere/defs")
    printed = output_of(cdp_sync("check"), 1)
    assert "CDP_SYNC_DEFS is '/nowhere/defs', which is not a folder." in printed
    assert "profile" not in printed


def test_a_data_folder_without_a_warehouse_is_reported(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong `CDP_SYNC_DATA` is reported and not shown as an empty quarantine."""
    monkeypatch.setenv("CDP_SYNC_DATA", str(own / "dta"))
    assert f"There is no warehouse yet: {own / 'dta' / 'warehouse.duckdb'} is not there." in output_of(
        cdp_sync("quarantine")
    )


def test_the_demonstration_writes_its_project(nowhere: Path) -> None:
    """The demonstration writes its project into an empty folder, where commands find it afterwards."""
    demo_script._prepare_folder()
    assert {path.name for path in nowhere.iterdir()} == {"defs", "dagster.yaml", "workspace.yaml"}
    declared = set(demo_script.DECLARED)
    assert {each["connection"] for each in answer("list", "--json")["connections"]} == declared
    demo_script._prepare_folder()


def test_the_demonstration_refuses_an_existing_project(own: Path) -> None:
    """The demonstration refuses an existing project, so that no sample profiles land in its warehouse."""
    printed = output_of(cdp_sync("demo"), 1)
    assert "declares other connections than the demonstration's" in printed
    assert not (own / "data").exists()


def test_the_demonstration_needs_an_empty_folder(nowhere: Path) -> None:
    """The demonstration refuses a folder that holds files."""
    (nowhere / "notes.txt").touch()
    assert "The demonstration needs an empty folder." in output_of(cdp_sync("demo"), 1)


def judge(declared: object) -> list[str]:
    """Return the problems that the editor's schema finds in a declaration."""
    return [error.message for error in jsonschema.Draft7Validator(_schema()).iter_errors(declared)]


_schema = cache(declaration_schema)


def as_editors_read(text: str) -> Any:
    """Return a document parsed as YAML 1.2, where `on` is text."""
    return yaml.safe_load(re.sub(r"\bon:", "'on':", text))


@pytest.mark.parametrize(
    "text",
    [file.read_text(encoding="utf-8") for file in (ROOT / "cdp_sync").glob("**/defs.yaml")]
    + [block for block in blocks(README + DECLARING, "yaml") if block.startswith("type:")],
    ids=lambda text: text.split("\n", 1)[0][-40:],
)
def test_the_schema_accepts_valid_declarations(text: str) -> None:
    """The schema accepts the declarations of the demonstration, a new project and the documentation."""
    assert judge(as_editors_read(text)) == []


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("titel", "Shop", "'titel' was unexpected"),
        ("enabled", "maybe", "'maybe' is not of type 'boolean'"),
        ("schedule", {"days_of_week": ["monday"], "at": "1:30"}, "not valid under any of the given schemas"),
    ],
)
def test_the_schema_rejects_mistakes(key: str, value: object, found: str, own: Path) -> None:
    """The schema rejects an unknown key, a wrong type, and a time that is not HH:MM."""
    declared = yaml.safe_load((own / "defs" / "shop" / "defs.yaml").read_text(encoding="utf-8"))
    declared["attributes"][key] = value
    assert [each for each in judge(declared) if found in each]


def test_the_schema_accepts_other_components() -> None:
    """The schema accepts components of other packages."""
    assert judge({"type": "dagster_sling.SlingReplicationCollectionComponent", "attributes": {"any": 1}}) == []


def test_every_declaration_of_a_new_project_names_the_schema(own: Path) -> None:
    """Every declaration of a new project names its schema in a comment line, and so does VS Code's setting."""
    for file in (own / "defs").rglob("defs.yaml"):
        (named,) = re.findall(r"\$schema=(\S+)", file.read_text(encoding="utf-8"))
        assert (file.parent / named).resolve() == own / "defs.schema.json"
    (named,) = json.loads((own / ".vscode" / "settings.json").read_text(encoding="utf-8"))["yaml.schemas"]
    assert json.loads((own / named).read_text(encoding="utf-8")) == answer("schema")


def completed(words: str, folder: Path, **environment: str) -> list[str]:
    """Return bash's completions for these words; the last word is incomplete."""
    asked = {"_CDP_SYNC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", _COMPLETING], cwd=folder, env={**os.environ, **asked, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "[]\n"
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


_COMPLETING = """
import sys
from cdp_sync.cli import main
try:
    main(prog_name="cdp-sync")
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(sorted(loaded & {"dagster", "pydantic", "rich", "duckdb"}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("cdp-sync sc", ["scan", "schema", "scores"]),
        ("cdp-sync run w", ["webshop"]),
        ("cdp-sync run webshop --goal o", ["order_lines", "orders"]),
        ("cdp-sync export mailing --goal ", ["audience", "greeting", "order_lines"]),
        ("cdp-sync segment re", ["reachable_regulars", "regulars"]),
    ],
)
def test_the_shell_completes_names(words: str, offered: list[str]) -> None:
    """The shell completes commands, connections, goals and segments, without importing Dagster or models."""
    assert completed(words, ROOT, CDP_SYNC_DEFS=str(demo_script._DECLARED)) == offered


def test_the_shell_completes_nothing_without_a_project(nowhere: Path) -> None:
    """Outside of a project or with invalid YAML, completion offers nothing and prints no error."""
    (nowhere / "defs" / "shop").mkdir(parents=True)
    (nowhere / "defs" / "shop" / "defs.yaml").write_bytes(b"type: [\xff")
    assert completed("cdp-sync run ", nowhere, CDP_SYNC_DEFS=str(nowhere / "defs")) == []
    assert completed("cdp-sync run ", nowhere, CDP_SYNC_DEFS="/nowhere") == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The commands of an environment that has the built wheel; it shares this environment's libraries."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, env=OUTSIDE, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], env=OUTSIDE, check=True)
    (site,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (site / "libraries.pth").write_text(f"{Path(yaml.__file__).parents[1]}\n", encoding="utf-8")
    yield folder / "venv" / "bin"
    shutil.rmtree(folder)


def test_the_wheel_declares_no_connection(tmp_path: Path) -> None:
    """The wheel holds declarations only in the demonstration's folder."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, env=OUTSIDE, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        declared = {str(Path(name).parents[1]) for name in opened.namelist() if name.endswith("/defs.yaml")}
        names = opened.namelist()
    assert declared == {"cdp_sync/sandbox/demo/defs", "cdp_sync/scaffold/files/defs"}
    assert {"cdp_sync/scaffold/files/dagster.yaml", "cdp_sync/scaffold/files/dot_gitignore"} <= set(names)


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command in a folder, check that it succeeds, and return its output."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_own_project_works_with_the_built_wheel(installed: Path, tmp_path: Path) -> None:
    """With the built wheel, `init`, `check`, a sandbox run, `list` and Dagster's loading work from an empty folder."""
    command = str(installed / "cdp-sync")
    run([command, "init", "own"], tmp_path, OUTSIDE)
    own = tmp_path / "own"
    assert "all in order" in run([command, "check"], own, OUTSIDE)
    with patch.dict(os.environ), SandboxServers(folder=own / "data" / "sandbox") as servers:
        environment = {**OUTSIDE, "CDP_SYNC_SANDBOX_PORT": str(servers.port)}
        ran = json.loads(run([command, "run", "shop", "--json"], own / "defs", environment))
        assert ran["state"] == "success"
        assert ran["goals"][0]["profiles_created"] > 20
    (shop,) = json.loads(run([command, "list", "--json"], own, OUTSIDE))["connections"]
    assert shop["goals"][0]["last_run"]["run_id"] == ran["run_id"]
    validate = [str(installed / "python"), "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    run(validate, own, OUTSIDE)

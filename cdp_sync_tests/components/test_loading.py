"""A defs.yaml yields values, or problems with file, position, found value and allowed values."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.components import (
    BluecoreExports,
    IterableConnection,
    Lifecycle,
    Maintenance,
    ProfileModel,
    SailthruConnection,
    SftpConnection,
    SpotlerExchange,
)
from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import SftpConnection as Declared
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.orchestration.project import component_tree
from cdp_sync_tests.projects import Project, goal


def connection(name: str = "shop") -> Declared:
    """Return a declared connection as Dagster's component tree loads it."""
    return component_tree().load_component(Path(name), expected_type=SftpConnection).connection


def refusal() -> str:
    """Return the output of `cdp-sync check` about the project."""
    with pytest.raises(DeclarationError) as refused:
        load_declarations()
    return str(refused.value)


def test_a_profile_model_becomes_properties(project: Project) -> None:
    """The declared properties are loaded in order, with their types."""
    loaded = component_tree().load_component(Path("profiles"), expected_type=ProfileModel).declared
    assert [(prop.name, prop.type, prop.identifier) for prop in loaded.properties] == [
        ("email", "email", True),
        ("number", "text", True),
        ("first_name", "text", False),
        ("total", "decimal", False),
    ]


def test_a_connection_becomes_its_declared_value(project: Project) -> None:
    """The value has everything that the YAML declares, and defaults for the rest."""
    project.declare(
        "shop",
        {
            "name": "shop",
            "title": "The shop",
            "enabled": False,
            "owners": ["team:marketing", "ada@example.com"],
            "server": project.server(read_timeout=5),
            "import_profiles": [goal(complete={"marker": "{name}.done"}, format={"separator": ";"}), goal("orders")],
        },
    )
    found = connection()
    assert (found.name, found.title, found.enabled) == ("shop", "The shop", False)
    assert found.owners == ("team:marketing", "ada@example.com")
    assert (found.server.port, found.server.read_timeout) == (project.sandbox.port, 5)
    customers, orders = found.import_profiles
    assert (customers.complete.marker, customers.format.separator) == ("{name}.done", ";")
    assert (orders.name, orders.format.separator, orders.files) == ("orders", ",", "orders_*.csv")


@pytest.mark.parametrize("written", ["1", "None", "'x'", "1,2", "[1]", "true", "{a}", " x ", "007", "{{ name }}"])
def test_text_is_unchanged(written: str, project: Project) -> None:
    """Column names and titles are text, never numbers, lists, null or templates."""
    declared = goal(title=written, link=[{"field": written, "property": "email"}], map=[], format={"nulls": [written]})
    project.declare(
        "shop", {"name": "shop", "title": written, "server": project.server(), "import_profiles": [declared]}
    )
    found = connection()
    (imported,) = found.import_profiles
    assert (found.title, imported.title, imported.link[0].field, imported.format.nulls) == (*[written] * 3, (written,))


def test_boolean_words_are_text(project: Project) -> None:
    """The keys `true` and `false`, which YAML reads as booleans, are text; `dump` writes them so."""
    words = {True: ["J", "1"], False: ["N", "0"]}
    project.declare(
        "shop",
        {"name": "shop", "server": project.server(), "import_profiles": [goal(format={"booleans": words})]},
    )
    (imported,) = connection().import_profiles
    assert imported.format.booleans is not None
    assert (imported.format.booleans.true, imported.format.booleans.false) == (("J", "1"), ("N", "0"))


@pytest.mark.parametrize(
    ("written", "port"), [(2022, 2022), ("{{ env('SHOP_PORT', '2022') }}", 2022), ("{{ env.SHOP_TEST_PORT }}", 2023)]
)
def test_a_port_may_be_a_template(
    written: object, port: int, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port may be a template of an environment variable, with or without a default."""
    monkeypatch.setenv("SHOP_TEST_PORT", "2023")
    project.connect("shop", goal(), server={"port": written})
    assert connection().server.port == port


def test_other_fields_of_a_server_may_be_templates(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host, account and files may be templates; the rest of the text is unchanged."""
    monkeypatch.setenv("SHOP_TEST_HOST", "sftp.example.com")
    project.connect("shop", goal(), server={"host": "{{ env.SHOP_TEST_HOST }}", "username": "1"})
    assert (connection().server.host, connection().server.username) == ("sftp.example.com", "1")


def nested(problem: str, change: dict[str, Any], *places: str) -> Any:
    """Return a problem within a server or a goal: its position, without unions."""
    return pytest.param(problem, change, [f"attributes.{place}" for place in places], [])


@pytest.mark.parametrize(
    ("problem", "change", "places", "needles"),
    [
        ("titel", {"titel": "x"}, ["attributes.titel"], []),
        ("name", {"name": "My Shop"}, ["attributes.name"], ["'My Shop'", "[a-z][a-z0-9_]*"]),
        pytest.param(
            "twice", {"import_profiles": [goal(), goal()]}, ["attributes.import_profiles"], ["called customers"]
        ),
        (
            "unknown",
            {"import_profiles": [goal(map=[{"field": "A", "property": "firstname"}])]},
            ["attributes.import_profiles[0].map[0].property"],
            ["'firstname' is unknown", "did you mean 'first_name'", "email, number, first_name, total"],
        ),
        (
            "identifier",
            {"import_profiles": [goal(link=[{"field": "A", "property": "total"}])]},
            ["attributes.import_profiles[0].link[0].property"],
            ["'total' is not an identifier", "allowed: email, number"],
        ),
        (
            "mode",
            {"import_profiles": [goal(map=[{"field": "A", "property": "first_name", "mode": "sum"}])]},
            ["attributes.import_profiles[0].map[0].mode"],
            ["single number or decimal"],
        ),
        nested("host", {"server": {"hots": "h", "username": "u", "password_env": "P"}}, "server.hots", "server.host"),
        nested("login", {"server": {"host": "h", "username": "u"}}, "server: no way to log in"),
        nested("no link", {"import_profiles": [{"name": "a"}]}, "import_profiles[0].link"),
        nested("empty link", {"import_profiles": [goal(link=[])]}, "import_profiles[0].link"),
        nested("key", {"import_profiles": [goal(fils="x")]}, "import_profiles[0].fils"),
        nested("value", {"import_profiles": [goal(format={"decimal": "x"})]}, "import_profiles[0].format.decimal"),
        nested("date", {"import_profiles": [goal(format={"dates": ["d"]})]}, "import_profiles[0].format.dates"),
    ],
)
def test_a_problem_is_reported_with_file_and_position(
    problem: str, change: dict[str, Any], places: list[str], needles: list[str], project: Project
) -> None:
    """A problem is reported with file, path, found value and allowed values."""
    project.declare("shop", {"name": "shop", "server": project.server(), "import_profiles": [goal()]} | change)
    message = refusal()
    assert "shop/defs.yaml" in message
    for needle in (*places, *needles):
        assert needle in message
    assert "valid string" not in message, problem


def test_an_invalid_mode_is_refused_with_all_modes(project: Project) -> None:
    """An invalid value of an enumeration is refused with all allowed values."""
    project.connect("shop", goal(map=[{"field": "A", "property": "total", "mode": "append"}]))
    message = refusal()
    assert "import_profiles[0].map[0].mode" in message
    assert all(mode in message for mode in ("set_if_empty", "set_or_clear", "add", "sum"))


def test_all_problems_of_a_file_are_reported_at_once(project: Project) -> None:
    """All problems of a file are reported in one message."""
    project.connect("shop", goal(fils="x", directory=""), goal("orders", format={"encoding": "utf-88"}, link="Email"))
    message = refusal()
    for place in ("[0].fils", "[0].directory", "[1].format.encoding", "[1].link"):
        assert f"import_profiles{place}" in message


def test_all_files_with_problems_are_reported_at_once(project: Project) -> None:
    """Every invalid file is named, and no valid one."""
    project.connect("first", goal(map=[{"field": "A", "property": "x"}]))
    project.connect("good", goal())
    project.connect("second", goal(link=[]))
    message = refusal()
    assert "first/defs.yaml" in message
    assert "second/defs.yaml" in message
    assert "good/defs.yaml" not in message


def test_an_invalid_profile_model_is_reported_with_its_file(project: Project) -> None:
    """A problem in the profile model is reported with file and property."""
    project.declare("profiles", {"properties": [{"name": "email", "typ": "email"}]}, kind="ProfileModel")
    message = refusal()
    assert "profiles/defs.yaml" in message
    assert "properties[0].typ" in message


def test_a_missing_profile_model_is_reported_with_an_example(project: Project) -> None:
    """Without a profile model the message names its type and an example."""
    (project.defs / "profiles" / "defs.yaml").unlink()
    project.connect("shop", goal())
    message = refusal()
    assert "No defs.yaml declares the profile" in message
    assert "dg scaffold defs cdp_sync.components.ProfileModel profiles" in message


def test_the_profile_model_may_be_in_any_folder(project: Project) -> None:
    """The profile model may be in any folder."""
    (project.defs / "profiles").rename(project.defs / "zz_people")
    project.connect("shop", goal())
    assert len(load_declarations().profiles.properties) == 4


def test_declarations_are_found_by_name(project: Project) -> None:
    """A connection and its goals are found by name; without a goal's name its enabled ones."""
    project.connect("shop", goal(), goal("orders", enabled=False))
    found = load_declarations()
    assert [each.name for each in found.goals("shop", None)] == ["customers"]
    assert [each.name for each in found.goals("shop", "orders")] == ["orders"]
    with pytest.raises(UnknownName, match=r"no connection 'shopp'.*One of these is needed: shop\."):
        found.connection("shopp")
    with pytest.raises(UnknownName, match=r"no import goal 'order'.*One of these is needed: customers, orders\."):
        found.goals("shop", "order")


def test_another_folder_is_loaded_when_the_variable_changes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CDP_SYNC_DEFS` is read at every load."""
    project.connect("shop", goal())
    assert [each.name for each in load_declarations().connections] == ["shop"]
    other = tmp_path / "other"
    (project.defs / "profiles").rename(project.defs / "moved")
    other.mkdir()
    (project.defs / "moved").rename(other / "profiles")
    monkeypatch.setenv("CDP_SYNC_DEFS", str(other))
    assert load_declarations().connections == ()


def test_the_repositorys_own_declarations_load() -> None:
    """The repository's own declarations are valid."""
    found = load_declarations()
    names = {"bluecore", "filiale", "iterable", "mailing", "sailthru", "spotler", "webshop"}
    assert {each.name for each in found.connections} == names
    assert found.profiles.identifiers


@pytest.mark.parametrize(
    "component",
    [
        BluecoreExports,
        IterableConnection,
        Lifecycle,
        Maintenance,
        SailthruConnection,
        SftpConnection,
        SpotlerExchange,
        ProfileModel,
    ],
)
def test_every_attribute_is_described_in_the_schema(component: type[dg.Component]) -> None:
    """Every attribute of a defs.yaml has a description in the schema, including nested ones."""
    from cdp_sync_tests.model.test_declarations import undescribed

    schema = component.get_model_cls().model_json_schema()
    assert schema["properties"]
    assert undescribed(schema) == []

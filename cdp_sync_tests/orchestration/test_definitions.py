"""The Dagster definitions of declared connections: names of the contract, settings of the steps."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cdp_sync.connectors.sftp.kind import KIND
from cdp_sync.definitions import defs as load_code_location
from cdp_sync.model import fingerprint
from cdp_sync.orchestration import project
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.orchestration.goals.files import files_key
from cdp_sync_tests.orchestration.daemon import REPOSITORY
from cdp_sync_tests.projects import PASSWORD, Project, goal, open_project

OPS = ("scan_directory", "parse_files", "link_identifiers", "upsert_profiles")
ZEBRA, APPLE, OFF = (dg.AssetKey(["shop", name]) for name in ("zebra", "apple", "off"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two goals in non-alphabetical order, and one that is off."""
    with open_project(tmp_path_factory.mktemp("definitions") / "project") as project:
        project.connect("shop", goal("zebra", title="Stripes"), goal("apple"), goal("off", enabled=False))
        yield project


@pytest.fixture(scope="module")
def definitions(opened: Project) -> dg.Definitions:
    """The loaded project."""
    return opened.load()


def test_the_project_loads(definitions: dg.Definitions) -> None:
    """The project loads as in `dg check defs`."""
    dg.Definitions.validate_loadable(definitions)


def test_every_goal_is_an_asset_of_its_connections_group(definitions: dg.Definitions) -> None:
    """A goal's asset key is [connection, goal], in the connection's group; a goal that is off has an asset, too."""
    graph = definitions.resolve_asset_graph()
    every = {ZEBRA, APPLE, OFF}
    assert set(graph.get_all_asset_keys()) == every | {files_key(*key.path) for key in every}
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == {"shop"}


def test_the_job_runs_the_enabled_goals(definitions: dg.Definitions) -> None:
    """`<connection>_sync` selects every enabled goal and is tagged with the connection."""
    job = definitions.resolve_job_def("shop_sync")
    assert set(job.asset_layer.selected_asset_keys) == {ZEBRA, APPLE}
    assert job.tags["connection"] == "shop"


def test_a_goal_is_four_ops_by_the_names_of_the_contract(definitions: dg.Definitions) -> None:
    """Each asset is a graph of the four steps, in sequence."""
    for key in (ZEBRA, APPLE):
        graph = definitions.resolve_assets_def(key).node_def
        assert isinstance(graph, dg.GraphDefinition)
        assert [node.name for node in graph.nodes_in_topological_order] == list(OPS)


def test_steps_that_open_the_warehouse_share_its_pool(definitions: dg.Definitions) -> None:
    """All steps are in pool `warehouse`, except for parsing, which holds no lock during network access."""
    graph = definitions.resolve_assets_def(ZEBRA).node_def
    assert isinstance(graph, dg.GraphDefinition)
    pools = {node.name: node.definition.pool for node in graph.nodes if isinstance(node.definition, dg.OpDefinition)}
    assert pools == {
        "scan_directory": "warehouse",
        "parse_files": None,
        "link_identifiers": "warehouse",
        "upsert_profiles": "warehouse",
    }


def test_runs_use_one_process(definitions: dg.Definitions) -> None:
    """Jobs and single materializations use the in-process executor."""
    assert definitions.resolve_job_def("shop_sync").executor_def.name == "in_process"
    assert definitions.resolve_implicit_global_asset_job_def().executor_def.name == "in_process"


def test_the_code_version_is_the_goals_fingerprint(definitions: dg.Definitions, opened: Project) -> None:
    """A changed declaration changes the code version, so that the UI marks the asset."""
    declared = load_declarations()
    for made in declared.connection("shop").import_profiles:
        spec = definitions.resolve_asset_graph().get(dg.AssetKey(["shop", made.name]))
        assert spec.code_version == fingerprint(made, declared.profiles)


def test_every_goal_has_its_checks(definitions: dg.Definitions) -> None:
    """Each goal has checks for rows and values that did not land, and for rows that matched several profiles."""
    keys = definitions.resolve_asset_graph().asset_check_keys
    names = {"rejected_rows", "rows_without_identifier", "unmatched_rows", "invalid_values", "ambiguous_links"}
    assert {(key.asset_key, key.name) for key in keys} == {(key, name) for key in (ZEBRA, APPLE, OFF) for name in names}


def test_the_server_is_a_resource_without_secrets(definitions: dg.Definitions) -> None:
    """`<connection>_server` shows the address and the name of the password's variable, not the password."""
    server = definitions.resources["shop_server"]
    declared = json.loads(server.settings)
    assert (server.kind, declared["host"], declared["username"]) == (KIND.type, "127.0.0.1", "shop")
    assert "SHOP_TEST_PASSWORD" in server.settings
    assert PASSWORD not in repr(server) + server.settings


def test_an_asset_describes_files_and_links(definitions: dg.Definitions) -> None:
    """The asset's description gives title, files and links."""
    spec = definitions.resolve_asset_graph().get(ZEBRA)
    assert spec.description is not None
    for needle in ("Stripes", "zebra_*.csv", "/inbox", "Email → email"):
        assert needle in spec.description
    assert spec.kinds == {"sftp", "duckdb"}


def test_a_connection_without_enabled_goals_has_no_job(project: Project) -> None:
    """A connection without enabled goals has no job, only the profile has two; its goals stay in the catalog."""
    project.connect("shop", goal("off", enabled=False))
    project.connect("empty")
    definitions = project.load()
    dg.Definitions.validate_loadable(definitions)
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert names == {"__ASSET_JOB", "merge_two_profiles", "unmerge_profile"}
    assert set(definitions.resolve_asset_graph().get_all_asset_keys()) == {OFF, files_key(*OFF.path)}


def test_a_run_has_the_definitions_of_the_ui(opened: Project) -> None:
    """The definitions of a run equal those of the UI, which Dagster's own component tree yields."""
    folders = sorted(opened.defs.iterdir())
    of_a_run = [project._build_for_a_run(folder) for folder in folders]
    of_the_ui = [project._build_for_the_ui(folder) for folder in folders]
    assert len(folders) > 1
    assert shown(of_a_run) == shown(of_the_ui)


def test_the_catalog_names_the_file_of_an_asset(definitions: dg.Definitions, opened: Project) -> None:
    """The catalog links an asset to the defs.yaml that declares it."""
    spec = definitions.resolve_assets_def(dg.AssetKey(["shop", "apple"])).get_asset_spec()
    references = spec.metadata["dagster/code_references"].code_references
    assert [Path(each.file_path) for each in references] == [opened.defs / "shop" / "defs.yaml"]


def shown(parts: list[dg.Definitions]) -> dict[str, list[str]]:
    """Return the metadata of assets, checks, jobs, schedules and sensors, without their declaring files."""
    repository = dg.Definitions.merge(*parts, project.shared()).get_repository_def()
    graph = repository.asset_graph
    specs = [graph.get(key).to_asset_spec().replace_attributes(metadata={}) for key in graph.get_all_asset_keys()]
    schedules, sensors = repository.schedule_defs, repository.sensor_defs
    return {
        "assets": sorted(map(repr, specs)),
        "checks": sorted(
            f"{key.to_user_string()} {graph.get_check_spec(key).description}" for key in graph.asset_check_keys
        ),
        "jobs": sorted(f"{job.name} {sorted(job.graph.node_names())} {job.tags}" for job in repository.get_all_jobs()),
        "schedules": sorted(f"{each.name} {each.cron_schedule} {each.description}" for each in schedules),
        "sensors": sorted(f"{each.name} {each.description}" for each in sensors),
    }


def test_a_hundred_connections_load(project: Project) -> None:
    """A project of 100 connections loads, with a job for each."""
    for number in range(100):
        project.connect(f"shop{number}", goal())
    definitions = project.load()
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert {f"shop{number}_sync" for number in range(100)} <= names
    assert len(list(definitions.resolve_asset_graph().get_all_asset_keys())) == 200


def test_the_repositorys_own_declarations_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository's own declarations load strictly, and loading writes nothing."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CDP_SYNC_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CDP_SYNC_DEFS", raising=False)
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    definitions = load_code_location()
    dg.Definitions.validate_loadable(definitions)
    assert {"webshop_sync", "filiale_sync"} <= {job.name for job in definitions.resolve_all_job_defs()}
    assert not (tmp_path / "data").exists()


def test_readers_of_a_lake_wait_for_nobody(opened: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the warehouse is a lake, only the steps that write are in the pool."""
    monkeypatch.setenv("CDP_SYNC_WAREHOUSE", "ducklake:postgres:dbname=cdp")
    graph = opened.load().resolve_assets_def(ZEBRA).node_def
    assert isinstance(graph, dg.GraphDefinition)
    pools = {node.name: node.definition.pool for node in graph.nodes if isinstance(node.definition, dg.OpDefinition)}
    assert [name for name, pool in pools.items() if pool] == ["upsert_profiles"]

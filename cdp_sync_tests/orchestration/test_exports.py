"""Segments and exports in Dagster: lineage, delivery, metadata."""

import threading
from typing import Any

import dagster as dg
import duckdb
import pytest

from cdp_sync import exporting
from cdp_sync.connectors.sftp import SftpClient
from cdp_sync.errors import DiskFull
from cdp_sync.exporting import FileRun, LocalFile
from cdp_sync.model import EXPORT_COUNTERS
from cdp_sync_tests.projects import SPENDERS, Project, export, goal, shown

OPS = ("select_segment", "write_file", "deliver_file", "record_delivery")
IMPORTED, EXPORTED = dg.AssetKey(["shop", "customers"]), dg.AssetKey(["shop", "spenders"])
SEGMENT, PROFILES = dg.AssetKey(["segments", "spenders"]), dg.AssetKey(["profiles"])

FIRST = "Email,FirstName,Total\nada@example.com,Ada,1.5\nbob@example.com,Bob,2\ncleo@example.com,Cleo,30\n"
PRIVACY = {
    "zones": {"GDPR": "opt_in"},
    "objectives": [{"name": "news", "zones": ["GDPR"]}],
}


@pytest.fixture(name="shop")
def shop(project: Project) -> Project:
    """A connection that imports customers and exports a segment, and a delivered file."""
    project.describe(segments=[SPENDERS])
    project.connect("shop", goal(), export_profiles=[export()])
    project.deliver("/inbox/customers_1.csv", FIRST)
    return project


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    """Return the metadata of an asset's run, as plain values."""
    return shown(result, *key.path)


def outbox(project: Project) -> dict[str, str]:
    """Return the names in the export directory, including hidden files."""
    return {file.name: file.read_text() for file in (project.root / "outbox").iterdir()}


def test_the_lineage_reads_import_profiles_segment_export(shop: Project) -> None:
    """Import goals write the profiles, segments select from them, export goals deliver segments."""
    graph = shop.load().resolve_asset_graph()
    assert graph.get(PROFILES).parent_keys == {IMPORTED}
    assert graph.get(SEGMENT).parent_keys == {PROFILES}
    assert graph.get(EXPORTED).parent_keys == {SEGMENT}
    assert not graph.get(PROFILES).is_materializable


def test_a_segment_depends_on_the_segments_in_its_condition(project: Project) -> None:
    """A condition on another segment is an edge of the lineage, and an export's run counts both."""
    asking = {"name": "asking", "when": {"not": {"segment": "spenders"}}}
    project.describe(segments=[SPENDERS, asking])
    project.connect("shop", export_profiles=[export(segment="asking")])
    definitions = project.load()
    asked = dg.AssetKey(["segments", "asking"])
    assert definitions.resolve_asset_graph().get(asked).parent_keys == {PROFILES, SEGMENT}
    selected = definitions.resolve_job_def("shop_sync").asset_layer.selected_asset_keys
    assert set(selected) == {asked, SEGMENT, EXPORTED}


def test_an_export_is_four_ops_by_the_names_of_the_contract(shop: Project) -> None:
    """The asset is a graph of the four steps; those that open the warehouse are in its pool."""
    graph = shop.load().resolve_assets_def(EXPORTED).node_def
    assert isinstance(graph, dg.GraphDefinition)
    assert [node.name for node in graph.nodes_in_topological_order] == list(OPS)
    pools = {node.name: node.definition.pool for node in graph.nodes if isinstance(node.definition, dg.OpDefinition)}
    assert pools == dict.fromkeys(OPS) | {"select_segment": "warehouse", "record_delivery": "warehouse"}


def test_the_job_runs_imports_then_segments_then_exports(shop: Project, instance: dg.DagsterInstance) -> None:
    """An export delivers profiles that the same run imported."""
    result = shop.run("shop_sync", instance)
    assert result.success
    started = [event.step_key or "" for event in result.all_events if event.event_type_value == "STEP_START"]
    steps = [key for key in started if "checks" not in key]
    assert steps[4:] == ["segments__spenders", *(f"shop__spenders.{op}" for op in OPS)]
    assert outbox(shop) == {"spenders.csv": "Email,Total\nbob@example.com,2.0000\ncleo@example.com,30.0000\n"}


def test_an_export_reports_its_counters(shop: Project, instance: dg.DagsterInstance) -> None:
    """The metadata has plotted counters that add up, the file, and the number of eligible profiles."""
    shown = metadata(shop.run("shop_sync", instance), EXPORTED)
    counted = {name: shown[name] for name in EXPORT_COUNTERS}
    assert counted == dict.fromkeys(EXPORT_COUNTERS, 0) | {"profiles_in_segment": 2, "profiles_written": 2}
    assert (shown["file"], shown["eligible"], shown["dagster/row_count"]) == ("/outbox/spenders.csv", 2, 2)
    assert shown["summary"] == "spenders.csv: 2 of 2 in spenders written."
    assert shown["profiles_ever_exported"] == 2


def test_a_segment_reports_size_and_condition(shop: Project, instance: dg.DagsterInstance) -> None:
    """The segment's size is plotted; its sample has profile ids, no values."""
    shown = metadata(shop.run("shop_sync", instance), SEGMENT)
    assert shown["dagster/row_count"] == 2
    assert "at least 2" in shown["condition"]
    assert "total" in shown["sql"]
    with shop.warehouse.open("read") as session:
        ids = session.rows("select profile_id from warehouse.profile where total >= 2")
    assert all(str(profile_id) in shown["sample"] for (profile_id,) in ids)
    assert "example.com" not in str(shown)


def test_a_second_run_delivers_only_what_changed(shop: Project, instance: dg.DagsterInstance) -> None:
    """A second run delivers nothing; after one row changes, it delivers that profile in a new file."""
    shop.run("shop_sync", instance)
    (shop.root / "outbox" / "spenders.csv").unlink()
    shown = metadata(shop.run("shop_sync", instance), EXPORTED)
    assert (outbox(shop), shown["profiles_same"], shown["profiles_written"]) == ({}, 2, 0)
    assert shown["summary"] == "Nothing to export: 2 in spenders (2 same)."
    shop.deliver("/inbox/customers_2.csv", "Email,FirstName,Total\nada@example.com,Ada,7\nbob@example.com,Bo,\n")
    shown = metadata(shop.run("shop_sync", instance), EXPORTED)
    assert outbox(shop) == {"spenders.csv": "Email,Total\nada@example.com,7.0000\n"}
    assert (shown["profiles_same"], shown["profiles_written"]) == (2, 1)


def test_a_run_connects_while_it_writes(
    shop: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run connects in advance only when there is something to write."""
    connecting, connect, write = threading.Event(), SftpClient.connect, exporting.write_file

    def noted(client: SftpClient) -> None:
        connecting.set()
        connect(client)

    def waiting(run: FileRun) -> LocalFile | None:
        assert connecting.wait(30)
        return write(run)

    monkeypatch.setattr(SftpClient, "connect", noted)
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "write_file", waiting)
        assert shop.run("shop_sync", instance).success
    connecting.clear()
    assert shop.run("shop_sync", instance).success
    assert not connecting.is_set()


def test_a_run_that_cannot_write_closes_its_connection(
    shop: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails to write its file closes the connection and leaves nothing; the error is DiskFull."""
    connect, close, lines = SftpClient.connect, SftpClient.close, list[str]()

    def connecting(client: SftpClient) -> None:
        connect(client)
        lines.append("connected")

    def closing(client: SftpClient) -> None:
        lines.extend(["hung up"] * (client._session is not None))
        close(client)

    def no_room(run: FileRun) -> LocalFile | None:
        raise DiskFull(f"There is no room for {run.file_name}.")

    monkeypatch.setattr(SftpClient, "connect", connecting)
    monkeypatch.setattr(SftpClient, "close", closing)
    monkeypatch.setattr(exporting, "write_file", no_room)
    result = shop.run("shop_sync", instance)
    data = result.failure_data_for_node("shop__spenders.write_file")
    assert data is not None
    assert data.user_failure_data is not None
    assert "There is no room for spenders.csv." in str(data.user_failure_data.description)
    assert lines[-2:] == ["connected", "hung up"]
    assert not [*(shop.data / "staging").glob("*__spenders*"), *(shop.data / "downloads").glob("*__spenders*")]


def test_a_failed_import_does_not_stop_the_export(shop: Project, instance: dg.DagsterInstance) -> None:
    """After a failed import the export is still delivered, and the run fails."""
    shop.run("shop_sync", instance)
    shop.connect("shop", goal(directory="/nowhere"), export_profiles=[export("again")])
    result = shop.run("shop_sync", instance)
    assert not result.success
    assert "again.csv" in outbox(shop)


def test_a_failed_export_keeps_its_rows(shop: Project, instance: dg.DagsterInstance) -> None:
    """A missing directory fails the step with its remedy, the history records it, and the rows are kept.

    A retry from the failed step needs the rows.
    """
    shop.connect("shop", goal(), export_profiles=[export(directory="/nowhere"), export("next")])
    result = shop.run("shop_sync", instance)
    assert not result.success
    assert "next.csv" in outbox(shop)
    data = result.failure_data_for_node("shop__spenders.deliver_file")
    assert data is not None
    assert data.user_failure_data is not None
    assert "/nowhere" in str(data.user_failure_data.description)
    with shop.warehouse.open("read") as session:
        states = dict(session.rows("select goal, state from warehouse.run where direction = 'export'"))
    assert states == {"spenders": "failed", "next": "success"}
    for folder in ("staging", "downloads"):
        assert [path.stem for path in (shop.data / folder).glob("*")] == [f"{result.run_id}__shop__spenders"]
    with duckdb.connect(shop.data / "staging" / f"{result.run_id}__shop__spenders.duckdb") as staging:
        assert staging.execute("select count(*) from selected").fetchone() == (2,)


def test_the_checks_warn_of_skipped_profiles(shop: Project, instance: dg.DagsterInstance) -> None:
    """A profile without consent is skipped, counted and warned of."""
    shop.describe(segments=[SPENDERS], **PRIVACY)
    shop.connect("shop", goal(map=[*goal()["map"], {"field": "Zone", "property": "privacy_legislation"}]))
    shop.connect("partner", export_profiles=[export()], objectives=["news"])
    shop.deliver(
        "/inbox/customers_1.csv", "Email,FirstName,Total,Zone\nada@example.com,A,9,GDPR\nbob@example.com,B,9,\n"
    )
    assert shop.run("shop_sync", instance).success
    result = shop.run("partner_sync", instance)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert {name: check.passed for name, check in checks.items()} == {"consent_skipped": False, "not_deliverable": True}
    assert checks["consent_skipped"].severity == dg.AssetCheckSeverity.WARN
    assert outbox(shop) == {"spenders.csv": "Email,Total\nbob@example.com,9.0000\n"}


def test_a_problem_in_a_segment_is_reported_with_its_place(project: Project) -> None:
    """An invalid segment is reported with file, position, the found value and the allowed ones."""
    from cdp_sync.errors import DeclarationError
    from cdp_sync.orchestration.declarations import load_declarations

    project.describe(segments=[SPENDERS | {"when": {"property": "total", "contains_any": ["2"]}}])
    project.connect("shop", export_profiles=[export(segment="spender")])
    with pytest.raises(DeclarationError) as refused:
        load_declarations()
    message = str(refused.value)
    assert "profiles/defs.yaml:\n  line 17: attributes.segments[0].when.contains_any: total is decimal" in message


def test_problems_in_exports_are_reported_with_their_places(project: Project) -> None:
    """An unknown segment, property and objective are all reported with their positions."""
    from cdp_sync.errors import DeclarationError
    from cdp_sync.orchestration.declarations import load_declarations

    project.describe(segments=[SPENDERS])
    columns = [{"field": "Email", "property": "mail"}]
    project.connect("shop", export_profiles=[export(segment="spender", map=columns)], objectives=["news"])
    with pytest.raises(DeclarationError) as refused:
        load_declarations()
    message = str(refused.value)
    assert "attributes.export_profiles[0].segment: 'spender' is unknown; did you mean 'spenders'?" in message
    assert "attributes.export_profiles[0].map[0].property: 'mail' is unknown" in message
    assert "attributes.objectives[0]: 'news' is unknown; allowed: none is declared" in message

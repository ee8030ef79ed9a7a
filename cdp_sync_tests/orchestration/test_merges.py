"""Merging in Dagster: the asset that applies rules to everybody, its check, and the jobs by which people decide."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.goals.merging import MERGE
from cdp_sync.orchestration.goals.metadata import values_in
from cdp_sync.orchestration.goals.segments import PROFILES
from cdp_sync_tests.projects import QUIET, SPENDERS, Project, goal, shown

RULE = {"merge_rules": [{"property": "number"}]}
MAP = [{"field": "Number", "property": "number"}, {"field": "Total", "property": "total"}]
PEOPLE = "Email,Number,Total\nada@example.com,N-1000,1\nada@old.example,N-1000,2\nbob@example.com,N-2000,4\n"
PERSONAL = ("ada@", "bob@", "N-1000", "N-2000")
JOBS = {"merge_two_profiles": "merge_two", "unmerge_profile": "unmerge"}


@pytest.fixture
def shop(project: Project, instance: dg.DagsterInstance) -> Project:
    """A project with three profiles, two of them of one person, and a merge rule that came after them."""
    project.connect("shop", goal(map=MAP))
    project.deliver("/inbox/customers_1.csv", PEOPLE)
    assert project.run("shop_sync", instance).success
    project.describe(**RULE)
    return project


def ids(project: Project) -> dict[str, str]:
    """Return the ids of profiles by themselves, by e-mail address."""
    with project.warehouse.open("read") as session:
        rows = session.rows("select value, profile_id::text from warehouse.linking_identifier where property = 'email'")
        return dict(rows)


def live(project: Project) -> list[str]:
    """Return the e-mail addresses of live profiles."""
    with project.warehouse.open("read") as session:
        return [email for (email,) in session.rows("select email from warehouse.live_profile order by email")]


def decide(project: Project, instance: dg.DagsterInstance, job: str, **config: Any) -> dg.ExecuteInProcessResult:
    """Run a job of decisions, as an operator launches it in the UI."""
    run_config = {**QUIET, "ops": {JOBS[job]: {"config": {"decided_by": "Eve", **config}}}}
    resolved = project.load().resolve_job_def(job)
    return resolved.execute_in_process(instance=instance, raise_on_error=False, run_config=run_config)


def merge_everybody(project: Project, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run the job `merge_profiles` and return what the asset shows."""
    result = project.run("merge_profiles", instance)
    assert result.success
    made = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    (materialization,) = [each for each in made if each.asset_key == MERGE]
    (count,) = [each for each in made if each.asset_key == PROFILES]
    assert values_in(count.metadata) == {"dagster/row_count": len(live(project))}
    return {**values_in(materialization.metadata), **tables(materialization.metadata)}


def tables(metadata: Mapping[str, Any]) -> dict[str, dg.TableMetadataValue]:
    """Return the tables in the metadata."""
    return {name: value for name, value in metadata.items() if isinstance(value, dg.TableMetadataValue)}


def check(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Return the latest result of `guarded_merges`."""
    key = dg.AssetCheckKey(MERGE, "guarded_merges")
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert isinstance(record.evaluation, dg.AssetCheckEvaluation)
    return record.evaluation


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the failed step of a run says."""
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    failed = event.step_failure_data.user_failure_data
    assert failed
    return failed.description or ""


def table(metadata: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the rows of a table in the metadata."""
    return [dict(record.data) for record in metadata[name].records]


def test_merging_comes_after_the_profiles_and_before_nothing(shop: Project) -> None:
    """Goals → `profiles` → `[profiles, merge]`: a goal that fails skips neither merging nor segments."""
    shop.describe(**RULE, segments=[SPENDERS])
    definitions = shop.load()
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    assert graph.get(MERGE).parent_keys == {PROFILES}
    assert graph.get(PROFILES).parent_keys == {dg.AssetKey(["shop", "customers"])}
    assert not graph.get(PROFILES).is_materializable
    assert graph.get(dg.AssetKey(["segments", "spenders"])).parent_keys == {PROFILES}
    assert {node.pool for node in graph.get(MERGE).assets_def.node_def.iterate_op_defs()} == {"warehouse"}


def test_the_asset_needs_rules_and_the_decisions_do_not(shop: Project) -> None:
    """Without merge rules there are the jobs to decide by hand only; all of them take the warehouse's pool."""
    shop.describe()
    definitions = shop.load()
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert set(JOBS) <= names
    assert "merge_profiles" not in names
    assert not definitions.resolve_asset_graph().has(MERGE)
    ops = [op for job in JOBS for op in definitions.resolve_job_def(job).graph.iterate_op_defs()]
    assert [op.pool for op in ops] == ["warehouse", "warehouse"]


def test_a_new_rule_applies_to_everybody(shop: Project, instance: dg.DagsterInstance) -> None:
    """The job merges profiles that no import touches; it shows counts, decisions by rule, pairs by id."""
    metadata = merge_everybody(shop, instance)
    assert (metadata["profiles_merged"], metadata["profiles_unmerged"], metadata["decisions"]) == (1, 0, 1)
    assert metadata["summary"] == "1 profile merged, 0 profiles unmerged."
    assert table(metadata, "by rule") == [{"rule": "number", "decisions": 1}]
    (pair,) = table(metadata, "last decisions")
    named = ids(shop)
    assert {pair["left"], pair["right"]} == {named["ada@example.com"], named["ada@old.example"]}
    assert (pair["what"], pair["rule"]) == ("merge", "number")
    assert check(instance).passed
    assert len(live(shop)) == 2
    assert merge_everybody(shop, instance)["profiles_merged"] == 0


def test_the_metadata_has_no_personal_data(shop: Project, instance: dg.DagsterInstance) -> None:
    """Events and logs of merging name profiles by id, never by value, also where a decision or a guard is shown."""
    lines = "".join(f"p{number}@example.com,N-3000,1\n" for number in range(21))
    shop.deliver("/inbox/customers_2.csv", f"Email,Number,Total\n{lines}")
    assert shop.run("shop_sync", instance).success
    result = shop.run("merge_profiles", instance)
    assert result.success
    everything = " ".join(str(record) for record in instance.all_logs(result.run_id))
    assert [value for value in (*PERSONAL, "N-3000") if value in everything] == []


def test_a_guard_is_a_warning_of_the_import_and_of_the_check(shop: Project, instance: dg.DagsterInstance) -> None:
    """A value that too many profiles share is named by rule, count and ids; the check warns until it is gone."""
    lines = "".join(f"p{number}@example.com,N-3000,1\n" for number in range(21))
    shop.deliver("/inbox/customers_2.csv", f"Email,Number,Total\n{lines}")
    assert shop.run("shop_sync", instance).success
    imported = instance.fetch_materializations(dg.AssetKey(["shop", "customers"]), limit=1).records[0]
    assert imported.asset_materialization
    files = table(tables(imported.asset_materialization.metadata), "files")
    assert "21 profiles share one value of number" in files[0]["remarks"]
    metadata = merge_everybody(shop, instance)
    assert metadata["merges_stopped"] == 1
    (stopped,) = table(metadata, "stopped")
    assert (stopped["guard"], stopped["rule"], stopped["profiles"]) == ("too many holders", "number", 21)
    assert set(stopped["some ids"].split()) <= set(ids(shop).values())
    found = check(instance)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "21 profiles share" in (found.description or "")
    assert "what to do" in found.metadata
    shop.describe(merge_rules=[{"property": "email"}])
    merge_everybody(shop, instance)
    assert check(instance).passed


def test_the_check_can_be_executed_and_changes_nothing(shop: Project, instance: dg.DagsterInstance) -> None:
    """Executed by itself, the check works the rules out and rolls back."""
    definitions = shop.load()
    selection = dg.AssetSelection.checks_for_assets(MERGE)
    job = dg.define_asset_job("look", selection).resolve(asset_graph=definitions.resolve_asset_graph())
    resources = definitions.resources or {}
    assert job.execute_in_process(instance=instance, resources=dict(resources), run_config=QUIET).success
    assert check(instance).passed
    assert len(live(shop)) == 3


def test_an_import_shows_how_many_it_merged(shop: Project, instance: dg.DagsterInstance) -> None:
    """The page of an import goal plots merged and unmerged profiles, and says it in the summary."""
    shop.deliver("/inbox/customers_2.csv", "Email,Number,Total\nbob@old.example,N-2000,1\n")
    metadata = shown(shop.run("shop_sync", instance), "shop", "customers")
    assert (metadata["profiles_merged"], metadata["profiles_unmerged"]) == (1, 0)
    assert "1 merged, 0 unmerged" in metadata["summary"]
    count = instance.fetch_materializations(PROFILES, limit=1).records[0].asset_materialization
    assert count
    assert count.metadata["dagster/row_count"].value == 3


def test_people_decide_by_jobs(shop: Project, instance: dg.DagsterInstance) -> None:
    """The jobs take ids and a name; what they undo stays so with the next file and the next run of the rules."""
    named = ids(shop)
    assert decide(
        shop, instance, "merge_two_profiles", left=named["ada@example.com"], right=named["bob@example.com"]
    ).success
    assert len(live(shop)) == 1
    bob = {"profile": named["bob@example.com"], "survivor": named["ada@example.com"]}
    assert decide(shop, instance, "unmerge_profile", **bob).success
    assert len(live(shop)) == 2
    assert merge_everybody(shop, instance)["profiles_merged"] == 0
    shop.deliver("/inbox/customers_2.csv", PEOPLE.replace("bob@example.com,N-2000", "bob@example.com,N-1000"))
    shop.run("shop_sync", instance)
    assert ids(shop)["bob@example.com"] == named["bob@example.com"]
    assert "bob@example.com" in live(shop)
    metadata = merge_everybody(shop, instance)
    assert metadata["profiles_merged"] == 0
    assert {row["guard"] for row in table(metadata, "stopped")} == {"keep_apart"}
    assert not check(instance).passed


@pytest.mark.parametrize(
    ("job", "config"),
    [
        ("merge_two_profiles", {"left": "ada@example.com", "right": "bob@example.com"}),
        ("unmerge_profile", {"profile": "ada@example.com"}),
    ],
)
def test_a_run_config_that_names_no_id_is_refused(
    job: str, config: dict[str, str], shop: Project, instance: dg.DagsterInstance
) -> None:
    """An identifier in the place of an id is refused, and not repeated: run config and logs are stored."""
    message = failure(decide(shop, instance, job, **config))
    assert "by id only" in message
    assert "ada@" not in message


def test_a_split_of_identifiers_is_not_repeated_without_them(shop: Project, instance: dg.DagsterInstance) -> None:
    """A run that splits identifiers off and is launched again has none: it fails, and takes nothing apart."""
    named = ids(shop)
    decide(shop, instance, "merge_two_profiles", left=named["ada@example.com"], right=named["bob@example.com"])
    message = failure(decide(shop, instance, "unmerge_profile", profile=named["bob@example.com"], identifiers=1))
    assert "not stored with it" in message
    assert len(live(shop)) == 1


def test_a_decision_that_cannot_be_made_fails_the_run(shop: Project, instance: dg.DagsterInstance) -> None:
    """What was never merged cannot be unmerged: the run fails with the reason and changes nothing."""
    message = failure(decide(shop, instance, "unmerge_profile", profile=ids(shop)["bob@example.com"]))
    assert "not merged with another one" in message
    assert len(live(shop)) == 3


def test_the_catalog_shows_that_rules_changed(shop: Project) -> None:
    """The asset's code version follows the rules and the survivor."""
    versions = set()
    for declared in ({}, {"survivor": "oldest"}, {"merge_rules": [{"property": "email"}]}):
        shop.describe(**{**RULE, **declared})
        versions.add(shop.load().resolve_asset_graph().get(MERGE).code_version)
    assert len(versions) == 3
    assert all(versions)

"""A real webserver, used through GraphQL as the UI does."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient

from cdp_sync.sandbox.sftp import SftpSandbox
from cdp_sync_tests.projects import INSTANCE, Project, goal

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "heron-copper-58"
OPS = ["scan_directory", "parse_files", "link_identifiers", "upsert_profiles"]
CUSTOMERS = "Email,CustomerNumber,FirstName\nada@example.com,C1,Adalbertine\n"
ORDERS = "Email,Amount\nada@example.com,12.5\n"
_PATIENCE = 120

RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run { stepStats { stepKey status startTime } } } }
"""
RESOURCES = """
query { allTopLevelResourceDetailsOrError(
    repositorySelector: {repositoryLocationName: "cdp_sync", repositoryName: "__repository__"}
) { ... on ResourceDetailsList { results { name description configFields { name } configuredValues { key value } } } } }
"""
ASSETS = """
query { assetNodes { assetKey { path } groupName description
    assetMaterializations(limit: 1) { metadataEntries { label description ... on MarkdownMetadataEntry { mdStr }
        ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue } } } } }
"""
TIMELINE = """
query { runsOrError(filter: {statuses: [SUCCESS]}) { ... on Runs { results { id pipelineName startTime endTime
    repositoryOrigin { id repositoryName repositoryLocationName } tags { key value } } } } }
"""
"""The UI's timeline query, which omits runs without an origin."""

OF_REPOSITORY = """
query { runsOrError(filter: {tags: [{key: ".dagster/repository", value: "__repository__@cdp_sync"}]}) {
    ... on Runs { results { id } } } }
"""
LOGS = """
query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent { message } } } } }
"""


def settle(home: Path) -> None:
    """Make the instance in the folder launch runs at once."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(INSTANCE.replace("base_dir: dagster", f"base_dir: {home}"), encoding="utf-8")


@contextmanager
def webserver(home: Path, environment: Mapping[str, str]) -> Iterator[DagsterGraphQLClient]:
    """Run a webserver on the repository's workspace with an instance of its own, without a daemon."""
    settle(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env={**environment, "DAGSTER_HOME": str(home)}, stdout=log, stderr=log
        )
        try:
            yield connected(server, port)
        finally:
            server.terminate()
            server.wait(60)


def connected(server: subprocess.Popen[bytes], port: int) -> DagsterGraphQLClient:
    """Wait until the webserver answers; the client connects with its first query only."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        assert server.poll() is None
        assert time.monotonic() < deadline
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5).close()
        except OSError:
            time.sleep(0.2)  # nothing tells when it begins to listen
        else:
            return DagsterGraphQLClient("127.0.0.1", port_number=port)


def ended(client: DagsterGraphQLClient, run_id: str) -> DagsterRunStatus:
    """Wait for a run to end and return its state."""
    deadline = time.monotonic() + _PATIENCE
    while (status := client.get_run_status(run_id)) not in (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE):
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return status


def deliver(file: Path, text: str) -> None:
    """Put a file with an old modification time on the server."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    os.utime(file, (1.7e9, 1.7e9))


@contextmanager
def webshop(folder: Path) -> Iterator[dict[str, str]]:
    """Run the server of the repository's connection `webshop`; yield the environment of its project."""
    data, root = folder / "data", folder / "server"
    deliver(root / "webshop" / "inbox" / "customers_1.csv", CUSTOMERS)
    deliver(root / "webshop" / "inbox" / "orders_1.csv", ORDERS)
    (data / "sandbox").mkdir(parents=True)
    (data / "sandbox" / "password").write_text(f"{PASSWORD}\n", encoding="ascii")
    with SftpSandbox(root, accounts={"webshop": PASSWORD}) as sandbox:
        sandbox.known_hosts(data / "sandbox" / "known_hosts")
        settings = {"CDP_SYNC_DATA": str(data), "CDP_SYNC_SANDBOX_PORT": str(sandbox.port)}
        yield {name: value for name, value in os.environ.items() if name != "CDP_SYNC_DEFS"} | settings


def launch(client: DagsterGraphQLClient) -> str:
    """Run the webshop's job as the UI does; return the run's id."""
    run_id = client.submit_job_execution(
        "webshop_sync", repository_location_name="cdp_sync", repository_name="__repository__"
    )
    assert ended(client, run_id) == DagsterRunStatus.SUCCESS
    return run_id


def run_by_command(home: Path, environment: Mapping[str, str], *arguments: str) -> str:
    """Run the webshop by the command line; return the run's id."""
    done = subprocess.run(
        [sys.executable, "-m", "cdp_sync.cli", "run", "webshop", *arguments, "--json"],
        cwd=REPOSITORY, env={**environment, "DAGSTER_HOME": str(home)},
        capture_output=True, text=True, timeout=_PATIENCE, check=True,
    )  # fmt: skip
    return str(json.loads(done.stdout)["run_id"])


@pytest.mark.slow
def test_runs_of_the_command_line_are_on_the_timeline(tmp_path: Path) -> None:
    """Runs of the command line have the webserver's origin, with and without one, for one goal or all."""
    home = tmp_path / "home"
    settle(home)
    with webshop(tmp_path) as environment:
        before = run_by_command(home, environment)
        with webserver(home, environment) as client:
            beside = run_by_command(home, environment, "--goal", "orders")
            by_webserver = launch(client)
            runs = {run["id"]: run for run in ask(client, TIMELINE)["runsOrError"]["results"]}
            of_repository = {run["id"] for run in ask(client, OF_REPOSITORY)["runsOrError"]["results"]}
    assert set(runs) == of_repository == {before, beside, by_webserver}
    timeline = [(run["pipelineName"], run["repositoryOrigin"], location_of(run)) for run in runs.values()]
    assert timeline[0][1]["repositoryLocationName"] == timeline[0][2] == "cdp_sync"
    assert timeline == [timeline[0]] * 3
    assert all(run["startTime"] and run["endTime"] for run in runs.values())


def location_of(run: Mapping[str, Any]) -> str:
    """Return the code location in a run's tags."""
    return next(str(tag["value"]) for tag in run["tags"] if tag["key"] == "dagster/code_location")


@pytest.mark.slow
def test_the_webshop_runs_through_the_ui(tmp_path: Path) -> None:
    """A run launched in the UI succeeds with the contract's step names, and shows no secret or value."""
    with webshop(tmp_path) as environment, webserver(tmp_path / "home", environment) as client:
        run_id = launch(client)
        run = ask(client, RUN, id=run_id)["runOrError"]
        resources = ask(client, RESOURCES)["allTopLevelResourceDetailsOrError"]["results"]
        shown = f"{resources} {ask(client, ASSETS)} {ask(client, LOGS, id=run_id)}"
    steps = sorted(run["stepStats"], key=lambda step: step["startTime"])
    keys = [step["stepKey"] for step in steps if "." in step["stepKey"]]
    goals = ("customers", "orders", "order_lines", "consents", "messages")
    assert keys == [f"webshop__{goal}.{op}" for goal in goals for op in OPS]
    assert {step["status"] for step in steps} == {"SUCCESS"}
    assert {"webshop_server", "filiale_server", "warehouse"} <= {resource["name"] for resource in resources}
    assert "1 file, 1 row: 1 applied" in shown
    assert [value for value in (PASSWORD, "ada@example.com", "Adalbertine") if value in shown] == []


def ask(client: DagsterGraphQLClient, text: str, **variables: str) -> dict[str, Any]:
    """Send any query; the client's public methods cover runs and reloads only."""
    return client._execute(text, variables)


FILES = """
query { assetNodeOrError(assetKey: {path: ["shop", "customers", "files"]}) { ... on AssetNode {
    partitionStats { numPartitions numMaterialized numFailed }
    assetPartitionStatuses { ... on DefaultPartitionStatuses { failedPartitions materializedPartitions } } } } }
"""


@pytest.mark.slow
def test_a_removed_failed_file_is_not_counted(project: Project) -> None:
    """A failed file is counted in the UI until the run after its removal."""
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nada@example.com,Ada,1\n")
    bad = project.deliver("/inbox/customers_2.csv", "Mail\n", minutes=1)
    home = project.folder / "home"
    environment = {**project.environment, "DAGSTER_HOME": str(home)}
    with webserver(home, environment) as client:
        assert run_shop(environment) == 1
        shown = ask(client, FILES)["assetNodeOrError"]
        assert shown["partitionStats"] == {"numPartitions": 2, "numMaterialized": 1, "numFailed": 1}
        assert shown["assetPartitionStatuses"]["failedPartitions"] == ["customers_2.csv"]
        bad.unlink()
        assert run_shop(environment) == 0
        shown = ask(client, FILES)["assetNodeOrError"]
    assert shown["partitionStats"] == {"numPartitions": 1, "numMaterialized": 1, "numFailed": 0}
    assert shown["assetPartitionStatuses"] == {"failedPartitions": [], "materializedPartitions": ["customers_1.csv"]}


def run_shop(environment: Mapping[str, str]) -> int:
    """Run the connection by the command line; return its exit status."""
    command = [sys.executable, "-m", "cdp_sync.cli", "run", "shop"]
    return subprocess.run(command, env=dict(environment), stdout=subprocess.DEVNULL, check=False).returncode

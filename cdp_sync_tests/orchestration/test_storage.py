"""The history of runs: Dagster's own files, whoever writes them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.utils import make_new_run_id

from cdp_sync.orchestration.storage import NoComputeLogs

DAGSTERS = "{sqlite: {base_dir: history}}"
OURS = "{custom: {module: cdp_sync.orchestration.storage, class: RunHistory, config: {base_dir: history}}}"


@dg.asset
def numbers(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Materialize something, with a line in the log."""
    context.log.info("counting")
    return dg.MaterializeResult(metadata={"how_many": 3})


@contextmanager
def instance(folder: Path, storage: str) -> Iterator[dg.DagsterInstance]:
    """Yield an instance whose history is in a folder."""
    where = storage.replace("history", str(folder / "history"))
    (folder / "dagster.yaml").write_text(f"storage: {where}\ntelemetry: {{enabled: false}}\n", encoding="utf-8")
    with dg.DagsterInstance.from_config(str(folder)) as made:
        yield made


def run(within: dg.DagsterInstance) -> str:
    """Materialize the asset and return the run's id."""
    return dg.materialize([numbers], instance=within).run_id


def story(within: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """Return what the history tells of a run."""
    return [(str(event.dagster_event_type), event.user_message) for event in within.all_logs(run_id)]


@pytest.mark.parametrize(("writes", "reads"), [(OURS, DAGSTERS), (DAGSTERS, OURS)], ids=["ours", "dagsters"])
def test_each_reads_what_the_other_wrote(tmp_path: Path, writes: str, reads: str) -> None:
    """A history goes on when `dagster.yaml` begins, or ceases, to name ours."""
    with instance(tmp_path, writes) as within:
        run_id = run(within)
        told = story(within, run_id)
    with instance(tmp_path, reads) as within:
        assert story(within, run_id) == told
        assert within.get_latest_materialization_event(dg.AssetKey("numbers")).run_id == run_id
        again = run(within)
        assert [kind for kind, _ in story(within, again)] == [kind for kind, _ in told]
        assert within.get_latest_materialization_event(dg.AssetKey("numbers")).run_id == again


def test_no_event_needs_an_engine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster makes 18 in this run, one for every look at its files; ours makes those that begin a file."""
    made: list[str] = []
    create = sqlite_event_log.create_engine

    def counted(address: str, **options: object) -> object:
        made.append(address)
        return create(address, **options)

    with instance(tmp_path, OURS) as within:
        run(within)
        monkeypatch.setattr(sqlite_event_log, "create_engine", counted)
        run(within)
    assert len(made) <= 2, made


def test_files_are_closed_behind_a_run_not_behind_every_event(tmp_path: Path) -> None:
    """SQLite empties its logs when a file is closed: that of the run before the last one, and all with the instance."""
    with instance(tmp_path, OURS) as within:
        run(within)
        last = run(within)
        assert {path.name for path in tmp_path.rglob("*.db-wal")} == {"index.db-wal", f"{last}.db-wal"}
        told = story(within, last)
    assert not [*tmp_path.rglob("*.db-wal")]
    with instance(tmp_path, DAGSTERS) as within:
        assert story(within, last) == told


def test_who_watches_a_run_is_told_of_its_events(tmp_path: Path) -> None:
    """As the UI does, in another process than the run's."""
    came: list[str] = []
    ended = threading.Event()

    def note(entry: dg.EventLogEntry, _cursor: str) -> None:
        came.append(str(entry.dagster_event_type))
        if entry.dagster_event_type is dg.DagsterEventType.RUN_SUCCESS:
            ended.set()

    run_id = make_new_run_id()
    job = dg.Definitions([numbers], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
    with instance(tmp_path, OURS) as ui, instance(tmp_path, OURS) as within:
        ui.watch_event_logs(run_id, None, note)
        job.execute_in_process(instance=within, run_id=run_id)
        assert ended.wait(60)
        ui.end_watch_event_logs(run_id, note)
    assert "DagsterEventType.ASSET_MATERIALIZATION" in came


@dg.op
def begin() -> dict[str, str]:
    """Hand something on."""
    return {"some": "thing"}


@dg.op
def end(handed: dict[str, str]) -> None:
    """Take it."""
    assert handed


@dg.job
def handing() -> None:
    """Two steps."""
    end(begin())


def test_a_run_takes_a_third_of_the_space(tmp_path: Path) -> None:
    """Its file has small pages, also for Dagster's own storage, and nothing is said of how handles are stored."""
    sizes, kinds = {}, {}
    for storage in (DAGSTERS, OURS):
        folder = tmp_path / storage.split(":")[0].strip("{")
        folder.mkdir()
        with instance(folder, storage) as within:
            run_id = handing.execute_in_process(instance=within).run_id
            kinds[storage] = [kind for kind, _ in story(within, run_id)]
        (file,) = folder.rglob(f"{run_id}.db")
        sizes[storage] = file.stat().st_size
    about_handles = {f"DagsterEventType.{name}" for name in ("HANDLED_OUTPUT", "LOADED_INPUT", "STEP_INPUT")}
    assert about_handles < set(kinds[DAGSTERS])
    assert kinds[OURS] == [kind for kind in kinds[DAGSTERS] if kind not in about_handles]
    assert sizes[OURS] * 3 < sizes[DAGSTERS]


def test_nothing_is_kept_of_what_steps_print_but_what_was_kept_before(tmp_path: Path) -> None:
    """A history goes on: its older logs are shown, and removed with their runs."""
    before, after = LocalComputeLogManager(str(tmp_path)), NoComputeLogs(str(tmp_path))
    key = ["run", "compute_logs", "step"]
    with after.capture_logs(key):
        print("step")
    assert [*tmp_path.iterdir()] == []
    assert after.is_capture_complete(key)
    with before.open_log_stream(key, ComputeIOType.STDOUT) as stream:
        assert stream
        stream.write("step")
    assert after.get_log_data(key).stdout == b"step"
    after.delete_logs(prefix=["run"])
    assert [*tmp_path.iterdir()] == []

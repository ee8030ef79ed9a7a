"""The heartbeat of a run: what it notes, what it repairs, and when it ends the process."""

from collections.abc import Iterator

import dagster as dg
import pytest

from cdp_sync.orchestration.dagster_internals import job_origin
from cdp_sync.orchestration.instance import open_instance
from cdp_sync.orchestration.queue import RunQueue
from cdp_sync.orchestration.runs import heartbeat
from cdp_sync.orchestration.runs.heartbeat import Heartbeat, beats_of
from cdp_sync.orchestration.runs.process import Process
from cdp_sync.orchestration.runs.run_tags import CONNECTION, PROCESS, VERSIONS
from cdp_sync.orchestration.runs.versions import versions
from cdp_sync_tests.orchestration.shared_history import wait_for
from cdp_sync_tests.projects import Project

STARTED, SUCCEEDED, FAILED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def history(project: Project) -> Iterator[dg.DagsterInstance]:
    """A history in files."""
    with open_instance() as opened:
        yield opened


@pytest.fixture
def run(history: dg.DagsterInstance) -> dg.DagsterRun:
    """A run under way."""
    return history.add_run(dg.DagsterRun(job_name="shop_sync", status=STARTED))


@pytest.fixture
def ended_processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose processes would have been ended."""
    ended: list[str] = []
    monkeypatch.setattr(heartbeat, "end_process", ended.append)
    return ended


def test_beats_change_and_go_with_the_run(
    history: dg.DagsterInstance, run: dg.DagsterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats follow each other while the run is under way, and are removed at its end."""
    monkeypatch.setattr(heartbeat, "EVERY", 0.02)
    beating = Heartbeat(history, run.run_id)
    beating.start()
    seen: set[str] = set()
    wait_for(lambda: seen.update(beats_of(history, [run.run_id]).values()) or len(seen) > 2 or None)
    beating.stop()
    assert beats_of(history, [run.run_id]) == {}


def test_a_short_run_notes_no_beat(history: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """A run that is over before its first beat leaves nothing to remove."""
    beating = Heartbeat(history, run.run_id)
    beating.start()
    beating.stop()
    assert beats_of(history, [run.run_id]) == {}


def test_a_lost_tag_is_written_again(history: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Where two processes tag a run at once, Dagster may lose the tag of one; the next beat writes it again."""
    history.add_run_tags(run.run_id, {PROCESS: ""})
    Heartbeat(history, run.run_id)._beat()
    found = history.get_run_by_id(run.run_id)
    assert found
    assert Process.of(found) == Process.this()


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, None])
def test_a_process_ends_itself_at_the_second_look(
    status: dg.DagsterRunStatus | None, history: dg.DagsterInstance, run: dg.DagsterRun, ended_processes: list[str]
) -> None:
    """A process ends itself if its run has ended, or is deleted, at two looks in a row: at one it may end by itself."""
    beating = Heartbeat(history, run.run_id)
    beating._beat()
    if status:
        history.run_storage.handle_run_event(run.run_id, event_of(status, run))
    else:
        history.delete_run(run.run_id)
    beating._beat()
    assert ended_processes == []
    beating._beat()
    assert ended_processes == [run.run_id]


def event_of(status: dg.DagsterRunStatus, run: dg.DagsterRun) -> dg.DagsterEvent:
    """Return the event that ends a run so."""
    kind = dg.DagsterEventType.RUN_SUCCESS if status is SUCCEEDED else dg.DagsterEventType.RUN_FAILURE
    return dg.DagsterEvent(kind.value, run.job_name)


def test_a_history_that_cannot_be_reached_ends_nothing(
    history: dg.DagsterInstance,
    run: dg.DagsterRun,
    ended_processes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the history cannot be reached the process goes on, and beats again afterwards."""
    monkeypatch.setattr(heartbeat, "EVERY", 0.02)
    failed: list[str] = []

    def fail(run_id: str) -> None:
        failed.append(run_id)
        raise OSError("The history cannot be reached.")

    with monkeypatch.context() as patch:
        patch.setattr(history, "get_run_by_id", fail)
        beating = Heartbeat(history, run.run_id)
        beating.start()
        wait_for(lambda: len(failed) > 3 or None)
    wait_for(lambda: beats_of(history, [run.run_id]) or None)
    beating.stop()
    assert ended_processes == []


@pytest.mark.parametrize("tags", [{CONNECTION: "shop"}, {}, {VERSIONS: "cdp_sync 0.0.1 with DuckDB 1.0"}])
def test_the_queue_records_the_versions(history: dg.DagsterInstance, tags: dict[str, str]) -> None:
    """A run that is queued has the versions of the machine that queued it, also where it repeats an older run."""
    run = history.add_run(
        dg.DagsterRun(
            job_name="shop_sync",
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags=tags,
            remote_job_origin=job_origin("shop_sync"),
        )
    )
    queue = RunQueue()
    queue.register_instance(history)
    queue.submit_run(dg.SubmitRunContext(run, None))  # type: ignore[arg-type]
    found = history.get_run_by_id(run.run_id)
    assert found
    assert found.tags[VERSIONS] == versions()

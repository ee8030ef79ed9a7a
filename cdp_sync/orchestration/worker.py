"""A worker: takes runs from the queue that Dagster's Celery launcher fills, and executes each in a process of its own.

Celery's own ways of delivering a task twice lose nothing: Dagster ignores a run that has begun. A run whose worker was
killed is not taken up by another one; `runs.recovery` ends it, and the next run of the connection starts over.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg

from cdp_sync.errors import ServerUnreachable, SettingUnusable
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.instance import dagster_home, open_instance
from cdp_sync.orchestration.runs.admission import verify_own_warehouse

if TYPE_CHECKING:
    from celery import Celery

_CONNECTS_WITHIN = 10.0
"""Seconds that the broker may take to answer when a worker starts. Later Celery tries again for as long as it takes."""

_SETTINGS = {
    # A run begins in a new process, as where Dagster launches it itself: it inherits nothing of the one before.
    "worker_max_tasks_per_child": 1,
    # A worker that is busy keeps no run waiting that another worker could execute.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
}


def work(runs: int, ready: Callable[[], object] = lambda: None) -> None:
    """Execute runs, so many at a time, until a signal ends the worker; those that have begun are finished first.

    `ready` is called when everything that the worker needs has been found in order.

    Raises:
        SettingUnusable: `dagster.yaml` names no Celery launcher.
        ServerUnreachable: The broker does not answer.
        WrongWarehouse: The warehouse of this machine is not that of the project's runs.
        CdpSyncError: Dagster's history or the warehouse cannot be used.
    """
    with open_instance() as instance:
        app = _app_of(instance)
        verify_own_warehouse(instance, project_warehouse())
        queue = str(app.conf.task_default_queue)
    _verify_broker(app)
    from dagster_celery.tasks import create_execute_job_task

    create_execute_job_task(app)
    app.conf.update(_SETTINGS)
    os.environ["DAGSTER_HOME"] = str(dagster_home())  # the task asks for it
    options = ("--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat")
    ready()
    app.worker_main(["--quiet", "worker", "--concurrency", str(runs), "--queues", queue, *options])


def _app_of(instance: dg.DagsterInstance) -> "Celery":
    """Return the Celery application of the launcher, which has the broker and everything else that `dagster.yaml` says.

    Raises:
        SettingUnusable: The launcher is another one.
    """
    app: Any = getattr(instance.run_launcher, "celery", None)
    if app is None:
        raise SettingUnusable(
            f"dagster.yaml launches runs by {type(instance.run_launcher).__name__}.",
            needed="Workers take runs from Celery: `run_launcher` has to be `CeleryRunLauncher`.",
            remedy="See docs/workers.md; `cdp-sync init --workers FOLDER` writes a project with such settings.",
        )
    return app


def _verify_broker(app: "Celery") -> None:
    from kombu.exceptions import OperationalError

    try:
        with app.connection_for_write(connect_timeout=_CONNECTS_WITHIN) as connection:
            connection.ensure_connection(max_retries=1, timeout=_CONNECTS_WITHIN)
            connection.default_channel.client.ping()
    except (OperationalError, OSError) as error:
        place = connection.as_uri(include_password=False).rpartition("@")[2]
        raise ServerUnreachable(
            f"The broker of runs, {place}, does not answer: {error}.",
            remedy="See that it runs and that this machine reaches it: dagster.yaml says which variable names it.",
        ) from error

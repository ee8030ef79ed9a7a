"""A project with its own Sailthru sandbox."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.projects import Project
from cdp_sync_tests.sailthru.crm import ENVIRONMENT, KEY, SECRET, TIME_ZONE, Crm


@pytest.fixture(name="crm")
def crm(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    """A project with a profile model, and a Sailthru sandbox without users."""
    from cdp_sync.connectors.sailthru import waiting
    from cdp_sync.connectors.sailthru.client import SailthruClient
    from cdp_sync.orchestration import failures

    monkeypatch.setattr(waiting, "_PAUSES", replace(waiting._PAUSES, first=0.01))
    monkeypatch.setattr(failures, "_PAUSE", 0.0)
    monkeypatch.setitem(SailthruClient.__init__.__kwdefaults__, "first_pause", 0.0)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with (
        SailthruSandbox(api_key=KEY, api_secret=SECRET, time_zone=TIME_ZONE) as box,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        made = Crm(project, box, instance)
        made.describe()
        yield made

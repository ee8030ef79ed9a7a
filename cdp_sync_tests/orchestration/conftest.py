"""Shared fixtures of the tests of orchestration: an instance, and retries without pauses."""

from collections.abc import Iterator

import dagster as dg
import pytest

from cdp_sync_tests.orchestration.mail_project import mail_project
from cdp_sync_tests.orchestration.shared_history import server, shared

__all__ = ["instance", "mail_project", "no_pauses", "server", "shared"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that keeps its history in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without pauses; the number of attempts is unchanged."""
    from cdp_sync.connectors.sftp import SftpClient
    from cdp_sync.orchestration import failures

    monkeypatch.setitem(SftpClient.__init__.__kwdefaults__, "first_pause", 0.0)
    monkeypatch.setattr(failures, "_PAUSE", 0.0)

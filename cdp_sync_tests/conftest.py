"""Fixtures that several packages share; what they take long to import is imported when they are used."""

import pytest
from hypothesis import settings

from cdp_sync_tests.disks import small
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.projects import project

__all__ = ["project", "small"]

settings.load_profile("always")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell where generated input started from."""
    terminalreporter.write_line(f"generated input: CDP_SYNC_SEED={SEED}")

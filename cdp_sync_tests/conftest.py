"""Fixtures shared by several packages. Slow imports are made inside the fixtures that need them."""

import pytest
from hypothesis import settings

from cdp_sync_tests.disks import small
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.projects import project

__all__ = ["project", "small"]

settings.load_profile("always")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed of the generated input in the summary."""
    terminalreporter.write_line(f"generated input: CDP_SYNC_SEED={SEED}")

"""An account of each platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync_tests.vendor_pages.account import PLATFORMS, Account, open_account


@pytest.fixture(params=PLATFORMS)
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    """A project with a connection to an account without users, of either platform."""
    with open_account(request.param, tmp_path) as opened:
        yield opened
